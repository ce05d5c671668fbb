use super::*;
use crate::fs::hash::sha256_hex;
use crate::watch::fixture::{DIGEST, Fixture, WATCH, at};

/// Gives a file other times.
fn touch(fixture: &Fixture, name: &str) {
    let file = fs::File::options().append(true).open(fixture.path("in").join(name)).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
}

#[test]
fn a_result_that_is_dropped_into_the_watched_folder_is_ignored_and_told_once() {
    let fixture = Fixture::new();
    let mut folder = fixture.folder(fixture.settings());
    fixture.finish("a.png", "1", "result");
    fixture.write("back.png", "result");
    fixture.look(&mut folder, at(0));
    let entry = fixture.entry("back.png");
    assert_eq!((entry.state, entry.reason.as_deref()), (State::Ignored, Some("is a result of this watch")));
    touch(&fixture, "back.png");
    fixture.look(&mut folder, at(1));
    fixture.look(&mut folder, at(2));
    assert_eq!(fixture.state("back.png"), State::Ignored);
    assert_eq!(fixture.told("ignored: w: back.png: is a result of this watch").len(), 2);
    fixture.write("back.png", "an image");
    fixture.look(&mut folder, at(3));
    assert_eq!(fixture.state("back.png"), State::Queued);
}

#[test]
fn contents_that_were_made_or_given_up_are_not_done_again_for_other_times() {
    let fixture = Fixture::new();
    let mut folder = fixture.folder(fixture.settings());
    fixture.finish("made.png", "1", "result");
    let bad = fixture.queue("bad.png", "2");
    fixture.ledger.fail(&bad, 3, "no image").unwrap();
    let few = fixture.queue("few.png", "3");
    fixture.ledger.fail(&few, 2, "given up when fewer attempts were allowed").unwrap();
    for name in ["made.png", "bad.png", "few.png"] {
        touch(&fixture, name);
    }
    fixture.look(&mut folder, at(0));
    let states = ["made.png", "bad.png", "few.png"].map(|name| fixture.state(name));
    assert_eq!(states, [State::Done, State::Failed, State::Queued]);
    let stamp = Stamp::of(&fs::metadata(fixture.path("in/made.png")).unwrap());
    assert_eq!(fixture.entry("made.png").stamp, stamp);
    assert_eq!(fixture.entry("bad.png").reason.as_deref(), Some("no image"));
    // New contents are new.
    fixture.write("made.png", "10");
    fixture.write("bad.png", "20");
    fixture.look(&mut folder, at(1));
    for name in ["made.png", "bad.png"] {
        let entry = fixture.entry(name);
        assert_eq!((entry.state, entry.attempts, entry.reason), (State::Queued, 0, None), "{name}");
    }
}

#[test]
fn changed_settings_count_for_files_that_are_touched() {
    let fixture = Fixture::new();
    let mut settings = fixture.settings();
    settings.upscale.seed = 7;
    let mut folder = fixture.folder(settings);
    assert_ne!(folder.digest, *DIGEST);
    for name in ["a.png", "touched.png"] {
        fixture.finish(name, name, "result");
    }
    touch(&fixture, "touched.png");
    fixture.look(&mut folder, at(0));
    assert_eq!((fixture.state("a.png"), fixture.state("touched.png")), (State::Done, State::Queued));
    assert_eq!(fixture.entry("touched.png").settings.as_deref(), Some(folder.digest.as_str()));
}

