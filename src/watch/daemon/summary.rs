//! What a run that ends by itself logs last: how much was done, and what was not, with the reason.

use super::scheduler::{SUMMARY, Scheduler};
use crate::error::Result;
use crate::report::event::{Event, Reporter, Topic};
use crate::watch::ledger::entry::{Entry, State};

/// Logs the summary. Returns whether something was given up since the start, or waits.
///
/// # Errors
/// As the ledger fails.
pub fn log(scheduler: &Scheduler<'_>) -> Result<bool> {
    let (mut done, mut failed, mut waiting) = (0, 0, 0);
    let mut left = Vec::new();
    for id in &scheduler.given_up {
        let entry = scheduler.ledger.by_id(*id)?.filter(|entry| entry.state == State::Failed);
        left.extend(entry.map(|entry| ("given up", reason(&entry, None), entry)));
    }
    let mut unnamed = 0;
    for folder in &scheduler.folders {
        done += folder.totals.done;
        failed += folder.totals.failed;
        for entry in scheduler.ledger.in_state(&folder.settings.name, State::Queued)? {
            waiting += 1;
            if left.len() < SUMMARY {
                left.push(("waits", reason(&entry, folder.trouble.as_deref()), entry));
            } else {
                unnamed += 1;
            }
        }
    }
    for (what, why, entry) in &left {
        scheduler.log.file(Topic::Unfinished, &entry.watch, &entry.path, &format!("{what}: {why}"));
    }
    unnamed += failed - scheduler.given_up.len() as u64;
    if unnamed > 0 {
        scheduler
            .log
            .service(Topic::Unfinished, &format!("{unnamed} more; `partdiff watch status` names them"));
    }
    scheduler.log.tell(&Event::Finished { done, failed, waiting });
    Ok(failed + waiting > 0)
}

/// Why `entry` is not done; where it says nothing itself, its watch may have `trouble`.
fn reason(entry: &Entry, trouble: Option<&str>) -> String {
    entry.reason.as_deref().or(trouble).unwrap_or("not processed yet").into()
}
