//! Results into place, originals out of the way.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::batch::naming::numbered;
use crate::fs::atomic_file::sync_folder;
use crate::fs::attributes;
use crate::fs::hash::hash_file;
use crate::fs::no_replace::rename_no_replace;
use crate::fs::temporary::TEMPORARY_PREFIX;
use crate::watch::settings::watch_settings::Collision;

/// How the names of the daemon's temporaries begin; the state folder's number follows.
pub const TEMPORARY: &str = ".partdiff-watch-";

/// Renames a finished temporary; an existing file is replaced only if `replace`, and its extended attributes stay. Returns
/// a warning where they cannot.
///
/// # Errors
/// `AlreadyExists` where the target exists, and as the file system fails; the temporary stays then.
pub fn rename(temporary: &Path, target: &Path, replace: bool) -> io::Result<Option<String>> {
    let lost = if replace {
        let lost = attributes::copy(target, temporary);
        fs::rename(temporary, target)?;
        lost
    } else {
        rename_no_replace(temporary, target)?;
        None
    };
    sync_folder(target);
    Ok(lost)
}

/// A finished temporary, and where it is to go.
#[derive(Debug)]
pub struct Target {
    temporary: PathBuf,
    /// Where it is to go.
    pub path: PathBuf,
    /// Whether a file there is replaced.
    replace: bool,
    /// Whether something is there that stays.
    pub is_taken: bool,
}

impl Target {
    /// What is to become of `temporary` and of what lies at `path`, which may be a result of its own.
    pub fn of(temporary: &Path, path: &Path, collision: Collision, is_own: impl Fn() -> bool) -> Self {
        let found = fs::symlink_metadata(path).ok();
        // A folder cannot be replaced.
        let replace = found.as_ref().is_some_and(|found| !found.is_dir())
            && (collision == Collision::Replace || is_own());
        let is_taken = found.is_some() && !replace;
        Self { temporary: temporary.to_path_buf(), path: path.to_path_buf(), replace, is_taken }
    }
}

/// Renames finished temporaries in their order: the last one stands for all. Where one fails, those before it go back to
/// their temporaries. Returns a warning where attributes are lost.
///
/// # Errors
/// As [`rename`].
pub fn rename_all(targets: &[Target]) -> io::Result<Option<String>> {
    let mut lost = None;
    for (index, Target { temporary, path, replace, .. }) in targets.iter().enumerate() {
        match rename(temporary, path, *replace) {
            Ok(more) => lost = lost.or(more),
            Err(error) => {
                for Target { temporary, path, .. } in &targets[..index] {
                    let _ = fs::rename(path, temporary);
                }
                return Err(error);
            }
        }
    }
    Ok(lost)
}

