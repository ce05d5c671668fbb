use std::fs;
use std::path::Path;

use super::*;
use crate::fs::hash::sha256_hex;
use crate::watch::daemon::signals::Signal;
use crate::watch::fixture::{Fixture, at};
use crate::watch::ledger::entry::State;
use crate::watch::worker::failure::Fault;
use crate::watch::worker::protocol::Made;

/// A worker that takes everything and says nothing of use.
const SILENT: &str = "echo 'a library says hello'; cat";

/// Names of what the worker has.
fn given(daemon: &Daemon<'_>) -> Vec<String> {
    let jobs = daemon.running.iter().flat_map(|running| &running.jobs);
    jobs.map(|job| job.entry.path.display().to_string()).collect()
}

/// The worker has made `name`.
fn answer(fixture: &Fixture, daemon: &mut Daemon<'_>, name: &str) {
    let (id, jobs) = (fixture.entry(name).id, &daemon.running.as_ref().unwrap().jobs);
    fs::write(&jobs.iter().find(|job| job.entry.id == id).unwrap().temporary, name).unwrap();
    let made = Made { hash: sha256_hex(name.as_bytes()), ext: "png".into(), ..Made::default() };
    let reply = Reply::Made { id, made: Box::new(made) };
    daemon.worker_event(daemon.generation, WorkerEvent::Reply(reply)).unwrap();
}

/// What the worker says next.
fn hear(daemon: &Daemon<'_>) -> (u64, WorkerEvent) {
    loop {
        if let Message::WorkerEvent(generation, event) = daemon.receiver.recv().unwrap() {
            return (generation, event);
        }
    }
}

#[test]
fn the_worker_gets_as_many_jobs_as_it_can_have() {
    let fixture = Fixture::new();
    for name in ["a.png", "b.png", "c.png"] {
        fixture.queue(name, name);
    }
    let mut daemon = fixture.daemon(fixture.settings(), SILENT);
    daemon.window = 2;
    daemon.dispatch(at(0)).unwrap();
    assert_eq!(given(&daemon), ["a.png", "b.png"]);
    assert_eq!((fixture.state("b.png"), fixture.state("c.png")), (State::Running, State::Queued));
    answer(&fixture, &mut daemon, "b.png");
    daemon.dispatch(at(0)).unwrap();
    assert_eq!(given(&daemon), ["a.png", "c.png"]);
    assert_eq!(daemon.generation, 1);
}

#[test]
fn the_same_contents_wait_for_the_first_result() {
    let fixture = Fixture::new();
    fixture.queue("a.png", "same");
    fixture.queue("b.png", "same");
    let mut daemon = fixture.daemon(fixture.settings(), SILENT);
    daemon.dispatch(at(0)).unwrap();
    assert_eq!(given(&daemon), ["a.png"]);
    answer(&fixture, &mut daemon, "a.png");
    daemon.dispatch(at(0)).unwrap();
    assert_eq!(given(&daemon), ["b.png"]);
    let ready = daemon.scheduler.ready(0, &fixture.entry("b.png")).unwrap().unwrap();
    assert_eq!(ready.path, fixture.path("out/a.png"));
}

#[test]
fn what_was_in_a_worker_that_died_is_made_alone() {
    let fixture = Fixture::new();
    let suspect = fixture.queue("suspect.png", "1");
    fixture.ledger.crash(&suspect, None, "it died").unwrap();
    fixture.queue("a.png", "2");
    let mut daemon = fixture.daemon(fixture.settings(), SILENT);
    daemon.dispatch(at(0)).unwrap();
    assert_eq!(given(&daemon), ["a.png"]);
    answer(&fixture, &mut daemon, "a.png");
    daemon.dispatch(at(0)).unwrap();
    fixture.queue("b.png", "3");
    daemon.dispatch(at(0)).unwrap();
    assert_eq!(given(&daemon), ["suspect.png"]);
    answer(&fixture, &mut daemon, "suspect.png");
    daemon.dispatch(at(0)).unwrap();
    assert_eq!((given(&daemon), fixture.entry("suspect.png").crashes), (vec!["b.png".into()], 0));
}

#[test]
fn a_worker_that_dies_leaves_no_temporary_and_the_next_one_gets_its_jobs() {
    let fixture = Fixture::new();
    fixture.queue("a.png", "1");
    fixture.queue("b.png", "2");
    let script = "read setup; read first; read second; exit 3";
    let mut daemon = fixture.daemon(fixture.settings(), script);
    daemon.dispatch(at(0)).unwrap();
    for job in &daemon.running.as_ref().unwrap().jobs {
        fs::write(&job.temporary, "half").unwrap();
    }
    let (generation, event) = hear(&daemon);
    daemon.worker_event(generation, event).unwrap();
    assert!(daemon.running.is_none());
    assert!(fixture.files("out").is_empty());
    let reason = fixture.entry("a.png").reason.unwrap();
    assert_eq!(reason, "the worker died: it exited unexpectedly (exit status: 3)");
    assert_eq!(daemon.scheduler.deaths, 1);
    daemon.dispatch(at(0)).unwrap();
    assert_eq!((given(&daemon), daemon.generation), (vec!["a.png".into()], 2));
}

#[test]
fn a_worker_that_dies_without_work_is_started_again_only_after_a_wait() {
    let fixture = Fixture::new();
    let mut daemon = fixture.daemon(fixture.settings(), SILENT);
    assert!(daemon.begin(at(0)));
    daemon.died("it exited unexpectedly", at(0)).unwrap();
    fixture.queue("a.png", "1");
    daemon.dispatch(at(4)).unwrap();
    assert!(daemon.running.is_none());
    daemon.dispatch(at(5)).unwrap();
    assert_eq!(given(&daemon), ["a.png"]);
    // What was made ends the row of failures.
    assert_eq!(daemon.restarts, 1);
    answer(&fixture, &mut daemon, "a.png");
    assert_eq!(daemon.restarts, 0);
    assert_eq!(fixture.told("paused: the worker died: it exited unexpectedly").len(), 1);
}

