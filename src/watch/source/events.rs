//! Hints, mostly from the kernel, about what changed. They may be lost, late or wrong; the walk is the truth.

use std::collections::HashMap;
use std::path::PathBuf;

use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind, RenameMode};
use notify::{Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::scan::Branch;
use super::settle::Sign;

/// What there is to do for a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// Look at this path.
    Look(PathBuf, Sign),
    /// Walk through the folder.
    Scan,
    /// Take what was done in the background.
    Take,
}

/// Watches on the folders of one tree, each by itself: so excluded folders cost nothing, and a folder that was
/// made again gets a new watch.
pub struct Source {
    watcher: RecommendedWatcher,
    armed: HashMap<PathBuf, (u64, u64)>,
}

impl Source {
    /// A source that tells `sink`, from another thread.
    ///
    /// # Errors
    /// Where the platform gives none; polling remains.
    pub fn new(sink: impl Fn(Hint) + Send + 'static) -> notify::Result<Self> {
        let handler = move |event: notify::Result<Event>| match event {
            Ok(event) => hints(event).into_iter().for_each(&sink),
            Err(_) => sink(Hint::Scan),
        };
        let watcher = RecommendedWatcher::new(handler, Config::default().with_follow_symlinks(false))?;
        Ok(Self { watcher, armed: HashMap::new() })
    }

    /// Watches exactly `branches`. Returns the first problem; what could not be watched has to be polled.
    pub fn arm(&mut self, branches: &[Branch]) -> Option<String> {
        let wanted: HashMap<_, _> = branches.iter().map(|branch| (&branch.path, branch.id)).collect();
        let stale: Vec<PathBuf> = self
            .armed
            .iter()
            .filter(|(path, id)| wanted.get(path) != Some(id))
            .map(|(path, _)| path.clone())
            .collect();
        for path in stale {
            let _ = self.watcher.unwatch(&path);
            self.armed.remove(&path);
        }
        let mut problem = None;
        for Branch { path, id } in branches {
            if self.armed.contains_key(path) {
                continue;
            }
            match self.watcher.watch(path, RecursiveMode::NonRecursive) {
                Ok(()) => _ = self.armed.insert(path.clone(), *id),
                Err(error) => problem = problem.or(Some(error.to_string())),
            }
        }
        problem
    }
}

/// What an event means. Mere reading means nothing.
fn hints(event: Event) -> Vec<Hint> {
    if event.need_rescan() || event.paths.is_empty() {
        return vec![Hint::Scan];
    }
    let sign = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => Sign::Complete,
        EventKind::Modify(ModifyKind::Name(RenameMode::To)) => Sign::Complete,
        EventKind::Access(_) => return Vec::new(),
        EventKind::Create(CreateKind::Folder) => return vec![Hint::Scan],
        _ => Sign::Found,
    };
    event.paths.into_iter().map(|path| Hint::Look(path, sign)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_become_hints() {
        let event = |kind| Event::new(kind).add_path("a".into());
        let look = |sign| vec![Hint::Look("a".into(), sign)];
        let closed = EventKind::Access(AccessKind::Close(AccessMode::Write));
        assert_eq!(hints(event(closed)), look(Sign::Complete));
        assert_eq!(hints(event(EventKind::Create(CreateKind::File))), look(Sign::Found));
        assert_eq!(hints(event(EventKind::Access(AccessKind::Open(AccessMode::Read)))), []);
        assert_eq!(hints(Event::new(closed)), [Hint::Scan]);
        let overflow = event(EventKind::Other).set_flag(notify::event::Flag::Rescan);
        assert_eq!(hints(overflow), [Hint::Scan]);
    }
}
