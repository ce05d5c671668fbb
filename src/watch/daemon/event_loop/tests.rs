use std::fs;
use std::path::Path;

use super::*;
use crate::watch::fixture::{Fixture, WATCH, at};
use crate::watch::ledger::entry::State;
use crate::watch::source::settle::Sign;

/// A worker that finds every file bad.
const STRICT: &str = r#"read setup
    while read -r order; do
        id=${order#*\"id\":}
        echo "{\"event\":\"failed\",\"id\":${id%%,*},\"fault\":\"file\",\"reason\":\"no image\"}"
    done"#;

#[test]
fn a_run_that_ends_by_itself_says_what_it_could_not_do() {
    let fixture = Fixture::new();
    for name in ["a.png", "b.png"] {
        fixture.write(name, name);
    }
    fixture.finish("made.png", "1", "result");
    let settings = WatchSettings { attempts: 1, ..fixture.settings() };
    let end = fixture.daemon(settings.clone(), STRICT).run().unwrap();
    assert_eq!(end, End::Finished { failures: true });
    for name in ["a.png", "b.png"] {
        assert_eq!(fixture.state(name), State::Failed);
    }
    assert_eq!(fixture.log.lines().last().unwrap(), "finished: 0 done, 2 failed, 0 waiting");
    assert_eq!(fixture.told("unfinished: w: a.png: given up: no image").len(), 1);
    // Another run finds nothing to do, and starts no worker for it.
    let mut daemon = fixture.daemon(settings, STRICT);
    assert_eq!(daemon.run().unwrap(), End::Finished { failures: false });
    assert_eq!(daemon.generation, 0);
}

#[test]
fn a_run_that_ends_by_itself_does_not_wait_for_what_it_cannot_read() {
    let fixture = Fixture::new();
    let stamp = fixture.write("locked.png", "1");
    let mut daemon = fixture.daemon(fixture.settings(), STRICT);
    fixture.look(&mut daemon.scheduler.folders[0], at(0));
    let locked = Path::new("locked.png");
    daemon.scheduler.folders[0]
        .cannot_read(locked, stamp, "permission denied", &fixture.ledger, &fixture.log, at(0))
        .unwrap();
    assert_eq!(daemon.run().unwrap(), End::Finished { failures: true });
    assert_eq!(fixture.told("unfinished: "), ["unfinished: w: locked.png: waits: permission denied"]);
    assert_eq!(fixture.log.lines().last().unwrap(), "finished: 0 done, 0 failed, 1 waiting");
}

#[test]
fn signals_end_the_work_and_what_was_begun_is_queued_again() {
    for (signal, end) in [(Signal::Stop, End::Stopped), (Signal::Reload, End::Reload)] {
        let fixture = Fixture::new();
        fixture.queue("a.png", "1");
        let mut daemon = fixture.daemon(fixture.settings(), "cat");
        daemon.service.once = false;
        daemon.sender().send(Message::Signal(signal)).unwrap();
        assert_eq!(daemon.run().unwrap(), end);
        assert_eq!((daemon.generation, fixture.state("a.png")), (1, State::Queued));
        assert!(daemon.running.is_none());
    }
}

#[test]
fn a_burst_of_hints_drowns_no_signal() {
    let fixture = Fixture::new();
    let mut daemon = fixture.daemon(fixture.settings(), "cat");
    let path = fixture.path("in/a.png");
    fs::write(&path, "1").unwrap();
    for _ in 0..50 {
        daemon.sender.send(Message::Hint(0, Hint::Look(path.clone(), Sign::Complete))).unwrap();
    }
    daemon.sender.send(Message::Signal(Signal::Stop)).unwrap();
    daemon.hints(0, Hint::Scan).unwrap();
    assert_eq!(fixture.state("a.png"), State::Settling);
    let left: Vec<_> =
        daemon.receiver.try_iter().filter(|message| matches!(message, Message::Signal(_))).collect();
    assert_eq!(left.len(), 1);
}

#[test]
fn changes_of_the_ledger_by_others_have_the_folders_looked_at() {
    let fixture = Fixture::new();
    let mut daemon = fixture.daemon(fixture.settings(), "cat");
    fixture.look(&mut daemon.scheduler.folders[0], at(0));
    let usual = daemon.scheduler.folders[0].next_deadline();
    daemon.notice_changes(at(1)).unwrap();
    fixture.queue("a.png", "1");
    daemon.notice_changes(at(1)).unwrap();
    assert_eq!(daemon.scheduler.folders[0].next_deadline(), usual);
    let other = Ledger::open(&fixture.path("state")).unwrap();
    assert_eq!(other.retry(Some(Path::new("a.png"))).unwrap().len(), 1);
    daemon.notice_changes(at(1)).unwrap();
    assert_eq!(daemon.scheduler.folders[0].next_deadline(), at(1));
}

#[test]
fn temporaries_that_an_earlier_process_left_are_swept_at_the_start() {
    let fixture = Fixture::new();
    let mut daemon = fixture.daemon(fixture.settings(), "cat");
    let ours = format!("out/.partdiff-watch-{}-1-1", daemon.mark);
    for name in [ours.as_str(), "out/.partdiff-watch-another-1-1"] {
        fs::write(fixture.path(name), "half").unwrap();
    }
    assert_eq!(daemon.run().unwrap(), End::Finished { failures: false });
    assert_eq!(fixture.files("out").len(), 1);
    assert!(fixture.ledger.knows(WATCH).unwrap());
}
