//! One daemon per state folder.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};

const FILE: &str = "lock";

/// The right to work with a state folder; ends with the process at the latest.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "held, not used")] File);

impl Lock {
    /// Takes the lock of `folder`, which is made if missing.
    ///
    /// # Errors
    /// `InvalidOption` where another process holds it, naming that; `Output` where the folder cannot be used.
    pub fn take(folder: &Path) -> Result<Self> {
        let wrong = |error| {
            Error::with_source(
                ErrorKind::Output,
                format!("cannot use the state folder {}", folder.display()),
                error,
            )
        };
        fs::create_dir_all(folder).map_err(wrong)?;
        let path = folder.join(FILE);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(wrong)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut owner = String::new();
                let _ = file.read_to_string(&mut owner);
                let message = format!(
                    "another partdiff watch (process {}) works with {}: stop it, or choose another --state",
                    owner.trim(),
                    folder.display()
                );
                return Err(Error::invalid_option(message));
            }
            Err(TryLockError::Error(error)) => return Err(wrong(error)),
        }
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(wrong)?;
        Ok(Self(file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let lock = Lock::take(folder.path()).unwrap();
        let error = Lock::take(folder.path()).unwrap_err().to_string();
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        drop(lock);
        Lock::take(folder.path()).unwrap();
    }
}
