//! Files that appear whole or not at all: a hidden temporary beside the target, flushed, then renamed.

use std::fs::{self, File, Permissions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::attributes;
use super::folder::folder_of;
use super::temporary::Temporary;
use crate::error::{Error, ErrorKind, Result};

/// Writes `path` so that a crash leaves either the old state or the new one; `fill` writes the contents.
///
/// An existing file is replaced only if `replace`; else it is an error, also when it appeared a moment ago. The new file
/// has the permissions and extended attributes of the one that it replaces, and where `path` is a link, the file that it
/// leads to is replaced.
///
/// Returns what `fill` does, and a warning where attributes are lost.
///
/// # Errors
/// What `fill` returns; `Output`, naming `path`, when the folder is missing or read-only, the disk is full, or the
/// file exists.
pub fn write_with<T>(
    path: &Path,
    replace: bool,
    fill: impl FnOnce(&mut BufWriter<&File>) -> Result<T>,
) -> Result<(T, Option<String>)> {
    let end = if replace { end_of_links(path) } else { None };
    let path = end.as_deref().unwrap_or(path);
    let (temporary, value) = filled(path, fill)?;
    let mut lost = None;
    if replace && let Ok(old) = fs::metadata(path) {
        lost = take_after(&temporary, path, old.permissions())?;
    }
    temporary.persist(path, replace).map_err(|error| {
        if error.kind() == std::io::ErrorKind::AlreadyExists {
            Error::new(ErrorKind::Output, format!("{} exists already", path.display()))
        } else {
            cannot_write(path, error)
        }
    })?;
    sync_folder(path);
    Ok((value, lost))
}

/// Replaces the file at `path` as [`write_with`] does, with its permissions, keeping the old one as `backup` if that is
/// given. At every instant `path` is either the old file or the new one, and it is the new one only once the backup
/// stands. `unchanged` is asked at the last moment whether the old file may still be replaced.
///
/// # Errors
/// What `fill` and `unchanged` return; `Output` as [`write_with`], or where `backup` exists already.
pub fn replace_with<T>(
    path: &Path,
    backup: Option<&Path>,
    unchanged: impl FnOnce() -> Result<()>,
    fill: impl FnOnce(&mut BufWriter<&File>) -> Result<T>,
) -> Result<(T, Option<String>)> {
    let end = end_of_links(path);
    let path = end.as_deref().unwrap_or(path);
    let fail = |error: std::io::Error| cannot_write(path, error);
    let (temporary, value) = filled(path, fill)?;
    let permissions = fs::metadata(path).map_err(fail)?.permissions();
    let lost = take_after(&temporary, path, permissions)?;
    unchanged()?;
    if let Some(backup) = backup {
        keep(path, backup).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                Error::new(ErrorKind::Output, format!("the backup {} exists already", backup.display()))
            }
            _ => cannot_write(backup, error),
        })?;
        sync_folder(path);
    }
    temporary.persist(path, true).map_err(|error| {
        if let Some(backup) = backup {
            let _ = fs::remove_file(backup);
        }
        cannot_write(path, error)
    })?;
    sync_folder(path);
    Ok((value, lost))
}

/// Gives `temporary` the extended attributes and `permissions` of the file at `path`, which it is to replace. Returns a
/// warning where attributes are lost.
fn take_after(temporary: &Temporary, path: &Path, permissions: Permissions) -> Result<Option<String>> {
    // Before it may become read-only.
    let lost = attributes::copy(path, temporary.file.path());
    temporary.file.as_file().set_permissions(permissions).map_err(|error| cannot_write(path, error))?;
    Ok(lost)
}

/// The file that `path` leads to, if it is a link to one that exists.
fn end_of_links(path: &Path) -> Option<PathBuf> {
    fs::symlink_metadata(path).ok()?.is_symlink().then(|| fs::canonicalize(path).ok()).flatten()
}

/// A flushed temporary beside `path` with the contents that `fill` writes.
fn filled<T>(path: &Path, fill: impl FnOnce(&mut BufWriter<&File>) -> Result<T>) -> Result<(Temporary, T)> {
    let fail = |error: std::io::Error| cannot_write(path, error);
    let temporary = Temporary::new(folder_of(path)).map_err(fail)?;
    let mut writer = BufWriter::new(temporary.file.as_file());
    let value = fill(&mut writer)?;
    writer.flush().map_err(fail)?;
    drop(writer);
    temporary.file.as_file().sync_all().map_err(fail)?;
    Ok((temporary, value))
}

/// A second name for the file at `path`, or a copy where the file system has no such thing; never over another file.
fn keep(path: &Path, backup: &Path) -> std::io::Result<()> {
    match fs::hard_link(path, backup) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            let temporary = Temporary::new(folder_of(backup))?;
            fs::copy(path, temporary.file.path())?;
            temporary.file.as_file().sync_all()?;
            temporary.persist(backup, false)
        }
        result => result,
    }
}

/// A rename reaches the disk with its folder. Not every file system can flush a folder.
pub(crate) fn sync_folder(path: &Path) {
    #[cfg(unix)]
    if let Ok(folder) = File::open(folder_of(path)) {
        let _ = folder.sync_all();
    }
    let _ = path;
}

/// Writes `bytes` as [`write_with`] does.
///
/// # Errors
/// As [`write_with`].
pub fn write(path: &Path, bytes: &[u8], replace: bool) -> Result<()> {
    write_with(path, replace, |file| file.write_all(bytes).map_err(|error| cannot_write(path, error)))
        .map(drop)
}