#[test]
fn a_file_that_cannot_be_read_is_tried_again_later_and_is_no_work_to_wait_for() {
    let fixture = Fixture::new();
    let mut folder = fixture.folder(fixture.settings());
    let stamp = fixture.write("a.png", "1");
    fixture.ledger.see(WATCH, Path::new("a.png"), stamp, State::Settling).unwrap();
    let denied = || Err(io::ErrorKind::PermissionDenied.into());
    folder.scanned = true;
    folder.settled(Path::new("a.png"), stamp, denied(), &fixture.ledger, &fixture.log, at(0)).unwrap();
    let entry = fixture.entry("a.png");
    assert_eq!((entry.state, entry.reason.as_deref()), (State::Seen, Some("permission denied")));
    assert_eq!(
        fixture.told("unreadable: "),
        ["unreadable: w: a.png: permission denied; tried again in 20 s"]
    );
    assert_eq!(folder.settler.next_look(), Some(at(20)));
    assert_eq!(folder.growing(), 0);
    // Walks in between do not hurry.
    fixture.look(&mut folder, at(19));
    assert_eq!(fixture.state("a.png"), State::Seen);
    folder.poll(&fixture.ledger, &fixture.log, at(20)).unwrap();
    fixture.look(&mut folder, at(20));
    assert_eq!(fixture.state("a.png"), State::Queued);
    assert_eq!(fixture.entry("a.png").reason, None);
}

#[test]
fn a_file_that_changed_or_went_away_while_it_was_read_is_not_queued() {
    let fixture = Fixture::new();
    let mut folder = fixture.folder(fixture.settings());
    let old = fixture.write("a.png", "1");
    for name in ["a.png", "gone.png"] {
        fixture.ledger.see(WATCH, Path::new(name), old, State::Settling).unwrap();
    }
    fixture.write("a.png", "12");
    folder.scanned = true;
    let mut settled = |name: &str, hash| {
        folder.settled(Path::new(name), old, hash, &fixture.ledger, &fixture.log, at(0)).unwrap();
        folder.growing()
    };
    assert_eq!(settled("a.png", Ok("hash of the old contents".into())), 1);
    assert_eq!(fixture.state("a.png"), State::Settling);
    assert_eq!(settled("gone.png", Err(io::ErrorKind::NotFound.into())), 1);
    assert_eq!(fixture.known("gone.png"), None);
    // It was forgotten by hand meanwhile.
    let new = fixture.write("forgotten.png", "2");
    let hash = Ok(sha256_hex(b"2"));
    folder.settled(Path::new("forgotten.png"), new, hash, &fixture.ledger, &fixture.log, at(0)).unwrap();
    assert_eq!(fixture.state("forgotten.png"), State::Settling);
}

#[test]
fn files_of_the_first_start_are_left_alone_until_they_change() {
    let fixture = Fixture::new();
    let settings = WatchSettings { ignore_existing: true, ..fixture.settings() };
    fixture.write("old.png", "1");
    fixture.write("old.xmp", "its sidecar");
    let mut folder = fixture.folder(settings.clone());
    fixture.look(&mut folder, at(0));
    let entry = fixture.entry("old.png");
    assert_eq!(
        (entry.state, entry.reason.as_deref()),
        (State::Ignored, Some("was there at the first start"))
    );
    assert_eq!(fixture.known("old.xmp"), None);
    // Another start is not the first one.
    fixture.write("new.png", "2");
    let mut restarted = fixture.folder(settings);
    fixture.look(&mut restarted, at(0));
    assert_eq!((fixture.state("old.png"), fixture.state("new.png")), (State::Ignored, State::Queued));
    fixture.write("old.png", "another");
    fixture.look(&mut restarted, at(1));
    assert_eq!(fixture.state("old.png"), State::Queued);
}

#[test]
fn what_vanished_while_no_daemon_ran_is_not_waited_for_and_results_are_remembered() {
    let fixture = Fixture::new();
    for name in ["queued.png", "settling.png", "bad.png", "there.png"] {
        fixture.queue(name, name);
    }
    let stamp = fixture.entry("queued.png").stamp;
    fixture.ledger.see(WATCH, Path::new("settling.png"), stamp, State::Settling).unwrap();
    fixture.ledger.fail(&fixture.entry("bad.png"), 3, "no image").unwrap();
    fixture.finish("made.png", "1", "result");
    fixture.queue("made.png", "2");
    for name in ["queued.png", "settling.png", "bad.png", "made.png"] {
        fs::remove_file(fixture.path("in").join(name)).unwrap();
    }
    let mut folder = fixture.folder(fixture.settings());
    fixture.look(&mut folder, at(0));
    assert_eq!((fixture.known("queued.png"), fixture.known("settling.png")), (None, None));
    assert_eq!((fixture.state("bad.png"), fixture.state("there.png")), (State::Failed, State::Queued));
    let made = fixture.entry("made.png");
    assert_eq!((made.state, made.disposed), (State::Done, true));
}

