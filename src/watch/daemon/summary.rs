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
        let mut entries = scheduler.ledger.in_state(&folder.settings.name, State::Queued)?;
        let seen = scheduler.ledger.in_state(&folder.settings.name, State::Seen)?;
        // Those that cannot be read have a reason; nobody waits for those that are empty.
        entries.extend(seen.into_iter().filter(|entry| entry.reason.is_some()));
        for entry in entries {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::fixture::{Fixture, at};
    use crate::watch::settings::watch_settings::WatchSettings;
    use crate::watch::worker::failure::Fault;

    fn give_up(fixture: &Fixture, scheduler: &mut Scheduler<'_>, name: &str) {
        fixture.queue(name, name);
        scheduler.failed(fixture.work(name, "").0, Fault::File, "no image", at(0)).unwrap();
    }

    #[test]
    fn without_anything_left_the_end_is_one_line_and_no_failure() {
        let fixture = Fixture::new();
        let mut scheduler = fixture.scheduler(fixture.settings());
        fixture.write("empty.png", "");
        fixture.look(&mut scheduler.folders[0], at(0));
        scheduler.folders[0].totals.done = 4;
        assert!(!log(&scheduler).unwrap());
        assert_eq!(fixture.log.lines(), ["finished: 4 done, 0 failed, 0 waiting"]);
    }

    #[test]
    fn what_waits_is_named_with_its_own_reason_or_that_of_its_watch() {
        let fixture = Fixture::new();
        let mut scheduler = fixture.scheduler(fixture.settings());
        let first = fixture.queue("a.png", "1");
        fixture.ledger.wait(&first, 1, None, Some("no image")).unwrap();
        fixture.queue("b.png", "2");
        let told = |scheduler: &Scheduler<'_>| {
            let before = fixture.told("unfinished: ").len();
            assert!(log(scheduler).unwrap());
            fixture.told("unfinished: ").split_off(before)
        };
        let own = "unfinished: w: a.png: waits: no image";
        assert_eq!(told(&scheduler), [own, "unfinished: w: b.png: waits: not processed yet"]);
        scheduler.folders[0].trouble = Some("disk full".into());
        assert_eq!(told(&scheduler), [own, "unfinished: w: b.png: waits: disk full"]);
    }

    #[test]
    fn so_many_are_named_and_the_others_counted() {
        let fixture = Fixture::new();
        let mut scheduler = fixture.scheduler(WatchSettings { attempts: 1, ..fixture.settings() });
        for index in 0..SUMMARY + 2 {
            give_up(&fixture, &mut scheduler, &format!("bad-{index}.png"));
        }
        fixture.queue("waits.png", "1");
        assert!(log(&scheduler).unwrap());
        let told = fixture.told("unfinished: ");
        assert_eq!(told.len(), SUMMARY + 1);
        assert_eq!(told[SUMMARY], "unfinished: 3 more; `partdiff watch status` names them");
        assert_eq!(fixture.told("finished: "), ["finished: 0 done, 22 failed, 1 waiting"]);
    }

    #[test]
    fn what_was_given_up_and_then_retried_by_hand_is_not_blamed_twice() {
        let fixture = Fixture::new();
        let mut scheduler = fixture.scheduler(WatchSettings { attempts: 1, ..fixture.settings() });
        give_up(&fixture, &mut scheduler, "bad.png");
        fixture.finish("bad.png", "mended", "result");
        // The run did fail in between.
        assert!(log(&scheduler).unwrap());
        assert!(fixture.told("unfinished: ").is_empty());
    }
}
