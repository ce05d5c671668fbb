//! What people ask the ledger and tell it, also while the daemon runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::params;

use super::entry::{Entry, State};
use super::store::{Ledger, failed, unix_millis};
use crate::error::Result;
use crate::fs::path_bytes::{from_bytes, to_bytes};

/// How many inputs of a watch stand where.
pub type Counts = BTreeMap<State, u64>;

/// A line of history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Milliseconds since 1970.
    pub at: i64,
    /// Name of the watch.
    pub watch: String,
    /// Path below the watched folder.
    pub path: PathBuf,
    /// The state that was reached.
    pub state: State,
    /// The result's path, or the reason.
    pub detail: Option<String>,
}

impl Ledger {
    /// The number of inputs in every state, by watch.
    ///
    /// # Errors
    /// As reading fails; so for all of these.
    pub fn counts(&self) -> Result<BTreeMap<String, Counts>> {
        let mut counts: BTreeMap<String, Counts> = BTreeMap::new();
        let rows: Vec<(String, String, i64)> = self
            .connection
            .prepare_cached("SELECT watch, state, count(*) FROM inputs GROUP BY watch, state")
            .and_then(|mut statement| {
                statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
            })
            .map_err(failed)?;
        for (watch, state, count) in rows {
            counts.entry(watch).or_default().insert(state.parse()?, count.unsigned_abs());
        }
        Ok(counts)
    }

    /// Entries in `state`, or all, the last changed first, at most `limit`.
    pub fn list(&self, state: Option<State>, limit: u32) -> Result<Vec<Entry>> {
        self.many(
            "?1 IS NULL OR state = ?1 ORDER BY updated DESC, id DESC LIMIT ?2",
            params![state.map(State::name), limit],
        )
    }

    /// The entries of this path below a watched folder, one for each watch that knows it.
    pub fn named(&self, path: &Path) -> Result<Vec<Entry>> {
        self.many("path = ?1 ORDER BY watch", params![to_bytes(path)])
    }

    /// Entries that failed, or wait for a reason; failed ones first, the last changed before others, at most `limit`.
    pub fn troubled(&self, limit: u32) -> Result<Vec<Entry>> {
        self.many(
            "state = 'failed' OR state IN ('queued', 'seen') AND reason IS NOT NULL
             ORDER BY state <> 'failed', updated DESC, id DESC LIMIT ?1",
            params![limit],
        )
    }

