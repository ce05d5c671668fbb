//! Temporaries: hidden files and folders that get their final name once they are whole, and vanish otherwise.

use std::fs::{self, File};
use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tempfile::{Builder, NamedTempFile};

use super::no_replace::rename_no_replace;

/// How the name of every temporary begins; folder readers skip such files.
pub const TEMPORARY_PREFIX: &str = ".partdiff-";

/// How long a process that is about to exit waits for files to be removed.
const PATIENCE: Duration = Duration::from_secs(2);

/// The temporaries of this process.
static REGISTRY: Registry = Registry(Mutex::new(Vec::new()));

/// Removes every temporary of this process, as well as possible; for a process about to exit unfinished.
pub fn remove_temporaries() {
    REGISTRY.remove_files();
}

/// A temporary that the registry knows while it lives; dropping it removes the file.
pub(crate) struct Temporary {
    pub(crate) file: NamedTempFile,
    entry: Option<Entry>,
}

impl Temporary {
    /// A new temporary in `folder`, with the permissions of any new file.
    pub(crate) fn new(folder: &Path) -> io::Result<Self> {
        Self::create(folder, &REGISTRY, create)
    }

    fn create(
        folder: &Path,
        registry: &'static Registry,
        mut create: impl FnMut(&Path) -> io::Result<File>,
    ) -> io::Result<Self> {
        let mut entry = None;
        let file = Builder::new().prefix(TEMPORARY_PREFIX).make_in(folder, |path| {
            // Before there is a file, so that none escapes a signal.
            entry = Some(registry.enter(path));
            create(path)
        })?;
        Ok(Self { file, entry })
    }

    /// Gives the file its final name.
    pub(crate) fn persist(self, path: &Path, replace: bool) -> io::Result<()> {
        let Self { file, entry: _entry } = self;
        // After a failure, dropping the temporary removes it.
        if replace {
            file.persist(path).map(drop).map_err(|failure| failure.error)
        } else {
            rename_no_replace(file.path(), path)
        }
    }
}

/// A folder that the registry knows while it lives; dropping it removes it with all that it holds.
pub(crate) struct TemporaryFolder {
    path: PathBuf,
    _entry: Option<Entry>,
}

impl TemporaryFolder {
    /// A new temporary in `parent`, with the permissions of any new folder.
    pub(crate) fn new(parent: &Path) -> io::Result<Self> {
        let mut entry = None;
        let made = Builder::new().prefix(TEMPORARY_PREFIX).make_in(parent, |path| {
            // Before there is a folder, so that none escapes a signal.
            entry = Some(REGISTRY.enter(path));
            fs::create_dir(path)
        })?;
        let path = made.into_temp_path().keep()?;
        Ok(Self { path, _entry: entry })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the folder its final name, which nothing has but perhaps an empty folder.
    pub(crate) fn persist(self, path: &Path) -> io::Result<()> {
        fs::rename(&self.path, path)
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // Not there any more where it has its final name.
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn create(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).create_new(true).open(path)
}

/// Files and folders to remove when a process must leave at once. Nothing that may block is done under the lock.
struct Registry(Mutex<Vec<PathBuf>>);

impl Registry {
    fn enter(&'static self, path: &Path) -> Entry {
        self.paths().push(path.to_path_buf());
        Entry { registry: self, path: path.to_path_buf() }
    }

    /// Removes the files; those on a share that hangs stay.
    fn remove_files(&self) {
        let paths = mem::take(&mut *self.paths());
        let (removing, over) = channel::<()>();
        for path in paths {
            let removing = removing.clone();
            let remove = move || {
                remove(&path);
                drop(removing);
            };
            let _ = thread::Builder::new().spawn(remove);
        }
        drop(removing);
        let _ = over.recv_timeout(PATIENCE);
    }

    fn paths(&self) -> MutexGuard<'_, Vec<PathBuf>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes a file, or a folder with all that it holds, also while something is still written there.
fn remove(path: &Path) {
    const TRIES: usize = 20;
    if fs::remove_file(path).is_err() {
        (0..TRIES).find(|_| fs::remove_dir_all(path).is_ok() || !path.exists());
    }
}

/// A line of the registry, struck out on drop.
struct Entry {
    registry: &'static Registry,
    path: PathBuf,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.registry.paths().retain(|known| *known != self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_leaves_waits_for_no_file_that_is_being_created() {
        static REGISTRY: Registry = Registry(Mutex::new(Vec::new()));
        let folder = tempfile::tempdir().unwrap();
        let there = Temporary::create(folder.path(), &REGISTRY, create).unwrap();
        let (begin, begun) = channel();
        let (release, released) = channel::<()>();
        thread::scope(|scope| {
            scope.spawn(|| {
                Temporary::create(folder.path(), &REGISTRY, move |path| {
                    begin.send(()).unwrap();
                    let _ = released.recv();
                    create(path)
                })
            });
            begun.recv().unwrap();
            REGISTRY.remove_files();
            assert!(!there.file.path().exists());
            drop(release);
        });
    }

    #[test]
    fn the_registry_knows_what_exists() {
        static REGISTRY: Registry = Registry(Mutex::new(Vec::new()));
        let folder = tempfile::tempdir().unwrap();
        let temporary = Temporary::create(folder.path(), &REGISTRY, create).unwrap();
        assert_eq!(*REGISTRY.paths(), [temporary.file.path()]);
        temporary.persist(&folder.path().join("a"), false).unwrap();
        assert!(Temporary::create(&folder.path().join("missing"), &REGISTRY, create).is_err());
        drop(Temporary::create(folder.path(), &REGISTRY, create).unwrap());
        assert!(REGISTRY.paths().is_empty());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
