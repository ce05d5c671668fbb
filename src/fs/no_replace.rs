//! A rename that never replaces a file.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use tempfile::TempPath;

/// Renames the file `from` to `to`.
///
/// # Errors
/// `AlreadyExists` where something has that name, also since a moment ago; else as the file system fails. `from` stays
/// then.
pub fn rename_no_replace(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = TempPath::try_from_path(from)?;
    source.disable_cleanup(true);
    source.persist_noclobber(to).or_else(|failure| match failure.error.kind() {
        // Neither such a rename nor hard links, as on some network shares.
        io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied => reserve_and_rename(from, to),
        _ => Err(failure.error),
    })
}

/// Takes the name with an empty file first, which only the rename replaces.
fn reserve_and_rename(from: &Path, to: &Path) -> io::Result<()> {
    File::create_new(to)?;
    fs::rename(from, to).inspect_err(|_| {
        let _ = fs::remove_file(to);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_replaced_either_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for (index, rename) in [rename_no_replace, reserve_and_rename].into_iter().enumerate() {
            let (from, to) = (path("from"), path(&format!("to-{index}")));
            fs::write(&from, b"1").unwrap();
            rename(&from, &to).unwrap();
            assert!(!from.exists());
            fs::write(&from, b"2").unwrap();
            assert_eq!(rename(&from, &to).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
            assert_eq!((fs::read(&from).unwrap(), fs::read(&to).unwrap()), (b"2".into(), b"1".into()));
            // A failure leaves nothing under the new name.
            let missing = rename(&path("missing"), &path("new")).unwrap_err();
            assert_eq!(missing.kind(), io::ErrorKind::NotFound);
            assert!(!path("new").exists());
        }
    }
}
