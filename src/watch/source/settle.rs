//! When is a file complete? A pure state machine: stamps and times go in, complete files come out.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::stamp::Stamp;
use crate::volume::nifti::{name_means_packed, without_gz};

/// How long to wait after a file was closed or moved in: some writers open it again at once to append.
const GRACE: Duration = Duration::from_millis(300);

/// How a file came to notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// It was found, or changed.
    Found,
    /// Its writer closed it, or it was moved in.
    Complete,
}

/// What a file is to its stem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// An image, released when complete.
    Image,
    /// A file that belongs to an image (`a.xmp` to `a.jpg`): the image waits for it, it is never released.
    Companion,
}

#[derive(Debug)]
struct Pending {
    stamp: Stamp,
    role: Role,
    stem: PathBuf,
    /// When to look again; `None` while nothing but a change matters.
    due: Option<Duration>,
    quiet: bool,
    postponed: bool,
}

/// Files that are watched until they stay the same.
///
/// Times are durations since any fixed moment. An empty file is a placeholder and waits for its contents without
/// end. Files of one stem wait for each other, so that an image and its sidecar go together.
#[derive(Debug)]
pub struct Settler {
    settle: Duration,
    pending: BTreeMap<PathBuf, Pending>,
    due: BTreeSet<(Duration, PathBuf)>,
    stems: HashMap<PathBuf, BTreeSet<PathBuf>>,
}

impl Settler {
    /// A machine that takes a file after `settle` without a change.
    pub fn new(settle: Duration) -> Self {
        Self { settle, pending: BTreeMap::new(), due: BTreeSet::new(), stems: HashMap::new() }
    }

    /// Files that are waited for.
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// Whether nothing is waited for.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Images with contents that are waited for: those that time or their writer will complete, without those that
    /// cannot be read.
    pub fn growing(&self) -> usize {
        let grows = |file: &&Pending| file.role == Role::Image && file.stamp.len > 0 && !file.postponed;
        self.pending.values().filter(grows).count()
    }

    /// `path` was seen with `stamp` at `now`.
    pub fn observe(&mut self, path: &Path, stamp: Stamp, sign: Sign, role: Role, now: Duration) {
        let wait = if sign == Sign::Complete { GRACE.min(self.settle) } else { self.settle };
        if let Some(file) = self.pending.get(path) {
            // Finding the same again tells nothing new; a late event about it must not shorten the wait for others.
            if file.stamp == stamp && sign == Sign::Found {
                return;
            }
        }
        let stem = stem(path, role);
        self.stems.entry(stem.clone()).or_default().insert(path.to_path_buf());
        self.set_due(path, None);
        let file = Pending { stamp, role, stem, due: None, quiet: false, postponed: false };
        self.pending.insert(path.to_path_buf(), file);
        if stamp.len > 0 || role == Role::Companion {
            self.set_due(path, Some(now + wait));
        }
    }

    /// `path` cannot be read now; look at it again at `until`.
    pub fn postpone(&mut self, path: &Path, stamp: Stamp, until: Duration) {
        self.observe(path, stamp, Sign::Complete, Role::Image, until);
        self.set_due(path, Some(until));
        if let Some(file) = self.pending.get_mut(path) {
            file.postponed = true;
        }
    }

    /// Whether `path`, which has `stamp`, was postponed.
    pub fn is_postponed(&self, path: &Path, stamp: Stamp) -> bool {
        self.pending.get(path).is_some_and(|file| file.postponed && file.stamp == stamp)
    }

    /// `path` is gone.
    pub fn forget(&mut self, path: &Path) {
        self.set_due(path, None);
        if let Some(file) = self.pending.remove(path)
            && let Some(members) = self.stems.get_mut(&file.stem)
        {
            members.remove(path);
            if members.is_empty() {
                self.stems.remove(&file.stem);
            }
        }
    }

    /// When the next file has to be looked at.
    pub fn next_look(&self) -> Option<Duration> {
        self.due.first().map(|(time, _)| *time)
    }

    /// The files to look at, at `now`, at most `limit`; each must be given to [`confirm`](Self::confirm) or
    /// [`forget`](Self::forget).
    pub fn due(&self, now: Duration, limit: usize) -> Vec<PathBuf> {
        let due = self.due.iter().take_while(|(time, _)| *time <= now);
        due.take(limit).map(|(_, path)| path.clone()).collect()
    }

