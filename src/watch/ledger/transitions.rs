//! Changes of the ledger: every step of an input's life, with a line of history for those that matter.

use std::path::Path;

use rusqlite::params;

use super::entry::{Entry, Placed, State};
use super::store::{Ledger, PRUNED_EVERY, failed, unix_millis};
use crate::error::Result;
use crate::fs::path_bytes::to_bytes;
use crate::watch::source::stamp::Stamp;

impl Ledger {
    /// Whether `watch` was begun before.
    ///
    /// # Errors
    /// As reading fails.
    pub fn knows(&self, watch: &str) -> Result<bool> {
        self.connection
            .prepare_cached("SELECT 1 FROM watches WHERE name = ?1")
            .and_then(|mut statement| statement.exists(params![watch]))
            .map_err(failed)
    }

    /// `watch` has seen all that was there at its first start.
    ///
    /// # Errors
    /// As writing fails; so for all changes.
    pub fn begin(&self, watch: &str) -> Result<()> {
        self.execute(
            "INSERT INTO watches (name, began) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            params![watch, unix_millis()],
        )
    }

    /// What waits in `watch` is made with these settings, whatever it was queued for.
    pub fn adopt(&self, watch: &str, settings: &str) -> Result<()> {
        self.execute(
            "UPDATE inputs SET settings = ?2 WHERE watch = ?1 AND state = 'queued' AND settings <> ?2",
            params![watch, settings],
        )
    }

    /// `path` was found with `stamp` and is watched in `state`. What is known of its last result stays.
    pub fn see(&self, watch: &str, path: &Path, stamp: Stamp, state: State) -> Result<()> {
        self.execute(
            "INSERT INTO inputs (watch, path, stamp, state, first_seen, updated) VALUES (?1, ?2, ?3, ?4, ?5, ?5)
             ON CONFLICT (watch, path) DO UPDATE
             SET stamp = ?3, state = ?4, next_try = NULL, updated = ?5 WHERE state <> 'running'",
            params![watch, to_bytes(path), stamp.to_string(), state.name(), unix_millis()],
        )
    }

    /// `entry` has settled with these contents and goes into the queue for these settings. New contents or
    /// settings start with a clean record.
    pub fn queue(&self, entry: &Entry, stamp: Stamp, hash: &str, settings: &str) -> Result<()> {
        let same = entry.hash.as_deref() == Some(hash) && entry.settings.as_deref() == Some(settings);
        let (attempts, crashes) = if same { (entry.attempts, entry.crashes) } else { (0, 0) };
        self.execute(
            "UPDATE inputs SET state = 'queued', stamp = ?2, hash = ?3, settings = ?4, attempts = ?5, crashes = ?6,
             next_try = NULL, reason = NULL, updated = ?7 WHERE id = ?1",
            params![entry.id, stamp.to_string(), hash, settings, attempts, crashes, unix_millis()],
        )?;
        self.note(entry, State::Queued, None)
    }

    /// `entry` goes back to a state it had before its file was looked at again.
    pub fn restore(&self, entry: &Entry, stamp: Stamp, hash: &str, state: State) -> Result<()> {
        self.execute(
            "UPDATE inputs SET state = ?2, stamp = ?3, hash = ?4, next_try = NULL, updated = ?5 WHERE id = ?1",
            params![entry.id, state.name(), stamp.to_string(), hash, unix_millis()],
        )
    }

    /// Work on `entry` begins.
    pub fn start(&self, entry: &Entry) -> Result<()> {
        self.execute(
            "UPDATE inputs SET state = 'running', updated = ?2 WHERE id = ?1",
            params![entry.id, unix_millis()],
        )?;
        self.note(entry, State::Running, None)
    }

    /// The result of `entry` is about to be put in place.
    pub fn intend(&self, entry: &Entry, placed: &Placed) -> Result<()> {
        self.execute(
            "UPDATE inputs SET intent_output = ?2, intent_hash = ?3, intent_details = ?4 WHERE id = ?1",
            params![entry.id, to_bytes(&placed.output), placed.hash, placed.details],
        )
    }

    /// The result of `entry` is in place.
    pub fn finish(&self, entry: &Entry, placed: &Placed) -> Result<()> {
        self.execute(
            "UPDATE inputs SET state = 'done', done_hash = hash, done_settings = settings, attempts = 0,
             crashes = 0, next_try = NULL, reason = NULL, output = ?2, output_hash = ?3, details = ?4,
             intent_output = NULL, intent_hash = NULL, intent_details = NULL, disposed = 0, updated = ?5
             WHERE id = ?1",
            params![entry.id, to_bytes(&placed.output), placed.hash, placed.details, unix_millis()],
        )?;
        if entry.id % PRUNED_EVERY == 0 {
            self.prune_pictures()?;
        }
        self.note(entry, State::Done, Some(&placed.output.to_string_lossy()))
    }

