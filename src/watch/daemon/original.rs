//! The original of a result: moved away or deleted, once both were read back from the disk.

use std::fs;
use std::io;
use std::path::PathBuf;

use super::place::move_away;
use crate::fs::hash::holds;
use crate::watch::ledger::entry::Entry;

/// An original that is to go.
#[derive(Debug)]
pub struct Original {
    /// Its entry, done.
    pub entry: Entry,
    /// Where it is.
    pub path: PathBuf,
    /// Where it is to go; it is deleted without.
    pub move_to: Option<PathBuf>,
}

/// What became of an original.
#[derive(Debug)]
pub enum Removal {
    /// It is gone.
    Gone,
    /// It or its result changed: it stays.
    Changed,
    /// It stays, as the file system failed.
    Failed(io::Error),
}

impl Original {
    /// Moves or deletes the file, if it and its result are what the ledger knows.
    pub fn remove(&self) -> Removal {
        let Self { entry, path, move_to } = self;
        if !path.exists() {
            return Removal::Gone;
        }
        let verified = entry.result.as_ref().is_some_and(|result| holds(&result.output, &result.hash))
            && entry.done.as_ref().is_some_and(|(hash, _)| holds(path, hash));
        if !verified {
            return Removal::Changed;
        }
        let result = match move_to {
            Some(folder) => move_away(path, folder, &entry.path).map(drop),
            None => fs::remove_file(path),
        };
        result.map_or_else(Removal::Failed, |()| Removal::Gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::hash::sha256_hex;
    use crate::watch::ledger::entry::Placed;

    #[test]
    fn only_what_is_as_the_ledger_knows_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let hash = |text: &str| sha256_hex(text.as_bytes());
        let mut entry = Entry::sample("a.png");
        entry.done = Some((hash("original"), "settings".into()));
        entry.result = Some(Placed { output: path("result"), hash: hash("result"), details: String::new() });
        let remove = |original: &str, result: &str, move_to| {
            fs::write(path("a.png"), original).unwrap();
            fs::write(path("result"), result).unwrap();
            Original { entry: entry.clone(), path: path("a.png"), move_to }.remove()
        };
        assert!(matches!(remove("changed", "result", None), Removal::Changed));
        assert!(matches!(remove("original", "changed", None), Removal::Changed));
        // A file where the folder should be.
        assert!(matches!(remove("original", "result", Some(path("result"))), Removal::Failed(_)));
        assert_eq!(fs::read(path("a.png")).unwrap(), b"original");
        assert!(matches!(remove("original", "result", Some(path("done"))), Removal::Gone));
        assert_eq!(fs::read(path("done/a.png")).unwrap(), b"original");
        assert!(matches!(remove("original", "result", None), Removal::Gone));
        assert!(!path("a.png").exists());
    }
}