    /// `path`, which was due, has `stamp` at `now`. Gives the images that are complete, with their stamps.
    pub fn confirm(&mut self, path: &Path, stamp: Stamp, now: Duration) -> Vec<(PathBuf, Stamp)> {
        let Some(file) = self.pending.get_mut(path) else { return Vec::new() };
        if file.stamp != stamp {
            let role = file.role;
            self.observe(path, stamp, Sign::Found, role, now);
            return Vec::new();
        }
        file.quiet = true;
        let stem = file.stem.clone();
        self.set_due(path, None);
        let members = &self.stems[&stem];
        let waits = |member: &PathBuf| {
            let file = &self.pending[member];
            // A placeholder may stay empty for ever; its siblings do not wait for it.
            !file.quiet && file.stamp.len > 0
        };
        if members.iter().any(waits) {
            return Vec::new();
        }
        let released: Vec<PathBuf> =
            members.iter().filter(|member| self.pending[*member].quiet).cloned().collect();
        let mut images = Vec::new();
        for member in released {
            let file = &self.pending[&member];
            if file.role == Role::Image {
                images.push((member.clone(), file.stamp));
            }
            self.forget(&member);
        }
        images
    }

    fn set_due(&mut self, path: &Path, due: Option<Duration>) {
        let Some(file) = self.pending.get_mut(path) else { return };
        if let Some(time) = file.due.take() {
            self.due.remove(&(time, path.to_path_buf()));
        }
        if let Some(time) = due {
            self.due.insert((time, path.to_path_buf()));
            file.due = Some(time);
        }
    }
}

