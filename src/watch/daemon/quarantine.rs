//! Files that were given up, with the reason.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::place::{at_free_name, move_away};
use crate::batch::naming::shown;
use crate::watch::ledger::entry::Entry;

/// Puts a link to `from` (or the file itself, if `take`) below `folder`, with the reason beside it.
///
/// # Errors
/// As the file system fails.
pub fn quarantine(
    from: &Path,
    folder: &Path,
    entry: &Entry,
    reason: &str,
    take: bool,
) -> io::Result<PathBuf> {
    let target = if take {
        move_away(from, folder, &entry.path)?
    } else {
        let wanted = folder.join(&entry.path);
        fs::create_dir_all(wanted.parent().unwrap_or(folder))?;
        at_free_name(&wanted, |name| link(from, name))?
    };
    let mut note = target.clone().into_os_string();
    note.push(".reason.txt");
    let text = format!(
        "{}\n{reason}\nfailures: {}, worker crashes: {}\n",
        shown(from),
        entry.attempts,
        entry.crashes
    );
    fs::write(&note, text)?;
    Ok(target)
}

/// Makes a link to `from`, or a copy where the platform has none; one that is there already will do.
fn link(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(unix)]
    let (result, is_there) =
        (std::os::unix::fs::symlink(from, to), || fs::read_link(to).is_ok_and(|end| end == from));
    #[cfg(not(unix))]
    let (result, is_there) = (
        fs::hard_link(from, to)
            .or_else(|_| io::copy(&mut fs::File::open(from)?, &mut fs::File::create_new(to)?).map(drop)),
        || crate::fs::hash::hash_file(from).is_ok_and(|hash| crate::fs::hash::holds(to, &hash)),
    );
    match result {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_there() => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_in_quarantine_takes_no_other_files_place() {
        let folder = tempfile::tempdir().unwrap();
        let (from, bad) = (folder.path().join("in/a.png"), folder.path().join("bad"));
        fs::create_dir(folder.path().join("in")).unwrap();
        let put = |contents: &[u8], take| {
            fs::write(&from, contents).unwrap();
            quarantine(&from, &bad, &Entry::sample("a.png"), "it is bad", take).unwrap()
        };
        assert_eq!(put(b"1", true), bad.join("a.png"));
        assert!(!from.exists());
        // The same file again finds its own link.
        for contents in [b"2", b"3"] {
            assert_eq!(put(contents, false), bad.join("a-2.png"));
            assert_eq!(fs::read(bad.join("a.png")).unwrap(), b"1");
            assert_eq!(fs::read(bad.join("a-2.png")).unwrap(), contents);
        }
        assert!(bad.join("a-2.png.reason.txt").exists());
        assert_eq!(fs::read_dir(&bad).unwrap().count(), 4);
    }
}
