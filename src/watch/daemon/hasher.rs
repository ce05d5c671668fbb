//! Hashes of complete files.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use super::background::Background;
use crate::watch::source::stamp::Stamp;

/// A file that was read.
#[derive(Debug)]
pub struct Hashed {
    /// Path below the watched folder.
    pub path: PathBuf,
    /// The stamp it was to be read with.
    pub stamp: Stamp,
    /// Its hash, or why it cannot be read.
    pub hash: io::Result<String>,
}

/// Hashes the files of one watched folder, one after the other, in the background.
#[derive(Debug)]
pub struct Hasher {
    background: Background<(PathBuf, Stamp), Hashed>,
    pending: HashMap<PathBuf, Stamp>,
}

impl Hasher {
    /// A hasher of files below `root` by `hash`; `announce` is called as by [`Background::new`].
    pub fn new(
        root: PathBuf,
        hash: impl Fn(&Path) -> io::Result<String> + Send + 'static,
        announce: impl Fn() + Send + 'static,
    ) -> Self {
        let work = move |(path, stamp)| {
            let hash = hash(&root.join(&path));
            Hashed { path, stamp, hash }
        };
        Self { background: Background::new(work, announce), pending: HashMap::new() }
    }

    /// Has the file at `path`, which has `stamp`, hashed.
    pub fn request(&mut self, path: PathBuf, stamp: Stamp) {
        if self.pending.insert(path.clone(), stamp) != Some(stamp) {
            self.background.start((path, stamp));
        }
    }

    /// Whether the file at `path` is being hashed with that stamp.
    pub fn is_pending(&self, path: &Path, stamp: Stamp) -> bool {
        self.pending.get(path) == Some(&stamp)
    }

    /// Files that are being hashed.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// The hash of `path` is not wanted any more.
    pub fn forget(&mut self, path: &Path) {
        self.pending.remove(path);
    }

    /// What was hashed and is still wanted.
    pub fn take(&mut self) -> Vec<Hashed> {
        let pending = &mut self.pending;
        let wanted = |hashed: &Hashed| {
            pending.get(&hashed.path) == Some(&hashed.stamp) && pending.remove(&hashed.path).is_some()
        };
        self.background.take().into_iter().filter(wanted).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    fn size(len: u64) -> Stamp {
        Stamp { len, ..Stamp::default() }
    }

    /// A hasher whose files take until the sender says so, and where it announces.
    fn blocked() -> (Hasher, Sender<()>, Receiver<()>) {
        let (release, released) = channel();
        let (announce, announced) = channel();
        let hash = move |path: &Path| {
            released.recv().map_err(io::Error::other)?;
            Ok(path.display().to_string())
        };
        (Hasher::new("in".into(), hash, move || _ = announce.send(())), release, announced)
    }

    #[test]
    fn each_version_is_hashed_once_and_only_the_last_one_counts() {
        let (mut hasher, release, announced) = blocked();
        for (path, len) in [("a", 1), ("a", 1), ("a", 2), ("b", 1), ("gone", 1), ("last", 1)] {
            hasher.request(path.into(), size(len));
        }
        assert!(hasher.is_pending(Path::new("a"), size(2)) && !hasher.is_pending(Path::new("a"), size(1)));
        hasher.forget(Path::new("gone"));
        (0..5).for_each(|_| release.send(()).unwrap());
        let mut hashed = Vec::new();
        while hasher.pending() > 0 {
            announced.recv().unwrap();
            hashed.extend(hasher.take().into_iter().map(|file| (file.hash.unwrap(), file.stamp.len)));
        }
        assert_eq!(hashed, [("in/a".into(), 2), ("in/b".into(), 1), ("in/last".into(), 1)]);
    }
}