/// What files that belong together share. Sidecars are called `a.xmp` or `a.jpg.xmp`.
fn stem(path: &Path, role: Role) -> PathBuf {
    // The extension of a volume may have two parts.
    let is_volume = name_means_packed(path).is_some();
    let path = if is_volume { without_gz(path) } else { path.to_path_buf() };
    let stem = path.with_extension("");
    let inner = stem.extension().and_then(|ext| ext.to_str());
    if role == Role::Companion && inner.is_some_and(super::selection::is_image_extension) {
        return stem.with_extension("");
    }
    stem
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn size(len: u64) -> Stamp {
        Stamp { len, ..Stamp::default() }
    }

    /// A file system of sizes, and a machine with a settle time of 2 s that looks at it.
    struct World {
        files: BTreeMap<PathBuf, u64>,
        settler: Settler,
    }

    impl World {
        fn new() -> Self {
            Self { files: BTreeMap::new(), settler: Settler::new(at(2.0)) }
        }

        fn write(&mut self, path: &str, len: u64, sign: Sign, time: f64) {
            self.files.insert(path.into(), len);
            let role = if path.ends_with(".xmp") { Role::Companion } else { Role::Image };
            self.settler.observe(Path::new(path), size(len), sign, role, at(time));
        }

        fn look(&mut self, time: f64) -> Vec<String> {
            let mut complete = Vec::new();
            for path in self.settler.due(at(time), 99) {
                let stamp = size(self.files[&path]);
                complete.extend(self.settler.confirm(&path, stamp, at(time)));
            }
            complete.into_iter().map(|(path, _)| path.to_str().unwrap().to_string()).collect()
        }
    }

    #[test]
    fn a_quiet_file_is_taken_once() {
        let mut world = World::new();
        world.write("a.png", 5, Sign::Found, 0.0);
        assert_eq!(world.settler.next_look(), Some(at(2.0)));
        assert!(world.look(1.9).is_empty());
        assert_eq!(world.look(2.0), ["a.png"]);
        assert!(world.look(9.0).is_empty());
        assert!(world.settler.is_empty() && world.settler.next_look().is_none());
    }

    #[test]
    fn a_slow_copy_is_waited_for() {
        let mut world = World::new();
        for second in 0..10 {
            world.write("a.png", 1 + second, Sign::Found, second as f64);
            assert!(world.look(second as f64 + 0.9).is_empty());
        }
        // Growth without any event is noticed at the look.
        world.files.insert("a.png".into(), 99);
        assert!(world.look(11.0).is_empty());
        assert!(world.look(12.9).is_empty());
        assert_eq!(world.look(13.0), ["a.png"]);
    }

    #[test]
    fn repeated_findings_do_not_delay() {
        let mut world = World::new();
        for tenth in 0..20 {
            world.write("a.png", 5, Sign::Found, f64::from(tenth) * 0.1);
        }
        assert_eq!(world.look(2.0), ["a.png"]);
    }

    #[test]
    fn closing_shortens_the_wait_but_appending_lengthens_it() {
        let mut world = World::new();
        world.write("a.png", 5, Sign::Found, 0.0);
        world.write("a.png", 5, Sign::Complete, 0.5);
        assert_eq!(world.look(0.8), ["a.png"]);
        world.write("b.tif", 5, Sign::Complete, 1.0);
        world.write("b.tif", 9, Sign::Found, 1.1);
        assert!(world.look(3.0).is_empty());
        assert_eq!(world.look(3.1), ["b.tif"]);
    }

    #[test]
    fn placeholders_wait_without_end_and_are_not_lost() {
        let mut world = World::new();
        world.write("a.png", 0, Sign::Complete, 0.0);
        assert_eq!(world.settler.next_look(), None);
        assert!(world.look(1e6).is_empty());
        assert_eq!((world.settler.len(), world.settler.growing()), (1, 0));
        world.write("a.png", 7, Sign::Found, 1e6);
        assert_eq!(world.settler.growing(), 1);
        assert_eq!(world.look(1e6 + 2.0), ["a.png"]);
    }

    #[test]
    fn what_is_postponed_grows_only_once_it_changes() {
        let mut world = World::new();
        world.write("a.png", 5, Sign::Found, 0.0);
        world.settler.postpone(Path::new("a.png"), size(5), at(60.0));
        world.write("a.png", 5, Sign::Found, 1.0);
        assert!(world.settler.is_postponed(Path::new("a.png"), size(5)));
        assert_eq!((world.settler.len(), world.settler.growing()), (1, 0));
        world.write("a.png", 6, Sign::Found, 2.0);
        assert!(!world.settler.is_postponed(Path::new("a.png"), size(6)));
        assert_eq!(world.settler.growing(), 1);
        assert_eq!(world.look(4.0), ["a.png"]);
    }

    #[test]
    fn stems_settle_together() {
        let mut world = World::new();
        world.write("d/a.jpg", 5, Sign::Complete, 0.0);
        world.write("d/a.jpg.xmp", 1, Sign::Found, 0.1);
        world.write("d/a.tif", 5, Sign::Found, 1.0);
        world.write("e/a.jpg", 5, Sign::Complete, 0.0);
        assert_eq!(world.look(0.5), ["e/a.jpg"]);
        world.write("d/a.jpg.xmp", 2, Sign::Found, 2.0);
        assert!(world.look(3.9).is_empty());
        assert_eq!(world.look(4.0), ["d/a.jpg", "d/a.tif"]);
        // A sidecar alone leaves nothing behind.
        world.write("d/b.xmp", 1, Sign::Found, 5.0);
        assert!(world.look(7.0).is_empty());
        assert!(world.settler.is_empty() && world.settler.stems.is_empty());
    }

    #[test]
    fn an_empty_sibling_holds_nothing_up() {
        let mut world = World::new();
        world.write("a.jpg", 0, Sign::Found, 0.0);
        world.write("a.png", 5, Sign::Found, 0.0);
        assert_eq!(world.look(2.0), ["a.png"]);
        world.write("a.jpg", 5, Sign::Complete, 3.0);
        assert_eq!(world.look(4.0), ["a.jpg"]);
    }

    #[test]
    fn what_is_gone_is_forgotten_and_frees_its_siblings_later() {
        let mut world = World::new();
        world.write("a.jpg", 5, Sign::Found, 0.0);
        world.settler.forget(Path::new("a.jpg"));
        assert!(world.settler.is_empty() && world.look(9.0).is_empty());
        world.settler.postpone(Path::new("a.jpg"), size(5), at(60.0));
        assert!(world.look(59.0).is_empty());
        assert_eq!(world.look(60.0), ["a.jpg"]);
    }
}
