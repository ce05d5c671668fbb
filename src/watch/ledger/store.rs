//! The memory of a watch: an SQLite file in the state folder.
//!
//! SQLite rather than redb: `partdiff watch status`, `retry` and `forget` read and change the ledger while the
//! daemon holds it open, and redb gives its file to one process at a time. SQLite's write-ahead log lets several
//! processes in, is proven against crashes at any instant, and its file can be read with tools that every system
//! has. It is compiled in, so nothing has to be installed.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};

use super::entry::{Entry, Placed, State};
use crate::error::{Error, ErrorKind, Result};
use crate::fs::path_bytes::{from_bytes, to_bytes};
use crate::watch::source::stamp::Stamp;

/// The ledger's file in the state folder.
pub const FILE: &str = "ledger.db";

/// How long to wait for another process that writes.
const BUSY: Duration = Duration::from_secs(10);

/// Lines of history that are kept.
const HISTORY: i64 = 200_000;

/// Results, the latest, whose pictures are kept; so many take about 10 MB.
pub const PICTURED: u32 = 5000;

/// So often, in results, older pictures are removed.
pub(super) const PRUNED_EVERY: i64 = 256;

const VERSION: i64 = 1;

const SCHEMA: &str = "
    CREATE TABLE inputs (
        id INTEGER PRIMARY KEY,
        watch TEXT NOT NULL,
        path BLOB NOT NULL,
        stamp TEXT NOT NULL,
        state TEXT NOT NULL,
        hash TEXT,
        settings TEXT,
        attempts INTEGER NOT NULL DEFAULT 0,
        crashes INTEGER NOT NULL DEFAULT 0,
        next_try INTEGER,
        reason TEXT,
        done_hash TEXT,
        done_settings TEXT,
        output BLOB,
        output_hash TEXT,
        details TEXT,
        intent_output BLOB,
        intent_hash TEXT,
        intent_details TEXT,
        disposed INTEGER NOT NULL DEFAULT 0,
        first_seen INTEGER NOT NULL,
        updated INTEGER NOT NULL,
        UNIQUE (watch, path)
    ) STRICT;
    CREATE INDEX queue ON inputs (watch, crashes, next_try, id) WHERE state = 'queued';
    CREATE INDEX states ON inputs (watch, state);
    CREATE INDEX contents ON inputs (watch, done_hash);
    CREATE INDEX results ON inputs (watch, output_hash);
    CREATE TABLE history (
        id INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        watch TEXT NOT NULL,
        path BLOB NOT NULL,
        state TEXT NOT NULL,
        detail TEXT
    ) STRICT;
    CREATE TABLE watches (
        name TEXT PRIMARY KEY,
        began INTEGER NOT NULL
    ) STRICT;
    PRAGMA user_version = 1;";

/// The ledger, open. Every change is one transaction that is on the disk when the call returns.
#[derive(Debug)]
pub struct Ledger {
    pub(crate) connection: Connection,
}

impl Ledger {
    /// Opens the ledger in `folder`, made if missing.
    ///
    /// # Errors
    /// `Output` where it cannot be opened, is damaged, or was made by a newer version.
    pub fn open(folder: &Path) -> Result<Self> {
        let file = folder.join(FILE);
        let named = |error: Error| error.context(file.display());
        let connection = Connection::open(&file).map_err(failed).map_err(named)?;
        Self::prepare(connection).map_err(named)
    }

    fn prepare(mut connection: Connection) -> Result<Self> {
        connection.busy_timeout(BUSY).map_err(failed)?;
        connection
            .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -4096;")
            .map_err(failed)?;
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let version: i64 =
            transaction.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
        match version {
            0 => transaction.execute_batch(SCHEMA).map_err(failed)?,
            VERSION => {
                transaction
                    .execute(
                        "DELETE FROM history WHERE id <= (SELECT max(id) FROM history) - ?1",
                        params![HISTORY],
                    )
                    .map_err(failed)?;
            }
            newer => {
                let message = format!("the ledger has version {newer}, this program knows up to {VERSION}");
                return Err(Error::new(ErrorKind::Output, message));
            }
        }
        transaction.commit().map_err(failed)?;
        Ok(Self { connection })
    }

    /// Removes the pictures of results that came before the latest [`PICTURED`], of so many as came since the last call.
    ///
    /// # Errors
    /// As writing fails.
    pub(super) fn prune_pictures(&self) -> Result<()> {
        self.execute(
            "UPDATE inputs SET details = json_remove(details, '$.shown.before', '$.shown.after')
             WHERE id IN (SELECT id FROM inputs WHERE output IS NOT NULL ORDER BY updated DESC, id DESC LIMIT ?2 OFFSET ?1)
             AND json_valid(details) AND json_extract(details, '$.shown.before') IS NOT NULL",
            params![PICTURED, 2 * PRUNED_EVERY],
        )
    }