#[test]
fn a_worker_that_cannot_be_started_costs_no_file_anything() {
    let fixture = Fixture::new();
    fixture.queue("a.png", "1");
    let mut daemon = fixture.daemon(fixture.settings(), SILENT);
    daemon.worker = Box::new(|| std::process::Command::new("/nowhere/partdiff"));
    for (now, generation) in [(0, 1), (4, 1), (5, 2), (14, 2), (15, 3)] {
        daemon.dispatch(at(now)).unwrap();
        assert_eq!(daemon.generation, generation, "{now}");
    }
    let entry = fixture.entry("a.png");
    assert_eq!((entry.state, entry.attempts, entry.crashes), (State::Queued, 0, 0));
    assert_eq!(fixture.told("paused: cannot start the worker: ").len(), 1);
    let error = daemon.check_worker().unwrap_err();
    assert_eq!(error.to_string(), "cannot start the worker process");
}

#[test]
fn answers_of_an_earlier_worker_and_about_unknown_jobs_change_nothing() {
    let fixture = Fixture::new();
    let id = fixture.queue("a.png", "1").id;
    let mut daemon = fixture.daemon(fixture.settings(), SILENT);
    daemon.dispatch(at(0)).unwrap();
    let failed = |id| WorkerEvent::Reply(Reply::Failed { id, fault: Fault::File, reason: "bad".into() });
    daemon.worker_event(0, failed(id)).unwrap();
    daemon.worker_event(0, WorkerEvent::Ended).unwrap();
    daemon.worker_event(1, failed(id + 1)).unwrap();
    assert_eq!((given(&daemon), fixture.state("a.png")), (vec!["a.png".into()], State::Running));
    daemon.worker_event(1, failed(id)).unwrap();
    assert_eq!((given(&daemon).len(), fixture.entry("a.png").attempts), (0, 1));
}

#[test]
fn only_a_busy_worker_can_be_silent_for_too_long() {
    let fixture = Fixture::new();
    let mut daemon = fixture.daemon(fixture.settings(), SILENT);
    daemon.service.stall = Duration::ZERO;
    assert!(daemon.begin(at(0)));
    daemon.supervise().unwrap();
    assert!(daemon.running.is_some());
    fixture.queue("a.png", "1");
    daemon.dispatch(at(0)).unwrap();
    daemon.supervise().unwrap();
    assert!(daemon.running.is_none());
    let reason = fixture.entry("a.png").reason.unwrap();
    assert!(reason.starts_with("the worker died: it did not respond for too long"), "{reason}");
}

#[test]
fn the_end_puts_back_what_was_worked_on_as_it_was() {
    let fixture = Fixture::new();
    let entry = fixture.queue("a.png", "1");
    fixture.ledger.wait(&entry, 2, Some(3), Some("an earlier failure")).unwrap();
    let mut daemon = fixture.daemon(fixture.settings(), SILENT);
    daemon.dispatch(at(0)).unwrap();
    let temporary = daemon.running.as_ref().unwrap().jobs[0].temporary.clone();
    fs::write(&temporary, "half").unwrap();
    daemon.stop().unwrap();
    let entry = fixture.entry("a.png");
    assert_eq!((entry.state, entry.attempts, entry.crashes), (State::Queued, 2, 0));
    assert_eq!((entry.next_try, entry.reason.as_deref()), (Some(3), Some("an earlier failure")));
    assert!(!temporary.exists());
}

#[test]
fn results_are_written_beside_their_place_under_a_name_that_a_later_start_sweeps() {
    let fixture = Fixture::new();
    fs::create_dir(fixture.path("in/sub")).unwrap();
    fixture.queue("sub/a.png", "1");
    let mut daemon = fixture.daemon(fixture.settings(), SILENT);
    daemon.dispatch(at(0)).unwrap();
    let temporary = daemon.running.as_ref().unwrap().jobs[0].temporary.clone();
    assert_eq!(temporary.parent(), Some(fixture.path("out/sub").as_path()));
    fs::write(&temporary, "half").unwrap();
    crate::watch::daemon::place::sweep(Path::new(&fixture.path("out")), &daemon.mark);
    assert!(!temporary.exists());
}

#[test]
fn the_start_says_what_the_worker_says_of_the_model() {
    let refused = |script: &str| {
        let fixture = Fixture::new();
        let mut daemon = fixture.daemon(fixture.settings(), script);
        daemon.check_worker().map_err(|error| error.to_string())
    };
    let says = |reply: &str| format!("read setup; read load; echo 'noise'; echo '{reply}'; cat");
    let loaded = r#"{"event":"loaded","provider":"cpu"}"#;
    assert_eq!(refused(&says(loaded)), Ok(()));
    let refusal = r#"{"event":"refused","reason":"there is no GPU"}"#;
    assert_eq!(refused(&says(refusal)), Err("there is no GPU".into()));
    let ended = refused("read setup; read load").unwrap_err();
    assert_eq!(ended, "the worker ended while it loaded natural-x4");
    let fixture = Fixture::new();
    let mut daemon = fixture.daemon(fixture.settings(), SILENT);
    daemon.sender().send(Message::Signal(Signal::Stop)).unwrap();
    assert_eq!(daemon.check_worker().unwrap_err().kind(), ErrorKind::Cancelled);
}