    /// The last `limit` lines of history, the last first; of one path if given.
    pub fn history(&self, path: Option<&Path>, limit: u32) -> Result<Vec<Event>> {
        type Columns = (i64, String, Vec<u8>, String, Option<String>);
        let rows: Vec<Columns> = self
            .connection
            .prepare_cached(
                "SELECT at, watch, path, state, detail FROM history WHERE ?1 IS NULL OR path = ?1
                 ORDER BY id DESC LIMIT ?2",
            )
            .and_then(|mut statement| {
                let values = params![path.map(to_bytes), limit];
                let columns = |row: &rusqlite::Row<'_>| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
                };
                statement.query_map(values, columns)?.collect()
            })
            .map_err(failed)?;
        rows.into_iter()
            .map(|(at, watch, path, state, detail)| {
                Ok(Event { at, watch, path: from_bytes(&path), state: state.parse()?, detail })
            })
            .collect()
    }

    /// Gives inputs another chance: failed ones, ignored ones if named, and waiting ones at once. `path` is below
    /// the watched folder; none means all that failed or wait. Returns those that changed.
    pub fn retry(&self, path: Option<&Path>) -> Result<Vec<Entry>> {
        self.batch(|ledger| {
            let entries = match path {
                Some(path) => ledger.many(
                    "path = ?1 AND state IN ('failed', 'ignored', 'queued', 'done')",
                    params![to_bytes(path)],
                )?,
                None => {
                    ledger.many("state = 'failed' OR state = 'queued' AND next_try IS NOT NULL", params![])?
                }
            };
            for entry in &entries {
                // Settling looks at the file anew and decides; without a record of failures and of its last result it
                // is done again.
                ledger.execute(
                    "UPDATE inputs SET state = 'settling', attempts = 0, crashes = 0, next_try = NULL,
                     reason = NULL, hash = NULL, done_hash = NULL, updated = ?2 WHERE id = ?1",
                    params![entry.id, unix_millis()],
                )?;
                ledger.note(entry, State::Settling, Some("retried by hand"))?;
            }
            Ok(entries)
        })
    }

    /// Removes inputs from the ledger, so that they count as new: one path, or all in `state`. Those being worked on
    /// stay. Returns those that were removed.
    pub fn forget(&self, path: Option<&Path>, state: Option<State>) -> Result<Vec<Entry>> {
        self.batch(|ledger| {
            let condition = "state <> 'running' AND (?1 IS NULL OR path = ?1) AND (?2 IS NULL OR state = ?2)";
            let values = (path.map(to_bytes), state.map(State::name));
            let entries = ledger.many(condition, params![values.0, values.1])?;
            for entry in &entries {
                ledger.execute("DELETE FROM inputs WHERE id = ?1", params![entry.id])?;
                ledger.note(entry, entry.state, Some("forgotten by hand"))?;
            }
            Ok(entries)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::ledger::entry::Placed;
    use crate::watch::source::stamp::Stamp;

    fn stamp(len: u64) -> Stamp {
        Stamp { len, ..Stamp::default() }
    }

    fn ledger() -> (tempfile::TempDir, Ledger) {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(folder.path()).unwrap();
        (folder, ledger)
    }

    fn queued(ledger: &Ledger, name: &str) -> Entry {
        ledger.see("w", Path::new(name), stamp(1), State::Settling).unwrap();
        let entry = ledger.get("w", Path::new(name)).unwrap().unwrap();
        ledger.queue(&entry, stamp(1), name, "s").unwrap();
        ledger.by_id(entry.id).unwrap().unwrap()
    }

    fn placed(name: &str) -> Placed {
        Placed { output: name.into(), hash: format!("hash of {name}"), details: "{}".into() }
    }

    #[test]
    fn only_the_latest_results_keep_their_pictures() {
        use crate::watch::ledger::store::{PICTURED, PRUNED_EVERY};
        let (_folder, ledger) = ledger();
        let details = r#"{"width":8,"shown":{"before":"data:1","after":"data:2","cleanup":0.5}}"#;
        let placed = Placed { details: details.into(), ..placed("out") };
        ledger
            .batch(|ledger| {
                for number in 0..PICTURED + PRUNED_EVERY as u32 {
                    let entry = queued(ledger, &number.to_string());
                    ledger.finish(&entry, &placed)?;
                }
                Ok(())
            })
            .unwrap();
        let of =
            |number: u32| ledger.get("w", Path::new(&number.to_string())).unwrap().unwrap().made().unwrap();
        // The last time was at some result of the last PRUNED_EVERY.
        let (old, new) = (of(0), of(PRUNED_EVERY as u32));
        assert_eq!((old.width, old.shown.cleanup), (8, 0.5));
        assert_eq!((old.shown.thumbnails.before, old.shown.thumbnails.after), (None, None));
        assert_eq!(new.shown.thumbnails.before.as_deref(), Some("data:1"));
    }

    #[test]
    fn an_input_goes_its_way_and_survives_reopening() {
        let (folder, ledger) = ledger();
        let a = queued(&ledger, "a");
        let b = queued(&ledger, "b");
        assert_eq!(ledger.next("w", 0).unwrap().unwrap().id, a.id);
        assert_eq!(ledger.next("other", 0).unwrap(), None);
        ledger.start(&a).unwrap();
        ledger.intend(&a, &placed("out/a")).unwrap();
        drop(ledger);
        let ledger = Ledger::open(folder.path()).unwrap();
        let running = ledger.in_state("w", State::Running).unwrap();
        assert_eq!(running[0].intent, Some(placed("out/a")));
        ledger.finish(&running[0], &placed("out/a")).unwrap();
        let done = ledger.by_id(a.id).unwrap().unwrap();
        assert_eq!((done.state, done.done.clone()), (State::Done, Some(("a".into(), "s".into()))));
        assert_eq!(done.intent, None);
        assert!(ledger.is_result("w", "hash of out/a").unwrap() && !ledger.is_result("w", "a").unwrap());
        assert_eq!(ledger.twins("w", "a", "s", b.id).unwrap()[0].id, a.id);
        assert!(ledger.twins("w", "a", "s", a.id).unwrap().is_empty());
        assert_eq!(ledger.undisposed("w").unwrap().len(), 1);
        ledger.dispose(&done).unwrap();
        assert!(ledger.undisposed("w").unwrap().is_empty());
        let states: Vec<_> = ledger.history(Some(Path::new("a")), 9).unwrap();
        let states: Vec<_> = states.into_iter().map(|event| event.state).collect();
        assert_eq!(states, [State::Done, State::Running, State::Queued]);
    }

    #[test]
    fn waiting_and_suspects_come_later() {
        let (_folder, ledger) = ledger();
        let (a, b, c) = (queued(&ledger, "a"), queued(&ledger, "b"), queued(&ledger, "c"));
        ledger.wait(&a, 1, Some(1000), Some("full")).unwrap();
        ledger.crash(&b, None, "died").unwrap();
        assert_eq!(ledger.next("w", 0).unwrap().unwrap().id, c.id);
        ledger.start(&c).unwrap();
        assert_eq!(ledger.next("w", 0).unwrap().unwrap().id, b.id);
        ledger.start(&b).unwrap();
        assert_eq!(ledger.next("w", 999).unwrap(), None);
        let next = ledger.next("w", 1000).unwrap().unwrap();
        assert_eq!((next.attempts, next.reason.as_deref()), (1, Some("full")));
        assert_eq!(ledger.by_id(b.id).unwrap().unwrap().crashes, 1);
    }

    #[test]
    fn new_contents_start_with_a_clean_record() {
        let (_folder, ledger) = ledger();
        let a = queued(&ledger, "a");
        ledger.fail(&a, 3, "bad").unwrap();
        let failed = ledger.by_id(a.id).unwrap().unwrap();
        ledger.queue(&failed, stamp(1), "a", "s").unwrap();
        assert_eq!(ledger.by_id(a.id).unwrap().unwrap().attempts, 3);
        ledger.queue(&failed, stamp(2), "new", "s").unwrap();
        assert_eq!(ledger.by_id(a.id).unwrap().unwrap().attempts, 0);
    }

    #[test]
    fn people_change_it_while_it_is_open_elsewhere() {
        let (folder, ledger) = ledger();
        let before = ledger.version().unwrap();
        let a = queued(&ledger, "a");
        ledger.fail(&a, 3, "bad").unwrap();
        assert_eq!(ledger.version().unwrap(), before);
        let other = Ledger::open(folder.path()).unwrap();
        assert_eq!(other.retry(None).unwrap().len(), 1);
        assert_ne!(ledger.version().unwrap(), before);
        let entry = ledger.by_id(a.id).unwrap().unwrap();
        assert_eq!((entry.state, entry.attempts, entry.hash.clone()), (State::Settling, 0, None));
        assert_eq!(other.counts().unwrap()["w"][&State::Settling], 1);
        assert_eq!(other.list(Some(State::Failed), 9).unwrap().len(), 0);
        ledger.start(&entry).unwrap();
        assert!(other.forget(Some(Path::new("a")), None).unwrap().is_empty());
        ledger.fail(&entry, 1, "bad").unwrap();
        assert_eq!(other.forget(None, Some(State::Failed)).unwrap().len(), 1);
        assert_eq!(ledger.by_id(a.id).unwrap(), None);
    }

    #[test]
    fn what_is_gone_is_dropped_unless_something_was_made() {
        let (_folder, ledger) = ledger();
        let (a, b) = (queued(&ledger, "a"), queued(&ledger, "b"));
        ledger.finish(&b, &placed("out/b")).unwrap();
        ledger.see("w", Path::new("b"), stamp(2), State::Settling).unwrap();
        for name in ["a", "b"] {
            ledger.drop_unmade("w", Path::new(name)).unwrap();
        }
        assert_eq!(ledger.by_id(a.id).unwrap(), None);
        let b = ledger.by_id(b.id).unwrap().unwrap();
        assert_eq!((b.state, b.disposed), (State::Done, true));
    }

    #[test]
    fn a_batch_holds_wholly_or_not_at_all() {
        let (_folder, ledger) = ledger();
        let result: Result<()> = ledger.batch(|ledger| {
            ledger.see("w", Path::new("a"), stamp(1), State::Seen)?;
            Err(crate::Error::cancelled())
        });
        assert!(result.is_err());
        assert_eq!(ledger.get("w", Path::new("a")).unwrap(), None);
    }

    #[test]
    fn ignoring_is_told_once() {
        let (_folder, ledger) = ledger();
        let ignore = || ledger.ignore("w", Path::new("a"), stamp(1), None, "a pipe").unwrap();
        assert!(ignore());
        assert!(!ignore());
    }
}