    /// The original of `entry` was moved, deleted or is to be kept.
    pub fn dispose(&self, entry: &Entry) -> Result<()> {
        self.execute(
            "UPDATE inputs SET disposed = 1, updated = ?2 WHERE id = ?1",
            params![entry.id, unix_millis()],
        )
    }

    /// `entry` waits in the queue until `next_try`, having failed `attempts` times.
    pub fn wait(
        &self,
        entry: &Entry,
        attempts: u32,
        next_try: Option<i64>,
        reason: Option<&str>,
    ) -> Result<()> {
        self.execute(
            "UPDATE inputs SET state = 'queued', attempts = ?2, next_try = ?3, reason = coalesce(?4, reason),
             intent_output = NULL, intent_hash = NULL, intent_details = NULL, updated = ?5 WHERE id = ?1",
            params![entry.id, attempts, next_try, reason, unix_millis()],
        )?;
        self.note(entry, State::Queued, reason)
    }

    /// A worker died while `entry` was in it.
    pub fn crash(&self, entry: &Entry, next_try: Option<i64>, reason: &str) -> Result<()> {
        self.execute("UPDATE inputs SET crashes = crashes + 1 WHERE id = ?1", params![entry.id])?;
        self.wait(entry, entry.attempts, next_try, Some(reason))
    }

    /// `entry` cannot be read yet.
    pub fn unreadable(&self, entry: &Entry, reason: &str) -> Result<()> {
        self.execute(
            "UPDATE inputs SET state = 'seen', reason = ?2, updated = ?3 WHERE id = ?1",
            params![entry.id, reason, unix_millis()],
        )
    }

    /// `entry` is given up.
    pub fn fail(&self, entry: &Entry, attempts: u32, reason: &str) -> Result<()> {
        self.execute(
            "UPDATE inputs SET state = 'failed', attempts = ?2, next_try = NULL, reason = ?3,
             intent_output = NULL, intent_hash = NULL, intent_details = NULL, updated = ?4 WHERE id = ?1",
            params![entry.id, attempts, reason, unix_millis()],
        )?;
        self.note(entry, State::Failed, Some(reason))
    }

    /// `path` is left alone, for `reason`, unless it is being worked on. Returns whether that is new.
    pub fn ignore(
        &self,
        watch: &str,
        path: &Path,
        stamp: Stamp,
        hash: Option<&str>,
        reason: &str,
    ) -> Result<bool> {
        if let Some(entry) = self.get(watch, path)? {
            let known = entry.state == State::Ignored
                && entry.reason.as_deref() == Some(reason)
                && entry.stamp == stamp;
            if known || entry.state == State::Running {
                return Ok(false);
            }
        }
        self.see(watch, path, stamp, State::Ignored)?;
        self.execute(
            "UPDATE inputs SET reason = ?3, hash = ?4 WHERE watch = ?1 AND path = ?2",
            params![watch, to_bytes(path), reason, hash],
        )?;
        if let Some(entry) = self.get(watch, path)? {
            self.note(&entry, State::Ignored, Some(reason))?;
        }
        Ok(true)
    }

    /// Forgets an input that is gone and of which nothing was made.
    pub fn drop_unmade(&self, watch: &str, path: &Path) -> Result<()> {
        self.execute(
            "DELETE FROM inputs WHERE watch = ?1 AND path = ?2 AND output IS NULL
             AND state IN ('seen', 'settling', 'queued', 'ignored')",
            params![watch, to_bytes(path)],
        )?;
        // An earlier result is remembered.
        self.execute(
            "UPDATE inputs SET state = 'done', disposed = 1, next_try = NULL WHERE watch = ?1 AND path = ?2
             AND output IS NOT NULL AND state IN ('seen', 'settling', 'queued', 'ignored')",
            params![watch, to_bytes(path)],
        )
    }

