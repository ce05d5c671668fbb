//! Hashes of complete files, made on a thread of its own: a share that hangs holds up nothing else.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use super::stamp::Stamp;

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

/// Hashes the files of one watched folder, one after the other.
#[derive(Debug)]
pub struct Hasher {
    requests: Sender<(PathBuf, Stamp)>,
    results: Receiver<Hashed>,
    pending: HashMap<PathBuf, Stamp>,
    announced: Arc<AtomicBool>,
}

impl Hasher {
    /// A hasher of files below `root` by `hash`. Calls `announce` from its thread when there is something to
    /// [`take`](Self::take), once until it is taken.
    pub fn new(
        root: PathBuf,
        hash: impl Fn(&Path) -> io::Result<String> + Send + 'static,
        announce: impl Fn() + Send + 'static,
    ) -> Self {
        let (requests, wanted) = channel::<(PathBuf, Stamp)>();
        let (done, results) = channel();
        let announced = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&announced);
        // Never joined: it may be in a read that does not return.
        thread::spawn(move || {
            for (path, stamp) in wanted {
                let hash = hash(&root.join(&path));
                if done.send(Hashed { path, stamp, hash }).is_err() {
                    return;
                }
                if !flag.swap(true, Ordering::SeqCst) {
                    announce();
                }
            }
        });
        Self { requests, results, pending: HashMap::new(), announced }
    }

    /// Has the file at `path`, which has `stamp`, hashed.
    pub fn request(&mut self, path: PathBuf, stamp: Stamp) {
        if self.pending.insert(path.clone(), stamp) != Some(stamp) {
            let _ = self.requests.send((path, stamp));
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
        self.announced.store(false, Ordering::SeqCst);
        let pending = &mut self.pending;
        let wanted = |hashed: &Hashed| {
            pending.get(&hashed.path) == Some(&hashed.stamp) && pending.remove(&hashed.path).is_some()
        };
        self.results.try_iter().filter(wanted).collect()
    }
}

#[cfg(test)]
mod tests {
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
    fn a_read_that_blocks_holds_up_nobody() {
        let (mut hasher, release, announced) = blocked();
        hasher.request("a.png".into(), size(1));
        assert!(hasher.take().is_empty());
        assert!(hasher.is_pending(Path::new("a.png"), size(1)) && hasher.pending() == 1);
        release.send(()).unwrap();
        announced.recv().unwrap();
        let hashed = hasher.take().pop().unwrap();
        assert_eq!(
            (hashed.path, hashed.stamp, hashed.hash.unwrap()),
            ("a.png".into(), size(1), "in/a.png".into())
        );
        assert_eq!(hasher.pending(), 0);
    }

    #[test]
    fn each_version_is_hashed_once_and_only_the_last_one_counts() {
        let (mut hasher, release, announced) = blocked();
        for (path, len) in [("a", 1), ("a", 1), ("a", 2), ("b", 1), ("gone", 1), ("last", 1)] {
            hasher.request(path.into(), size(len));
        }
        hasher.forget(Path::new("gone"));
        (0..5).for_each(|_| release.send(()).unwrap());
        let mut hashed = Vec::new();
        while hasher.pending() > 0 {
            announced.recv().unwrap();
            hashed.extend(hasher.take().into_iter().map(|file| (file.path, file.stamp.len)));
        }
        assert_eq!(hashed, [("a".into(), 2), ("b".into(), 1), ("last".into(), 1)]);
    }
}
