//! A small file that belongs to another one: it appears just before that one does, and goes again if that one fails.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::atomic_file::{cannot_write, replace_with, write};
use crate::error::{Error, Result};

/// A small file in place, until [`Companion::keep`] only for a time: dropped, it leaves what was there before.
#[derive(Debug)]
pub struct Companion {
    path: PathBuf,
    backup: Option<PathBuf>,
    before: Option<Vec<u8>>,
    kept: bool,
}

impl Companion {
    /// Writes `bytes` to `path`, whole or not at all. An existing file is replaced only if `replace`, and kept as
    /// `backup` if that is given.
    ///
    /// # Errors
    /// `Output`, naming the path, as [`write`] and [`replace_with`].
    pub fn put(path: &Path, bytes: &[u8], replace: bool, backup: Option<&Path>) -> Result<Self> {
        let fail = |error| cannot_write(path, error);
        let before = match fs::read(path) {
            Ok(before) if replace => Some(before),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(fail(error)),
            _ => None,
        };
        let backup = backup.filter(|_| before.is_some());
        match backup {
            Some(_) => {
                replace_with(path, backup, || Ok(()), |file| file.write_all(bytes).map_err(fail)).map(drop)
            }
            None => write(path, bytes, replace),
        }?;
        Ok(Self { path: path.to_path_buf(), backup: backup.map(Path::to_path_buf), before, kept: false })
    }

    /// Leaves the file where it is, as the other one is there.
    pub fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Companion {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        // Nothing more can be done where this fails.
        let _ = match &self.before {
            Some(before) => write(&self.path, before, true),
            None => fs::remove_file(&self.path).map_err(|_| Error::cancelled()),
        };
        if let Some(backup) = &self.backup {
            let _ = fs::remove_file(backup);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_unless_it_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (path, backup) = (folder.path().join("a.json"), folder.path().join("a.json.orig"));
        drop(Companion::put(&path, b"1", false, None).unwrap());
        assert!(!path.exists());
        Companion::put(&path, b"1", false, None).unwrap().keep();
        assert_eq!(fs::read(&path).unwrap(), b"1");
        let error = Companion::put(&path, b"2", false, None).unwrap_err();
        assert!(error.to_string().ends_with("a.json exists already"), "{error}");
        drop(Companion::put(&path, b"2", true, Some(&backup)).unwrap());
        assert_eq!((fs::read(&path).unwrap(), backup.exists()), (b"1".into(), false));
        Companion::put(&path, b"2", true, Some(&backup)).unwrap().keep();
        assert_eq!((fs::read(&path).unwrap(), fs::read(&backup).unwrap()), (b"2".into(), b"1".into()));
    }
}