#[test]
fn nothing_is_concluded_from_a_watched_folder_that_is_away() {
    let fixture = Fixture::new();
    fixture.queue("a.png", "1");
    let mut folder = fixture.folder(fixture.settings());
    fs::rename(fixture.path("in"), fixture.path("away")).unwrap();
    folder.poll(&fixture.ledger, &fixture.log, at(0)).unwrap();
    assert_eq!(fixture.state("a.png"), State::Queued);
    let told = fixture.told("away: ");
    assert!(told[0].starts_with("away: w: ") && told[0].contains("/in is unavailable"), "{told:?}");
    // Looked at again soon, and still not begun.
    assert!(folder.next_deadline() <= at(10) && !fixture.ledger.knows(WATCH).unwrap());
    assert_eq!(folder.growing(), 1);
    folder.gone(Path::new("a.png"), &fixture.ledger).unwrap();
    assert_eq!(fixture.state("a.png"), State::Queued);
    fs::rename(fixture.path("away"), fixture.path("in")).unwrap();
    fixture.look(&mut folder, at(10));
    assert!(fixture.ledger.knows(WATCH).unwrap());
    assert_eq!(folder.growing(), 0);
}

#[test]
fn an_empty_file_waits_for_its_contents() {
    let fixture = Fixture::new();
    let mut folder = fixture.folder(fixture.settings());
    fixture.write("a.png", "");
    fixture.look(&mut folder, at(0));
    assert_eq!(fixture.state("a.png"), State::Seen);
    fixture.write("a.png", "1");
    folder
        .hint(Hint::Look(fixture.path("in/a.png"), Sign::Complete), &fixture.ledger, &fixture.log, at(1))
        .unwrap();
    assert_eq!(fixture.state("a.png"), State::Settling);
    fixture.look(&mut folder, at(1));
    assert_eq!(fixture.state("a.png"), State::Queued);
}

#[test]
fn hints_ask_for_a_walk_where_folders_changed_and_for_nothing_where_others_are_meant() {
    let fixture = Fixture::new();
    let mut folder = fixture.folder(WatchSettings { recursive: true, ..fixture.settings() });
    fixture.look(&mut folder, at(0));
    let usual = folder.next_deadline();
    fs::create_dir(fixture.path("in/sub")).unwrap();
    fs::write(fixture.path("other.png"), "1").unwrap();
    for (path, walks) in [("other.png", false), ("in/none.png", false), ("in", true), ("in/sub", true)] {
        folder.next_scan = usual;
        let hint = Hint::Look(fixture.path(path), Sign::Found);
        folder.hint(hint, &fixture.ledger, &fixture.log, at(60)).unwrap();
        assert_eq!(folder.next_deadline() < usual, walks, "{path}");
    }
    assert!(fixture.ledger.list(None, 9).unwrap().is_empty());
}

#[test]
fn what_is_worked_on_is_left_to_the_end_of_the_work() {
    let fixture = Fixture::new();
    let mut folder = fixture.folder(fixture.settings());
    fixture.queue("a.png", "1");
    fixture.work("a.png", "");
    fixture.write("a.png", "2 and more");
    fixture.look(&mut folder, at(0));
    assert_eq!(fixture.state("a.png"), State::Running);
    assert!(folder.settler.is_empty());
}

#[test]
fn too_little_space_is_a_problem_of_the_output_folder() {
    let fixture = Fixture::new();
    let mut folder = fixture.folder(fixture.settings());
    assert_eq!(folder.output_problem(), None);
    folder.settings.min_free = "9000T".parse().unwrap();
    let problem = folder.output_problem().unwrap();
    assert!(
        problem.starts_with("w: too little space for results: less than 9216000.0 GiB is free in "),
        "{problem}"
    );
}