/// Removes temporaries that an earlier process with the same `mark` left below `folder`.
pub fn sweep(folder: &Path, mark: &str) {
    let prefix = format!("{TEMPORARY}{mark}-");
    for entry in walkdir::WalkDir::new(folder).into_iter().flatten() {
        if entry.file_type().is_file() && entry.file_name().as_encoded_bytes().starts_with(prefix.as_bytes())
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Moves `from` to `folder` under `relative`, with a number where that name is taken. Returns where it went.
///
/// # Errors
/// As the file system fails; `from` stays then.
pub fn move_away(from: &Path, folder: &Path, relative: &Path) -> io::Result<PathBuf> {
    let wanted = folder.join(relative);
    let folder = wanted.parent().unwrap_or(folder);
    fs::create_dir_all(folder)?;
    let rename = |from: &Path| at_free_name(&wanted, |name| rename_no_replace(from, name));
    if let Ok(target) = rename(from) {
        return Ok(target);
    }
    // Another file system: copy, flush, compare, and only then remove.
    let copy = tempfile::Builder::new().prefix(TEMPORARY_PREFIX).tempfile_in(folder)?.into_temp_path();
    fs::copy(from, &copy)?;
    fs::File::open(&copy)?.sync_all()?;
    if hash_file(from)? != hash_file(&copy)? {
        return Err(io::Error::other("the copy differs from the original"));
    }
    let target = rename(&copy)?;
    sync_folder(&target);
    fs::remove_file(from)?;
    Ok(target)
}

/// Calls `make` with `wanted`, or with the first of `wanted-2`, `wanted-3`... that is not taken. Returns that name.
pub fn at_free_name(wanted: &Path, make: impl Fn(&Path) -> io::Result<()>) -> io::Result<PathBuf> {
    let name = wanted.file_name().unwrap_or_default();
    for number in 1..=u32::MAX {
        let target =
            if number == 1 { wanted.to_path_buf() } else { wanted.with_file_name(numbered(name, number)) };
        match make(&target) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            result => return result.map(|()| target),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renaming_never_replaces_unasked() {
        let folder = tempfile::tempdir().unwrap();
        let (temporary, target) = (folder.path().join("t"), folder.path().join("a"));
        fs::write(&temporary, b"new").unwrap();
        fs::write(&target, b"old").unwrap();
        assert_eq!(rename(&temporary, &target, false).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(
            (fs::read(&target).unwrap(), fs::read(&temporary).unwrap()),
            (b"old".into(), b"new".into())
        );
        rename(&temporary, &target, true).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"new");
        assert!(!temporary.exists());
    }

    #[test]
    fn two_files_come_together_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["t1", "t2", "b"] {
            fs::write(path(name), name).unwrap();
        }
        let target = |from: &str, to: &str| Target::of(&path(from), &path(to), Collision::Number, || false);
        assert!(target("t2", "b").is_taken && !target("t1", "a").is_taken);
        // What appeared meanwhile is found by the rename.
        let targets = [target("t1", "a"), target("t2", "b")];
        assert_eq!(rename_all(&targets).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert!(path("t1").exists() && path("t2").exists() && !path("a").exists());
        rename_all(&[target("t1", "a"), target("t2", "c")]).unwrap();
        assert_eq!(
            (fs::read(path("a")).unwrap(), fs::read(path("c")).unwrap()),
            (b"t1".into(), b"t2".into())
        );
    }

    #[test]
    fn only_own_temporaries_are_swept() {
        let folder = tempfile::tempdir().unwrap();
        for name in [".partdiff-watch-abc-1-1", ".partdiff-watch-xyz-1-1", ".partdiff-Q2x", "a.png"] {
            fs::write(folder.path().join(name), b"").unwrap();
        }
        sweep(folder.path(), "abc");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
        assert!(!folder.path().join(".partdiff-watch-abc-1-1").exists());
    }

    #[test]
    fn moving_keeps_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("done");
        for contents in [b"1", b"2"] {
            let from = folder.path().join("a.png");
            fs::write(&from, contents).unwrap();
            move_away(&from, &to, Path::new("sub/a.png")).unwrap();
            assert!(!from.exists());
        }
        assert_eq!(fs::read(to.join("sub/a.png")).unwrap(), b"1");
        assert_eq!(fs::read(to.join("sub/a-2.png")).unwrap(), b"2");
    }

    #[test]
    fn files_that_are_moved_at_the_same_time_keep_out_of_each_others_way() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("done");
        const FILES: usize = 200;
        let move_one = |index: usize| {
            let from = folder.path().join(index.to_string());
            fs::write(&from, index.to_string()).unwrap();
            move_away(&from, &to, Path::new("a.png")).unwrap();
        };
        std::thread::scope(|scope| {
            for thread in 0..4 {
                scope.spawn(move || (thread..FILES).step_by(4).for_each(move_one));
            }
        });
        let mut kept: Vec<usize> = fs::read_dir(&to)
            .unwrap()
            .map(|file| fs::read_to_string(file.unwrap().path()).unwrap().parse().unwrap())
            .collect();
        kept.sort_unstable();
        assert_eq!(kept, Vec::from_iter(0..FILES));
    }

    /// Where the machine has two file systems.
    #[cfg(target_os = "linux")]
    #[test]
    fn moving_to_another_file_system_replaces_nothing() {
        let (here, Ok(there)) = (tempfile::tempdir().unwrap(), tempfile::tempdir_in("/dev/shm")) else {
            return skipped!("no second file system in /dev/shm");
        };
        for contents in [b"1", b"2"] {
            let from = here.path().join("a.png");
            fs::write(&from, contents).unwrap();
            move_away(&from, there.path(), Path::new("a.png")).unwrap();
            assert!(!from.exists());
        }
        assert_eq!(fs::read(there.path().join("a.png")).unwrap(), b"1");
        assert_eq!(fs::read(there.path().join("a-2.png")).unwrap(), b"2");
        assert_eq!(fs::read_dir(there.path()).unwrap().count(), 2);
    }
}
