//! Folders that appear whole or not at all: a hidden temporary beside the target, filled, then renamed.

use std::fs;
use std::io;
use std::mem;
use std::path::Path;

use super::atomic_file::{cannot_write, sync_folder};
use super::folder::folder_of;
use super::temporary::TemporaryFolder;
use crate::error::{Error, ErrorKind, Result};

/// Makes the folder `path`, which `fill` fills; a failure leaves what was there before.
///
/// A folder that is there may be empty. Else it is replaced only if `may_go` allows each file in it to go; folders below it
/// never do.
///
/// # Errors
/// What `fill` returns; `Output`, naming `path`, where it cannot be made, or holds what may not go.
pub fn write_with<T>(
    path: &Path,
    may_go: impl Fn(&Path) -> bool,
    fill: impl FnOnce(&Path) -> Result<T>,
) -> Result<T> {
    check_replaceable(path, &may_go)?;
    let fail = |error: io::Error| cannot_write(path, error);
    let temporary = TemporaryFolder::new(folder_of(path)).map_err(fail)?;
    let value = fill(temporary.path())?;
    sync_folder(&temporary.path().join("_"));
    // It may have been filled since.
    let is_taken = check_replaceable(path, &may_go)?;
    if !is_taken {
        // A folder takes the name of an empty one only where there is none, or on Unix.
        if cfg!(windows) {
            let _ = fs::remove_dir(path);
        }
        temporary.persist(path).map_err(fail)?;
        sync_folder(path);
        return Ok(value);
    }
    // No system lets a folder take the place of a full one, so the old one steps aside and back after a failure.
    let old = TemporaryFolder::new(folder_of(path)).map_err(fail)?;
    let aside = old.path().join("old");
    fs::rename(path, &aside).map_err(fail)?;
    if let Err(error) = temporary.persist(path) {
        if fs::rename(&aside, path).is_err() {
            // Hidden, but not lost.
            mem::forget(old);
        }
        return Err(fail(error));
    }
    sync_folder(path);
    Ok(value)
}

/// Whether `path` is a folder with files in it, all of which may go.
///
/// # Errors
/// `Output` where it is something else, or holds what may not go.
pub fn check_replaceable(path: &Path, may_go: impl Fn(&Path) -> bool) -> Result<bool> {
    let fail = |error: io::Error| cannot_write(path, error);
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        entries => entries.map_err(fail)?,
    };
    let mut is_taken = false;
    for entry in entries {
        let entry = entry.map_err(fail)?;
        is_taken = true;
        if !entry.file_type().map_err(fail)?.is_file() || !may_go(&entry.path()) {
            let message = format!(
                "{} holds {}, which is not of an earlier result: expected another folder, or an empty one",
                path.display(),
                entry.file_name().to_string_lossy()
            );
            return Err(Error::new(ErrorKind::Output, message));
        }
    }
    Ok(is_taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn names(folder: &Path) -> Vec<PathBuf> {
        let mut names: Vec<_> =
            walkdir(folder).into_iter().map(|path| path.strip_prefix(folder).unwrap().into()).collect();
        names.sort();
        names
    }

    fn walkdir(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries
            .flat_map(
                |path| if path.is_dir() { [vec![path.clone()], walkdir(&path)].concat() } else { vec![path] },
            )
            .collect()
    }

    fn write(path: &Path, name: &str) -> Result<()> {
        let of_ours = |path: &Path| path.extension().is_some_and(|extension| extension == "dcm");
        write_with(path, of_ours, |folder| {
            assert!(folder.parent() == path.parent());
            fs::write(folder.join(name), b"x").unwrap();
            if name == "bad" { Err(Error::cancelled()) } else { Ok(()) }
        })
    }

    #[test]
    fn a_folder_appears_whole_and_replaces_only_what_may_go() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("out");
        assert!(write(&path, "bad").is_err());
        assert!(names(place.path()).is_empty());
        fs::create_dir(&path).unwrap();
        write(&path, "1.dcm").unwrap();
        write(&path, "2.dcm").unwrap();
        assert_eq!(names(place.path()), [PathBuf::from("out"), "out/2.dcm".into()]);
        assert!(write(&path, "bad").is_err());
        fs::write(path.join("thesis.txt"), b"x").unwrap();
        let error = write(&path, "3.dcm").unwrap_err().to_string();
        assert!(error.contains("out holds thesis.txt, which is not of an earlier result"), "{error}");
        assert_eq!(names(place.path()).len(), 3);
        let error = write(&path.join("thesis.txt"), "4.dcm").unwrap_err().to_string();
        assert!(error.contains("cannot write"), "{error}");
    }
}