    /// Runs `work` as one transaction: all of its changes hold, or none.
    ///
    /// # Errors
    /// What `work` returns, or that the changes could not be stored.
    pub fn batch<T>(&self, work: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        // At once for writing: a transaction that began with reading fails where another process wrote meanwhile.
        let transaction =
            Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate).map_err(failed)?;
        let value = work(self)?;
        transaction.commit().map_err(failed)?;
        Ok(value)
    }

    /// A number that changes when another process changed the ledger.
    ///
    /// # Errors
    /// As reading fails.
    pub fn version(&self) -> Result<i64> {
        self.connection.query_row("PRAGMA data_version", [], |row| row.get(0)).map_err(failed)
    }

    /// Another such number, for changes by this process.
    pub fn own_changes(&self) -> u64 {
        self.connection.total_changes()
    }

    /// The entry of an input.
    ///
    /// # Errors
    /// As reading fails.
    pub fn get(&self, watch: &str, path: &Path) -> Result<Option<Entry>> {
        self.one("watch = ?1 AND path = ?2", params![watch, to_bytes(path)])
    }

    /// The entry with this key.
    ///
    /// # Errors
    /// As reading fails.
    pub fn by_id(&self, id: i64) -> Result<Option<Entry>> {
        self.one("id = ?1", params![id])
    }

    /// Inputs of `watch`, other than `id`, whose last result was made from these contents with these settings.
    ///
    /// # Errors
    /// As reading fails.
    pub fn twins(&self, watch: &str, hash: &str, settings: &str, id: i64) -> Result<Vec<Entry>> {
        self.many(
            "watch = ?1 AND done_hash = ?2 AND done_settings = ?3 AND id <> ?4 AND output IS NOT NULL
             ORDER BY updated DESC LIMIT 8",
            params![watch, hash, settings, id],
        )
    }

    /// Whether a result of `watch` has these contents.
    ///
    /// # Errors
    /// As reading fails.
    pub fn is_result(&self, watch: &str, hash: &str) -> Result<bool> {
        self.connection
            .prepare_cached("SELECT 1 FROM inputs WHERE watch = ?1 AND output_hash = ?2")
            .and_then(|mut statement| statement.exists(params![watch, hash]))
            .map_err(failed)
    }

    /// The next input of `watch` to work on at `now`; those that brought a worker down come last.
    ///
    /// # Errors
    /// As reading fails.
    pub fn next(&self, watch: &str, now: i64) -> Result<Option<Entry>> {
        self.one(
            "state = 'queued' AND watch = ?1 AND (next_try IS NULL OR next_try <= ?2) \
             ORDER BY crashes, next_try, id",
            params![watch, now],
        )
    }

    /// All entries of `watch` in `state`.
    ///
    /// # Errors
    /// As reading fails.
    pub fn in_state(&self, watch: &str, state: State) -> Result<Vec<Entry>> {
        self.many("watch = ?1 AND state = ?2 ORDER BY id", params![watch, state.name()])
    }

    /// Entries of `watch` whose result stands and whose original was not yet dealt with.
    ///
    /// # Errors
    /// As reading fails.
    pub fn undisposed(&self, watch: &str) -> Result<Vec<Entry>> {
        self.many("watch = ?1 AND state = 'done' AND disposed = 0 ORDER BY id", params![watch])
    }

    fn one(&self, condition: &str, values: &[&dyn rusqlite::ToSql]) -> Result<Option<Entry>> {
        self.connection
            .prepare_cached(&format!("SELECT * FROM inputs WHERE {condition} LIMIT 1"))
            .and_then(|mut statement| statement.query_row(values, entry).optional())
            .map_err(failed)
    }

    pub(crate) fn many(&self, condition: &str, values: &[&dyn rusqlite::ToSql]) -> Result<Vec<Entry>> {
        self.connection
            .prepare_cached(&format!("SELECT * FROM inputs WHERE {condition}"))
            .and_then(|mut statement| statement.query_map(values, entry)?.collect())
            .map_err(failed)
    }
}

/// The time in milliseconds since 1970, as the ledger counts it.
pub fn unix_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Such a time as people and programs read it.
pub fn timestamp(millis: i64) -> String {
    format!("{:.0}", jiff::Timestamp::from_millisecond(millis).unwrap_or_default())
}

