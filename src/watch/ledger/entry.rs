//! What the ledger knows of one input.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::Serialize;

use crate::error::Error;
use crate::fs::hash::holds;
use crate::watch::source::stamp::Stamp;
use crate::watch::worker::failure::CRASHES;
use crate::watch::worker::protocol::Made;

/// Where an input stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Found, but empty or not readable yet.
    Seen,
    /// Watched until it stays the same.
    Settling,
    /// Complete, waiting for its turn.
    Queued,
    /// Being worked on.
    Running,
    /// Its result is in place.
    Done,
    /// Given up: quarantined.
    Failed,
    /// Left alone on purpose.
    Ignored,
}

impl State {
    /// All states, in the order of an input's life.
    pub const ALL: [Self; 7] =
        [Self::Seen, Self::Settling, Self::Queued, Self::Running, Self::Done, Self::Failed, Self::Ignored];

    /// The name in the ledger and in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Seen => "seen",
            Self::Settling => "settling",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Ignored => "ignored",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for State {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|state| state.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            Error::invalid_option(format!("state {text:?} is unknown: expected {names}"))
        })
    }
}

/// A result that is in place, or about to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The result's path.
    pub output: PathBuf,
    /// SHA-256 of its bytes, in hexadecimal.
    pub hash: String,
    /// How it was made, as the worker told.
    pub details: String,
}

/// One input and its history in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Key in the ledger.
    pub id: i64,
    /// Name of its watch.
    pub watch: String,
    /// Path below the watched folder.
    pub path: PathBuf,
    /// Stamp when it was last looked at.
    pub stamp: Stamp,
    /// Where it stands.
    pub state: State,
    /// SHA-256 of its contents when it last settled.
    pub hash: Option<String>,
    /// Hash of the settings it was last queued for.
    pub settings: Option<String>,
    /// Failures with these contents and settings.
    pub attempts: u32,
    /// Worker processes that died over it.
    pub crashes: u32,
    /// Not before this time, in milliseconds since 1970.
    pub next_try: Option<i64>,
    /// Why it failed, waits or is ignored.
    pub reason: Option<String>,
    /// Contents and settings of the last result.
    pub done: Option<(String, String)>,
    /// The last result.
    pub result: Option<Placed>,
    /// The result that was about to be put in place when the entry was last written.
    pub intent: Option<Placed>,
    /// Whether the original was moved or deleted after the last result.
    pub disposed: bool,
    /// First noticed, in milliseconds since 1970.
    pub first_seen: i64,
    /// Last change, in milliseconds since 1970.
    pub updated: i64,
}

impl Entry {
    /// How the last result was made, as the worker told.
    pub(crate) fn made(&self) -> Option<Made> {
        serde_json::from_str(&self.result.as_ref()?.details).ok()
    }

    /// Whether contents of that `hash` were made with the settings of that `digest`, and the result is still there if
    /// it is all that is left.
    pub(crate) fn is_made(&self, hash: &str, digest: &str) -> bool {
        let made =
            self.done.as_ref().is_some_and(|done| (done.0.as_str(), done.1.as_str()) == (hash, digest));
        made && (!self.disposed
            || self.result.as_ref().is_some_and(|result| holds(&result.output, &result.hash)))
    }

    /// Whether contents of that `hash` were given up with the settings of that `digest`, of at most so many `attempts`.
    pub(crate) fn is_given_up(&self, hash: &str, digest: &str, attempts: u32) -> bool {
        (self.hash.as_deref(), self.settings.as_deref()) == (Some(hash), Some(digest))
            && (self.attempts >= attempts || self.crashes >= CRASHES)
    }
}

#[cfg(test)]
impl Entry {
    /// An input that is worked on for the first time.
    pub(crate) fn sample(path: &str) -> Self {
        Self {
            id: 1,
            watch: "in".into(),
            path: path.into(),
            stamp: Stamp::default(),
            state: State::Running,
            hash: None,
            settings: None,
            attempts: 0,
            crashes: 0,
            next_try: None,
            reason: None,
            done: None,
            result: None,
            intent: None,
            disposed: false,
            first_seen: 0,
            updated: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::hash::sha256_hex;

    #[test]
    fn what_was_made_is_made_again_for_new_contents_settings_or_a_lost_result() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("a.png");
        let mut entry = Entry::sample("a.png");
        assert!(!entry.is_made("contents", "settings"));
        entry.done = Some(("contents".into(), "settings".into()));
        entry.result =
            Some(Placed { output: output.clone(), hash: sha256_hex(b"x"), details: String::new() });
        assert!(entry.is_made("contents", "settings"));
        assert!(!entry.is_made("others", "settings") && !entry.is_made("contents", "others"));
        // Without its original, the result is all that is left.
        entry.disposed = true;
        assert!(!entry.is_made("contents", "settings"));
        std::fs::write(&output, "x").unwrap();
        assert!(entry.is_made("contents", "settings"));
    }

    #[test]
    fn what_was_given_up_has_another_chance_with_new_contents_or_settings() {
        let mut entry = Entry::sample("a.png");
        (entry.hash, entry.settings) = (Some("contents".into()), Some("settings".into()));
        entry.attempts = 2;
        assert!(!entry.is_given_up("contents", "settings", 3));
        assert!(entry.is_given_up("contents", "settings", 2));
        assert!(!entry.is_given_up("others", "settings", 2) && !entry.is_given_up("contents", "others", 2));
        entry.crashes = CRASHES;
        assert!(entry.is_given_up("contents", "settings", 3));
    }
}
