//! What was found out about providers on this machine, kept for later starts in `providers.json` of the runtime folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::machine::Machine;
use super::record::{modified, runtime_folder};
use crate::fs::atomic_file;

/// How something went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// A plug-in did not harm the process that tried it.
    Harmless,
    /// It crashed; it may not after a change of drivers, so this holds for a day.
    Failed {
        /// Why.
        reason: String,
        /// Seconds since 1970.
        at: u64,
    },
    /// Seconds for one tile.
    Seconds(f64),
}

/// How long a failure is believed.
const FAILURES_HOLD: u64 = 24 * 3600;

/// More than a machine needs for its libraries, providers and models; then everything is found out again.
const MOST: usize = 500;

/// What is kept, by what it was found out for.
pub(super) struct Outcomes {
    path: Option<PathBuf>,
}

impl Outcomes {
    /// Those of this user.
    pub(super) fn of_user() -> Self {
        Self { path: runtime_folder().map(|folder| folder.join("providers.json")) }
    }

    /// What is known for `key`; `None` if nothing is, or the file cannot be read.
    pub(super) fn recall(&self, key: &str) -> Option<Outcome> {
        let outcome = self.read().remove(key)?;
        match outcome {
            Outcome::Failed { at, .. } if now().saturating_sub(at) > FAILURES_HOLD => None,
            _ => Some(outcome),
        }
    }

    /// Keeps `outcome`. Where that cannot be written, it is found out again next time.
    pub(super) fn keep(&self, key: String, outcome: Outcome) {
        self.change(|known| {
            if known.len() >= MOST {
                known.clear();
            }
            known.insert(key, outcome);
        });
    }

    /// Forgets what failed and how fast providers were, so that both are found out again.
    pub(super) fn forget(&self) {
        self.change(|known| known.retain(|_, outcome| *outcome == Outcome::Harmless));
    }

    fn read(&self) -> BTreeMap<String, Outcome> {
        let text = self.path.as_deref().and_then(|path| std::fs::read(path).ok());
        text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, Outcome>)) {
        let Some(path) = &self.path else { return };
        let mut known = self.read();
        change(&mut known);
        if let (Ok(text), Some(folder)) = (serde_json::to_vec_pretty(&known), path.parent()) {
            let _ = std::fs::create_dir_all(folder);
            let _ = atomic_file::write(path, &text, true);
        }
    }
}

impl Outcome {
    /// A failure of this moment.
    pub(super) fn failed(reason: String) -> Self {
        Self::Failed { reason, at: now() }
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// A file, told from others and from what it may be replaced by.
pub(super) fn file_key(path: &Path) -> String {
    let size = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    format!("{}:{size}:{}", path.display(), modified(path).unwrap_or(0))
}

/// This machine, as far as speed depends on it.
pub(super) fn machine_key() -> String {
    let machine = Machine::look();
    format!("{} {} {}", machine.processor.unwrap_or_default(), machine.features.join(" "), nvidia_driver())
}

/// The version of NVIDIA's driver, where there is one and the system tells it.
pub(super) fn nvidia_driver() -> String {
    let text = std::fs::read_to_string("/proc/driver/nvidia/version").unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_kept_and_failures_for_a_day() {
        let folder = tempfile::tempdir().unwrap();
        let outcomes = Outcomes { path: Some(folder.path().join("runtime/providers.json")) };
        assert_eq!(outcomes.recall("a"), None);
        outcomes.keep("a".to_owned(), Outcome::Seconds(0.25));
        let failed = Outcome::failed("no driver".to_owned());
        outcomes.keep("b".to_owned(), failed.clone());
        outcomes.keep("c".to_owned(), Outcome::Failed { reason: "long ago".to_owned(), at: 1 });
        assert_eq!(outcomes.recall("a"), Some(Outcome::Seconds(0.25)));
        assert_eq!(outcomes.recall("b"), Some(failed));
        assert_eq!(outcomes.recall("c"), None);
        outcomes.forget();
        assert_eq!((outcomes.recall("a"), outcomes.recall("b")), (None, None));
        outcomes.keep("a".to_owned(), Outcome::Seconds(0.25));
        std::fs::write(folder.path().join("runtime/providers.json"), "{").unwrap();
        assert_eq!(outcomes.recall("a"), None);
        outcomes.keep("a".to_owned(), Outcome::Harmless);
        assert_eq!(outcomes.recall("a"), Some(Outcome::Harmless));
    }
}