pub(crate) fn failed(error: rusqlite::Error) -> Error {
    Error::with_source(ErrorKind::Output, "the ledger failed", error)
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let text = |name: &str| row.get::<_, Option<String>>(name);
    let placed = |output: &str, hash: &str, details: &str| -> rusqlite::Result<Option<Placed>> {
        let output: Option<Vec<u8>> = row.get(output)?;
        Ok(output.zip(text(hash)?).map(|(output, hash)| Placed {
            output: from_bytes(&output),
            hash,
            details: text(details).ok().flatten().unwrap_or_default(),
        }))
    };
    let stamp: String = row.get("stamp")?;
    let state: String = row.get("state")?;
    let wrong = |error: Box<dyn std::error::Error + Send + Sync>| {
        rusqlite::Error::FromSqlConversionFailure(0, Type::Text, error)
    };
    Ok(Entry {
        id: row.get("id")?,
        watch: row.get("watch")?,
        path: from_bytes(&row.get::<_, Vec<u8>>("path")?),
        stamp: stamp.parse::<Stamp>().map_err(|error| wrong(error.into()))?,
        state: state.parse::<State>().map_err(|error| wrong(error.into()))?,
        hash: text("hash")?,
        settings: text("settings")?,
        attempts: row.get("attempts")?,
        crashes: row.get("crashes")?,
        next_try: row.get("next_try")?,
        reason: text("reason")?,
        done: text("done_hash")?.zip(text("done_settings")?),
        result: placed("output", "output_hash", "details")?,
        intent: placed("intent_output", "intent_hash", "intent_details")?,
        disposed: row.get("disposed")?,
        first_seen: row.get("first_seen")?,
        updated: row.get("updated")?,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn reopened(change: &str) -> Result<Ledger> {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(folder.path()).unwrap();
        ledger.see("w", Path::new("a.png"), Stamp::default(), State::Seen).unwrap();
        ledger.connection.execute_batch(change).unwrap();
        drop(ledger);
        Ledger::open(folder.path())
    }

    #[test]
    fn a_ledger_of_a_newer_version_is_refused_by_name_and_not_touched() {
        let error = reopened("PRAGMA user_version = 2").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Output);
        let text = error.to_string();
        assert!(text.ends_with("ledger.db: the ledger has version 2, this program knows up to 1"), "{text}");
    }

    #[test]
    fn a_file_that_is_no_ledger_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "no database at all, but long enough to be looked at".repeat(99))
            .unwrap();
        let error = Ledger::open(folder.path()).unwrap_err();
        assert!(
            error.report().contains("ledger.db: the ledger failed: file is not a database"),
            "{}",
            error.report()
        );
        let error = Ledger::open(&folder.path().join("nowhere")).unwrap_err();
        assert!(error.to_string().ends_with("nowhere/ledger.db: the ledger failed"), "{error}");
    }

    #[test]
    fn history_is_cut_at_the_start_and_nothing_else_is() {
        let line =
            |id: i64| format!("INSERT INTO history VALUES ({id}, 0, 'w', x'61', 'done', 'line {id}');");
        let ledger = reopened(&[1, 2, 3, HISTORY + 2].map(line).concat()).unwrap();
        let lines: Vec<_> =
            ledger.history(None, 9).unwrap().into_iter().map(|line| line.detail.unwrap()).collect();
        assert_eq!(lines, [format!("line {}", HISTORY + 2), "line 3".into()]);
        assert!(ledger.get("w", Path::new("a.png")).unwrap().is_some());
    }

    #[test]
    fn what_cannot_be_understood_is_an_error_and_no_other_state() {
        for change in ["UPDATE inputs SET state = 'mended'", "UPDATE inputs SET stamp = 'yesterday'"] {
            let error = reopened(change).unwrap().get("w", Path::new("a.png")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Output, "{change}");
        }
        let error = reopened("UPDATE inputs SET state = 'mended'").unwrap().counts().unwrap_err();
        assert!(error.to_string().starts_with("state \"mended\" is unknown: expected seen, "), "{error}");
    }

    #[test]
    fn inputs_of_one_path_in_two_watches_and_names_that_are_no_unicode_are_kept_apart() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(folder.path()).unwrap();
        let paths = [from_bytes(b"caf\xe9.png"), from_bytes(b"caf\xe8.png")];
        for (index, path) in paths.iter().enumerate() {
            for watch in ["v", "w"] {
                ledger
                    .see(watch, path, Stamp { len: index as u64, ..Stamp::default() }, State::Seen)
                    .unwrap();
            }
        }
        for (index, path) in paths.iter().enumerate().filter(|_| cfg!(unix)) {
            let entry = ledger.get("w", path).unwrap().unwrap();
            assert_eq!((&entry.path, entry.stamp.len), (path, index as u64));
            assert_eq!(ledger.named(path).unwrap().len(), 2);
        }
    }

    #[test]
    fn a_batch_that_another_process_blocks_for_long_is_an_error_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(folder.path()).unwrap();
        ledger.connection.busy_timeout(Duration::ZERO).unwrap();
        let other = Ledger::open(folder.path()).unwrap();
        let see = |ledger: &Ledger| ledger.see("w", Path::new("a.png"), Stamp::default(), State::Seen);
        other
            .batch(|_| {
                assert_eq!(ledger.batch(see).unwrap_err().kind(), ErrorKind::Output);
                Ok(())
            })
            .unwrap();
        assert!(ledger.list(None, 9).unwrap().is_empty());
        ledger.batch(see).unwrap();
        assert_eq!(other.list(None, 9).unwrap().len(), 1);
    }

    #[test]
    fn times_are_written_as_people_and_programs_read_them() {
        assert_eq!(timestamp(1_700_000_000_999), "2023-11-14T22:13:20Z");
        assert!(unix_millis() > 1_700_000_000_000);
    }
}