    pub(crate) fn execute(&self, sql: &str, values: &[&dyn rusqlite::ToSql]) -> Result<()> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(values))
            .map(drop)
            .map_err(failed)
    }

    pub(crate) fn note(&self, entry: &Entry, state: State, detail: Option<&str>) -> Result<()> {
        self.execute(
            "INSERT INTO history (at, watch, path, state, detail) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![unix_millis(), entry.watch, to_bytes(&entry.path), state.name(), detail],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::fixture::{DIGEST, Fixture, WATCH};
    use crate::watch::worker::protocol::Made;

    fn path() -> &'static Path {
        Path::new("a.png")
    }

    #[test]
    fn what_is_being_worked_on_is_neither_seen_anew_nor_ignored() {
        let fixture = Fixture::new();
        let entry = fixture.queue("a.png", "1");
        fixture.ledger.start(&entry).unwrap();
        let running = fixture.entry("a.png");
        fixture.ledger.see(WATCH, path(), Stamp::default(), State::Settling).unwrap();
        assert!(
            !fixture.ledger.ignore(WATCH, path(), Stamp::default(), None, "not an ordinary file").unwrap()
        );
        fixture.ledger.drop_unmade(WATCH, path()).unwrap();
        assert_eq!(fixture.entry("a.png"), running);
    }

    #[test]
    fn a_second_watch_of_the_same_name_is_the_same_watch() {
        let fixture = Fixture::new();
        assert!(!fixture.ledger.knows(WATCH).unwrap());
        for _ in 0..2 {
            fixture.ledger.begin(WATCH).unwrap();
        }
        assert!(fixture.ledger.knows(WATCH).unwrap() && !fixture.ledger.knows("v").unwrap());
    }

    #[test]
    fn new_settings_are_for_what_waits_alone() {
        let fixture = Fixture::new();
        for name in ["waits.png", "done.png", "works.png"] {
            fixture.queue(name, name);
        }
        fixture.finish("done.png", "1", "result");
        fixture.ledger.start(&fixture.entry("works.png")).unwrap();
        fixture.ledger.adopt(WATCH, "new settings").unwrap();
        fixture.ledger.adopt("another watch", "others").unwrap();
        let settings = |name: &str| fixture.entry(name).settings.unwrap();
        assert_eq!(settings("waits.png"), "new settings");
        assert_eq!((settings("done.png"), settings("works.png")), (DIGEST.clone(), DIGEST.clone()));
    }

    #[test]
    fn a_reason_stays_until_there_is_another_or_success() {
        let fixture = Fixture::new();
        let entry = fixture.queue("a.png", "1");
        let reason = || fixture.entry("a.png").reason;
        fixture.ledger.wait(&entry, 1, Some(5), Some("disk full")).unwrap();
        fixture.ledger.wait(&entry, 1, None, None).unwrap();
        assert_eq!((reason(), fixture.entry("a.png").next_try), (Some("disk full".into()), None));
        fixture.ledger.unreadable(&entry, "permission denied").unwrap();
        assert_eq!(reason().as_deref(), Some("permission denied"));
        fixture.ledger.finish(&entry, &fixture.placed("a.png", "result", &Made::default())).unwrap();
        assert_eq!(reason(), None);
    }

    #[test]
    fn success_clears_the_record_of_failures_and_of_the_intent() {
        let fixture = Fixture::new();
        let entry = fixture.queue("a.png", "1");
        let placed = fixture.placed("a.png", "result", &Made::default());
        fixture.ledger.wait(&entry, 2, Some(5), Some("why")).unwrap();
        fixture.ledger.crash(&fixture.entry("a.png"), None, "it died").unwrap();
        fixture.ledger.intend(&entry, &placed).unwrap();
        fixture.ledger.finish(&entry, &placed).unwrap();
        let entry = fixture.entry("a.png");
        assert_eq!((entry.attempts, entry.crashes, entry.next_try, entry.intent), (0, 0, None, None));
        assert_eq!((entry.result, entry.disposed), (Some(placed.clone()), false));
        // A new result has an original of its own.
        fixture.ledger.dispose(&fixture.entry("a.png")).unwrap();
        fixture.ledger.finish(&fixture.queue("a.png", "2"), &placed).unwrap();
        assert!(!fixture.entry("a.png").disposed);
    }

    #[test]
    fn what_is_given_up_or_waits_intends_nothing_any_more() {
        let fixture = Fixture::new();
        let entry = fixture.queue("a.png", "1");
        let placed = fixture.placed("a.png", "result", &Made::default());
        fixture.ledger.intend(&entry, &placed).unwrap();
        fixture.ledger.wait(&entry, 0, None, None).unwrap();
        assert_eq!(fixture.entry("a.png").intent, None);
        fixture.ledger.intend(&entry, &placed).unwrap();
        fixture.ledger.fail(&entry, 3, "no image").unwrap();
        assert_eq!(fixture.entry("a.png").intent, None);
    }

    #[test]
    fn history_names_each_step_with_its_detail() {
        let fixture = Fixture::new();
        let entry = fixture.queue("a.png", "1");
        fixture.ledger.start(&entry).unwrap();
        fixture.ledger.wait(&entry, 1, None, Some("disk full")).unwrap();
        fixture.ledger.fail(&entry, 3, "no image").unwrap();
        fixture.ledger.ignore(WATCH, path(), Stamp::default(), None, "a pipe").unwrap();
        let told = fixture.ledger.history(Some(path()), 9).unwrap();
        let told: Vec<_> = told.iter().map(|line| (line.state, line.detail.as_deref())).collect();
        let expected = [
            (State::Ignored, Some("a pipe")),
            (State::Failed, Some("no image")),
            (State::Queued, Some("disk full")),
            (State::Running, None),
            (State::Queued, None),
        ];
        assert_eq!(told, expected);
    }
}
