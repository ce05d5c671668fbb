//! The truth about a watched folder: a walk through all of it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::selection::Selection;
use super::settle::Role;
use super::stamp::Stamp;

/// A file that a walk found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Path below the watched folder.
    pub relative: PathBuf,
    /// What it is.
    pub kind: Kind,
}

/// What is at a path that the selection wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file, or a link to one.
    File(Role, Stamp),
    /// Something with an image's name that is no file: a pipe, a socket, a device.
    Odd,
    /// A folder.
    Folder,
    /// A link to a folder.
    Link,
    /// Nothing that concerns the watch.
    Nothing,
}

/// A folder that belongs to the watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// Its path.
    pub path: PathBuf,
    /// Its identity: made again under the same name, it gets another.
    pub id: (u64, u64),
}

/// What a walk found.
#[derive(Debug, Default)]
pub struct Scan {
    /// Files, in order of names.
    pub files: Vec<Found>,
    /// Folders, the root first.
    pub branches: Vec<Branch>,
    /// Folders that could not be read, with the reason.
    pub unreadable: Vec<(PathBuf, String)>,
}

/// Walks through `root`. Links to folders are not followed, so no loop of links is entered; `skip` are folders
/// of our own inside it.
///
/// # Errors
/// Where `root` itself cannot be read: unmounted, removed, or not allowed.
pub fn scan(root: &Path, recursive: bool, selection: &Selection, skip: &[PathBuf]) -> io::Result<Scan> {
    fs::read_dir(root)?;
    let mut scan = Scan::default();
    let depth = if recursive { usize::MAX } else { 1 };
    let wanted = |entry: &walkdir::DirEntry| {
        entry.depth() == 0
            || !entry.file_type().is_dir()
            || recursive
                && selection.enters(relative(root, entry.path()))
                && !skip.iter().any(|own| own == entry.path())
    };
    for entry in WalkDir::new(root).max_depth(depth).sort_by_file_name().into_iter().filter_entry(wanted) {
        match entry {
            Ok(entry) if entry.file_type().is_dir() => {
                let id = entry.metadata().map(|data| identity(&data)).unwrap_or_default();
                scan.branches.push(Branch { path: entry.into_path(), id });
            }
            Ok(entry) => {
                let relative = relative(root, entry.path()).to_path_buf();
                let kind = look(root, &relative, selection);
                if !matches!(kind, Kind::Nothing | Kind::Folder) {
                    scan.files.push(Found { relative, kind });
                }
            }
            Err(error) => {
                let path = error.path().unwrap_or(root).to_path_buf();
                // What vanished during the walk is simply not there.
                if error.io_error().is_none_or(|error| error.kind() != io::ErrorKind::NotFound) {
                    scan.unreadable.push((path, error.to_string()));
                }
            }
        }
    }
    Ok(scan)
}

/// What is at `relative` below `root` now.
pub fn look(root: &Path, relative: &Path, selection: &Selection) -> Kind {
    let path = root.join(relative);
    let Ok(own) = fs::symlink_metadata(&path) else { return Kind::Nothing };
    if own.is_dir() {
        return Kind::Folder;
    }
    // A link whose target is missing may get one.
    let Ok(data) = (if own.is_symlink() { fs::metadata(&path) } else { Ok(own) }) else {
        return Kind::Nothing;
    };
    if data.is_dir() {
        return if selection.enters(relative) { Kind::Link } else { Kind::Nothing };
    }
    match selection.role(relative) {
        Some(role) if data.is_file() => Kind::File(role, Stamp::of(&data)),
        Some(Role::Image) => Kind::Odd,
        _ => Kind::Nothing,
    }
}

/// Why something that users may take for an input is left alone; `None` for what is taken or plainly is no image.
pub fn left_alone(kind: Kind, relative: &Path, selection: &Selection, recursive: bool) -> Option<String> {
    match kind {
        Kind::Odd => Some("not an ordinary file".into()),
        Kind::Link if recursive => Some("a link to a folder is not followed".into()),
        Kind::File(Role::Companion, _) => selection.unreadable(relative),
        _ => None,
    }
}

fn relative<'a>(root: &Path, path: &'a Path) -> &'a Path {
    path.strip_prefix(root).unwrap_or(path)
}

/// Device and number of a file; zeros where the platform has none.
pub fn identity(data: &fs::Metadata) -> (u64, u64) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        (data.dev(), data.ino())
    }
    #[cfg(not(unix))]
    {
        let _ = data;
        (0, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(names: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for name in names {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"x").unwrap();
        }
        root
    }

    fn names(scan: &Scan) -> Vec<&str> {
        scan.files.iter().map(|found| found.relative.to_str().unwrap()).collect()
    }

    #[test]
    fn walks_what_is_wanted() {
        let root = tree(&["b.png", "a.jpg", "t.txt", "s/c.png", "s/skip/d.png", "own/e.png", ".h/f.png"]);
        let selection = Selection::new(&[], &["skip".into()]).unwrap();
        let own = [root.path().join("own")];
        let deep = scan(root.path(), true, &selection, &own).unwrap();
        assert_eq!(names(&deep), ["a.jpg", "b.png", "s/c.png"]);
        assert_eq!(deep.branches.len(), 2);
        let flat = scan(root.path(), false, &selection, &own).unwrap();
        assert_eq!(names(&flat), ["a.jpg", "b.png"]);
        assert_eq!(flat.branches.len(), 1);
        assert!(scan(&root.path().join("none"), true, &selection, &[]).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn links_and_pipes() {
        use std::os::unix::fs::symlink;
        let root = tree(&["in/a.png", "in/sub/b.png"]);
        let folder = root.path().join("in");
        symlink(&folder, folder.join("sub/up")).unwrap();
        symlink("a.png", folder.join("link.png")).unwrap();
        symlink("gone.png", folder.join("broken.png")).unwrap();
        symlink("round.png", folder.join("round.png")).unwrap();
        symlink("sub", folder.join("folder.png")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(folder.join("socket.png")).unwrap();
        let selection = Selection::new(&[], &[]).unwrap();
        let scan = scan(&folder, true, &selection, &[]).unwrap();
        assert_eq!(names(&scan), ["a.png", "folder.png", "link.png", "socket.png", "sub/b.png", "sub/up"]);
        assert_eq!(scan.files[1].kind, Kind::Link);
        assert_eq!(scan.files[3].kind, Kind::Odd);
        assert_eq!(scan.files[5].kind, Kind::Link);
        assert!(scan.unreadable.is_empty());
    }
}
