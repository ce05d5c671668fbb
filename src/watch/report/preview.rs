//! What a watch would do with what is in its folder now, without doing it.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};
use crate::fs::hash::hash_file;
use crate::watch::ledger::entry::{Entry, State};
use crate::watch::ledger::store::Ledger;
use crate::watch::settings::watch_settings::WatchSettings;
use crate::watch::source::scan::{Kind, left_alone, scan};
use crate::watch::source::selection::Selection;
use crate::watch::source::settle::Role;
use crate::watch::source::stamp::Stamp;

/// What would be done with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It would be made.
    Take,
    /// It waits for its contents.
    Wait,
    /// It is left alone.
    Skip,
    /// It was given up.
    Failed,
    /// Its result was made.
    Done,
}

/// The name in JSON.
impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// A file and what becomes of it.
#[derive(Clone, Debug)]
pub struct Previewed {
    /// Path below the watched folder.
    pub path: PathBuf,
    /// What would be done.
    pub fate: Fate,
    /// Why, where that is not plain.
    pub reason: Option<String>,
}

/// What a watch, prepared, would do; without a `ledger` nothing was done before. `state` is not watched.
///
/// # Errors
/// `Input` where the folder cannot be read; as the ledger fails.
pub fn preview(watch: &WatchSettings, state: &Path, ledger: Option<&Ledger>) -> Result<Vec<Previewed>> {
    let selection = Selection::new(&watch.include, &watch.exclude)?;
    let own = [Some(state), Some(watch.output.as_path()), watch.move_to.as_deref()];
    let own: Vec<_> = own.into_iter().flatten().map(Path::to_path_buf).collect();
    let found = scan(&watch.input, watch.recursive, &selection, &own).map_err(|error| {
        Error::with_source(ErrorKind::Input, format!("cannot read {}", watch.input.display()), error)
    })?;
    let begun = ledger.map_or(Ok(false), |ledger| ledger.knows(&watch.name))?;
    let digest = watch.digest()?;
    let mut files = Vec::new();
    for file in found.files {
        let reason = left_alone(file.kind, &file.relative, &selection, watch.recursive);
        let (fate, reason) = match file.kind {
            _ if reason.is_some() => (Fate::Skip, reason),
            Kind::File(Role::Image, stamp) => {
                let known = match ledger {
                    Some(ledger) => ledger.get(&watch.name, &file.relative)?.map(|entry| (ledger, entry)),
                    None => None,
                };
                match known {
                    Some((ledger, entry)) => again(watch, &digest, ledger, &entry, stamp)?,
                    None if watch.ignore_existing && !begun => {
                        (Fate::Skip, Some("is there at the first start".into()))
                    }
                    None => fresh(stamp),
                }
            }
            _ => continue,
        };
        files.push(Previewed { path: file.relative, fate, reason });
    }
    Ok(files)
}

type Verdict = (Fate, Option<String>);

fn fresh(stamp: Stamp) -> Verdict {
    if stamp.len > 0 { (Fate::Take, None) } else { (Fate::Wait, Some("empty".into())) }
}

/// What becomes of a file that the ledger knows. As the daemon judges: by the stamp, and where that changed by the contents.
fn again(
    watch: &WatchSettings,
    digest: &str,
    ledger: &Ledger,
    entry: &Entry,
    stamp: Stamp,
) -> Result<Verdict> {
    let reason = || entry.reason.clone();
    if entry.stamp == stamp {
        match entry.state {
            State::Done => return Ok((Fate::Done, None)),
            State::Failed => return Ok((Fate::Failed, reason())),
            State::Ignored => return Ok((Fate::Skip, reason())),
            State::Queued | State::Running => return Ok((Fate::Take, reason())),
            State::Seen | State::Settling => {}
        }
    }
    let Ok(hash) = hash_file(&watch.input.join(&entry.path)) else { return Ok((Fate::Wait, reason())) };
    Ok(if ledger.is_result(&watch.name, &hash)? {
        (Fate::Skip, Some("is a result of this watch".into()))
    } else if entry.is_made(&hash, digest) {
        (Fate::Done, None)
    } else if entry.is_given_up(&hash, digest, watch.attempts) {
        (Fate::Failed, reason())
    } else {
        fresh(stamp)
    })
}