/// Proves that a file can be made for `path`, before long work is spent on it; nothing stays behind.
///
/// Missing parent folders are allowed if the nearest folder that exists takes files.
///
/// # Errors
/// `Output`, naming `path`.
pub fn check_writable(path: &Path) -> Result<()> {
    let mut folder = folder_of(path);
    loop {
        match fs::metadata(folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => match folder.parent() {
                Some(parent) if parent.as_os_str().is_empty() => folder = Path::new("."),
                Some(parent) => folder = parent,
                None => return Err(cannot_write(path, error)),
            },
            Err(error) => return Err(cannot_write(path, error)),
            Ok(data) if !data.is_dir() => {
                let message =
                    format!("cannot write {}: {} is not a folder", path.display(), folder.display());
                return Err(Error::new(ErrorKind::Output, message));
            }
            Ok(_) => {
                return Temporary::new(folder).map(drop).map_err(|error| cannot_write(path, error));
            }
        }
    }
}

pub(super) fn cannot_write(path: &Path, error: std::io::Error) -> Error {
    // `tempfile` appends the temporary's name, which would only confuse.
    let error = match error.to_string().split_once(" at path ") {
        Some((reason, _)) => std::io::Error::new(error.kind(), reason),
        None => error,
    };
    Error::with_source(ErrorKind::Output, format!("cannot write {}", path.display()), error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::temporary::TEMPORARY_PREFIX;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn writes_and_replaces_only_when_asked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        write(&path, b"one", false).unwrap();
        let error = write(&path, b"two", false).unwrap_err();
        assert!(error.report().ends_with("a.png exists already"), "{}", error.report());
        assert_eq!(fs::read(&path).unwrap(), b"one");
        write(&path, b"two", true).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(names(folder.path()), ["a.png"]);
    }

    #[test]
    fn a_replaced_file_leaves_its_backup_and_its_permissions() {
        let folder = tempfile::tempdir().unwrap();
        let (path, backup) = (folder.path().join("a.png"), folder.path().join("a.png.orig"));
        fs::write(&path, b"old").unwrap();
        #[cfg(unix)]
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
        let replace = |backup: Option<&Path>, unchanged: Result<()>| {
            replace_with(
                &path,
                backup,
                || unchanged,
                |file| file.write_all(b"new").map_err(|error| cannot_write(&path, error)),
            )
        };
        let refused = replace(Some(&backup), Err(Error::new(ErrorKind::Input, "it changed")));
        assert!(refused.unwrap_err().to_string().contains("it changed"));
        assert_eq!(names(folder.path()), ["a.png"]);
        replace(Some(&backup), Ok(())).unwrap();
        assert_eq!((fs::read(&path).unwrap(), fs::read(&backup).unwrap()), (b"new".into(), b"old".into()));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        }
        // Never over another backup, and then the file stays as it is.
        fs::write(&path, b"newer").unwrap();
        let error = replace(Some(&backup), Ok(())).unwrap_err();
        assert!(error.to_string().ends_with("a.png.orig exists already"), "{error}");
        assert_eq!((fs::read(&path).unwrap(), fs::read(&backup).unwrap()), (b"newer".into(), b"old".into()));
        replace(None, Ok(())).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(folder.path()), ["a.png", "a.png.orig"]);
    }

    #[test]
    fn an_unusable_target_is_named_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), b"").unwrap();
        let below_file = folder.path().join("file/a.png");
        for error in [write(&below_file, b"x", true).unwrap_err(), check_writable(&below_file).unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::Output);
            assert!(error.report().contains("file/a.png"), "{}", error.report());
            assert!(!error.report().contains(TEMPORARY_PREFIX), "{}", error.report());
        }
        // A folder in the way of the final rename.
        fs::create_dir(folder.path().join("dir")).unwrap();
        assert!(write(&folder.path().join("dir"), b"x", true).is_err());
        assert_eq!(names(folder.path()), ["dir", "file"]);
    }

    #[test]
    fn a_folder_still_to_be_made_is_writable_if_its_ancestor_is() {
        let folder = tempfile::tempdir().unwrap();
        check_writable(&folder.path().join("new/deeper/a.png")).unwrap();
        assert!(names(folder.path()).is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn what_is_replaced_keeps_its_permissions_and_its_links() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("a.png"), folder.path().join("b.png"));
        fs::write(&file, b"old").unwrap();
        symlink("a.png", &link).unwrap();
        for mode in [0o600, 0o444] {
            fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
            write(&file, b"new", true).unwrap();
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, mode);
        }
        write(&link, b"newer", true).unwrap();
        replace_with(
            &link,
            None,
            || Ok(()),
            |out| out.write_all(b"newest").map_err(|e| cannot_write(&link, e)),
        )
        .unwrap();
        assert_eq!(
            (fs::read(&file).unwrap(), fs::read_link(&link).unwrap()),
            (b"newest".into(), "a.png".into())
        );
        // A link to nothing is a name like any other.
        symlink("nowhere", folder.path().join("c.png")).unwrap();
        write(&folder.path().join("c.png"), b"x", true).unwrap();
        assert_eq!(names(folder.path()), ["a.png", "b.png", "c.png"]);
    }

    #[cfg(unix)]
    #[test]
    fn permissions_are_those_of_an_ordinary_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (ours, ordinary) = (folder.path().join("a"), folder.path().join("b"));
        write(&ours, b"x", false).unwrap();
        fs::write(&ordinary, b"x").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&ordinary));
    }
}
