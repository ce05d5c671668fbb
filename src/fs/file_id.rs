//! Whether two paths are the same file, whatever links lie between.
//!
//! Not by the crate `same-file`: its handles keep every file open, and a folder of inputs may hold more files than a
//! process may open.

use std::path::{Path, PathBuf};

/// Identity of an existing file or folder.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FileId {
    /// Device and inode: also the same for hard links.
    #[cfg(unix)]
    Inode(u64, u64),
    /// The path with all links resolved.
    #[cfg(not(unix))]
    Path(PathBuf),
}

impl FileId {
    /// The identity of what is at `path`; `None` where nothing is.
    pub fn of(path: &Path) -> Option<Self> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            std::fs::metadata(path).ok().map(|data| Self::Inode(data.dev(), data.ino()))
        }
        #[cfg(not(unix))]
        {
            path.canonicalize().ok().map(Self::Path)
        }
    }
}

/// `path` with its folder's links resolved, so that one target spelt in two ways compares equal.
///
/// The target itself need not exist.
pub fn resolved(path: &Path) -> PathBuf {
    let mut missing = Vec::new();
    let mut folder = path.parent();
    while let Some(parent) = folder {
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        if let Ok(base) = parent.canonicalize() {
            let tail = missing.iter().rev().copied().chain(path.file_name());
            return tail.fold(base, |whole, part| whole.join(part));
        }
        missing.push(parent.file_name().unwrap_or_default());
        folder = parent.parent();
    }
    path.to_path_buf()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_target_agree() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("a")).unwrap();
        let plain = resolved(&folder.path().join("a/new/x.png"));
        assert_eq!(plain, resolved(&folder.path().join("a/../a/new/x.png")));
        assert!(plain.ends_with("a/new/x.png"));
        assert_ne!(plain, resolved(&folder.path().join("a/x.png")));
    }

    #[cfg(unix)]
    #[test]
    fn hard_links_are_the_same_file() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        std::fs::write(&a, b"").unwrap();
        std::fs::hard_link(&a, &b).unwrap();
        assert_eq!(FileId::of(&a), FileId::of(&b));
        assert_eq!(FileId::of(&folder.path().join("c")), None);
    }
}
