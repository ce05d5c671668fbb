use super::*;
use crate::fs::hash::sha256_hex;
use crate::watch::fixture::{DIGEST, Fixture, WATCH, at};
use crate::watch::settings::watch_settings::WatchSettings;

/// Has `contents` of a.png made into `result`.
fn make(fixture: &Fixture, scheduler: &mut Scheduler<'_>, contents: &str, result: &str) {
    fixture.queue("a.png", contents);
    let (job, made) = fixture.work("a.png", result);
    scheduler.made(job, &made, at(0)).unwrap();
}

/// Waits until originals are gone.
fn dispose(scheduler: &mut Scheduler<'_>) {
    while scheduler.folders[0].originals.pending() > 0 {
        std::thread::yield_now();
        scheduler.disposed().unwrap();
    }
}

fn file(name: &str, contents: &str) -> (String, String) {
    (name.into(), contents.into())
}

#[test]
fn a_result_of_its_own_is_replaced_and_one_that_was_touched_is_not() {
    let fixture = Fixture::new();
    let mut scheduler = fixture.scheduler(fixture.settings());
    make(&fixture, &mut scheduler, "1", "first");
    make(&fixture, &mut scheduler, "2", "second");
    assert_eq!(fixture.files("out"), [file("a.png", "second")]);
    fs::write(fixture.path("out/a.png"), "retouched").unwrap();
    make(&fixture, &mut scheduler, "3", "third");
    assert_eq!(fixture.files("out"), [file("a-2.png", "third"), file("a.png", "retouched")]);
    // From now on that is its result.
    make(&fixture, &mut scheduler, "4", "fourth");
    assert_eq!(fixture.files("out"), [file("a-2.png", "fourth"), file("a.png", "retouched")]);
}

#[test]
fn a_name_that_is_taken_is_numbered_replaced_or_refused_as_asked() {
    for (collision, names) in [
        (Collision::Number, [file("a-2.png", "result"), file("a.png", "foreign")].to_vec()),
        (Collision::Replace, [file("a.png", "result")].to_vec()),
        (Collision::Refuse, [file("a.png", "foreign")].to_vec()),
    ] {
        let fixture = Fixture::new();
        let mut scheduler = fixture.scheduler(WatchSettings { collision, ..fixture.settings() });
        fs::write(fixture.path("out/a.png"), "foreign").unwrap();
        make(&fixture, &mut scheduler, "1", "result");
        assert_eq!(fixture.files("out"), names, "{collision:?}");
        let entry = fixture.entry("a.png");
        if collision == Collision::Refuse {
            assert_eq!((entry.state, entry.attempts), (State::Queued, 1));
            let reason = entry.reason.unwrap();
            assert!(reason.contains("out/a.png exists already"), "{reason}");
        } else {
            assert_eq!(entry.state, State::Done);
        }
    }
}

#[test]
fn a_folder_of_the_results_name_is_the_files_fault_and_stays() {
    let fixture = Fixture::new();
    let settings = WatchSettings { collision: Collision::Replace, ..fixture.settings() };
    let mut scheduler = fixture.scheduler(settings);
    fs::create_dir(fixture.path("out/a.png")).unwrap();
    make(&fixture, &mut scheduler, "1", "result");
    assert_eq!(fixture.entry("a.png").attempts, 1);
    assert_eq!(scheduler.folders[0].paused, None);
    assert_eq!(fixture.files("out"), [file("a.png", "")]);
}

#[test]
fn the_original_goes_only_if_it_was_whole_also_after_a_restart() {
    for originals in [Originals::Delete, Originals::Move] {
        let fixture = Fixture::new();
        let move_to = (originals == Originals::Move).then(|| fixture.path("gone"));
        let settings = WatchSettings { originals, move_to, ..fixture.settings() };
        let mut scheduler = fixture.scheduler(settings.clone());
        make(&fixture, &mut scheduler, "whole", "result");
        fixture.queue("damaged.png", "half of it");
        let (job, made) = fixture.work("damaged.png", "recovered");
        let damage = Some("the second half is missing".into());
        scheduler.made(job, &Made { damage, ..made }, at(0)).unwrap();
        // How it was made cannot be read, so nobody knows.
        let unknown = fixture.finish("unknown.png", "?", "made by another version");
        let placed = Placed { details: "?".into(), ..unknown.result.clone().unwrap() };
        fixture.ledger.finish(&unknown, &placed).unwrap();
        dispose(&mut scheduler);
        let mut restarted = fixture.scheduler(settings);
        restarted.recover().unwrap();
        dispose(&mut restarted);
        let left = [file("damaged.png", "half of it"), file("unknown.png", "?")];
        assert_eq!(fixture.files("in"), left, "{originals:?}");
        assert!(fixture.entry("a.png").disposed && !fixture.entry("damaged.png").disposed);
        assert_eq!(fixture.told("damaged: "), ["damaged: w: damaged.png: the second half is missing"]);
        if originals == Originals::Move {
            assert_eq!(fixture.files("gone"), [file("a.png", "whole")]);
        }
    }
}

#[test]
fn an_original_that_was_to_go_when_the_process_died_goes_after_the_restart() {
    let fixture = Fixture::new();
    fixture.finish("a.png", "1", "result");
    fixture.finish("changed.png", "2", "result");
    fixture.write("changed.png", "3");
    let settings = WatchSettings { originals: Originals::Delete, ..fixture.settings() };
    let mut scheduler = fixture.scheduler(settings);
    scheduler.recover().unwrap();
    dispose(&mut scheduler);
    assert_eq!(fixture.files("in"), [file("changed.png", "3")]);
    assert_eq!(fixture.told("kept: ").len(), 1);
}

#[test]
fn a_result_that_was_renamed_but_not_written_down_is_done_after_a_restart() {
    let fixture = Fixture::new();
    for (name, in_place) in [("a.png", Some("result")), ("b.png", Some("another")), ("c.png", None)] {
        let entry = fixture.queue(name, name);
        let placed = fixture.placed(name, "result", &Made::default());
        fixture.ledger.start(&entry).unwrap();
        fixture.ledger.intend(&entry, &placed).unwrap();
        in_place.into_iter().for_each(|contents| fs::write(&placed.output, contents).unwrap());
    }
    let begun = fixture.queue("begun.png", "4");
    fixture.ledger.wait(&begun, 2, None, Some("why")).unwrap();
    fixture.ledger.start(&fixture.entry("begun.png")).unwrap();
    let mut scheduler = fixture.scheduler(fixture.settings());
    scheduler.recover().unwrap();
    let a = fixture.entry("a.png");
    assert_eq!((a.state, a.intent.as_ref()), (State::Done, None));
    assert!(a.is_made(&sha256_hex(b"a.png"), &DIGEST));
    for name in ["b.png", "c.png", "begun.png"] {
        let entry = fixture.entry(name);
        assert_eq!((entry.state, entry.intent, entry.result), (State::Queued, None, None), "{name}");
    }
    assert_eq!(fixture.entry("begun.png").attempts, 2);
}

#[test]
fn what_waits_at_the_start_is_made_with_the_settings_of_now() {
    let fixture = Fixture::new();
    let entry = fixture.queue("a.png", "1");
    fixture.ledger.queue(&entry, entry.stamp, &sha256_hex(b"1"), "settings of before").unwrap();
    fixture.scheduler(fixture.settings()).recover().unwrap();
    assert_eq!(fixture.entry("a.png").settings.as_deref(), Some(DIGEST.as_str()));
}

#[test]
fn a_bad_file_is_tried_again_at_growing_intervals_and_then_quarantined() {
    let fixture = Fixture::new();
    let mut scheduler = fixture.scheduler(fixture.settings());
    fixture.queue("bad.png", "1");
    let mut fail = || {
        let (job, _) = fixture.work("bad.png", "");
        let start = unix_millis();
        scheduler.failed(job, Fault::File, "no image", at(0)).unwrap();
        let entry = fixture.entry("bad.png");
        (entry.state, entry.attempts, entry.next_try.map(|next| next - start))
    };
    for (attempts, wait) in [(1, 5000), (2, 10_000)] {
        let (state, failures, next) = fail();
        assert_eq!((state, failures), (State::Queued, attempts));
        // The clock went on meanwhile.
        assert!((wait..wait + 4000).contains(&next.unwrap()), "{next:?}");
    }
    assert_eq!(fail(), (State::Failed, 3, None));
    assert_eq!(scheduler.folders[0].totals.failed, 1);
    assert_eq!(scheduler.given_up, [fixture.entry("bad.png").id]);
    let note = fs::read_to_string(fixture.path("state/quarantine/w/bad.png.reason.txt")).unwrap();
    assert!(note.ends_with("in/bad.png\nno image\nfailures: 3, worker crashes: 0\n"), "{note}");
    assert!(fixture.path("in/bad.png").exists() && fixture.path("state/quarantine/w/bad.png").exists());
    assert_eq!(fixture.told("failed: "), ["failed: w: bad.png: no image"]);
}

#[test]
fn files_that_are_given_up_are_moved_if_asked_below_a_name_that_is_one_folder() {
    let fixture = Fixture::new();
    let settings = WatchSettings {
        name: "../w".into(),
        attempts: 1,
        quarantine: Quarantine::Move,
        ..fixture.settings()
    };
    let mut scheduler = fixture.scheduler(settings);
    fixture.queue("bad.png", "1");
    let (job, _) = fixture.work("bad.png", "");
    scheduler.failed(job, Fault::File, "no image", at(0)).unwrap();
    assert!(!fixture.path("in/bad.png").exists());
    assert_eq!(fixture.files("state/quarantine/..-w")[0], file("bad.png", "1"));
}

#[test]
fn after_a_crash_over_several_files_each_is_tried_alone_and_a_second_one_alone_condemns() {
    let fixture = Fixture::new();
    let mut scheduler = fixture.scheduler(fixture.settings());
    let poison = fixture.queue("poison.png", "1");
    fixture.ledger.wait(&poison, 2, None, Some("an earlier failure")).unwrap();
    fixture.queue("good.png", "2");
    let work = |name: &str| fixture.work(name, "").0;
    scheduler.crashed(vec![work("poison.png"), work("good.png")], "it died").unwrap();
    for name in ["poison.png", "good.png"] {
        let entry = fixture.entry(name);
        assert_eq!((entry.state, entry.crashes, entry.next_try), (State::Queued, 1, None), "{name}");
    }
    assert!(fixture.told("crash: ").iter().all(|line| line.ends_with("it died; tried again, alone")));
    scheduler.crashed(vec![work("poison.png")], "it died").unwrap();
    assert_eq!((fixture.state("poison.png"), fixture.state("good.png")), (State::Failed, State::Queued));
    assert_eq!(scheduler.deaths, 2);
    let note = fs::read_to_string(fixture.path("state/quarantine/w/poison.png.reason.txt")).unwrap();
    assert!(note.ends_with("it died\nfailures: 2, worker crashes: 2\n"), "{note}");
}

#[test]
fn a_file_that_was_alone_when_the_worker_died_waits_before_it_is_tried_again() {
    let fixture = Fixture::new();
    let mut scheduler = fixture.scheduler(fixture.settings());
    fixture.queue("a.png", "1");
    let start = unix_millis();
    scheduler.crashed(vec![fixture.work("a.png", "").0], "it died").unwrap();
    let entry = fixture.entry("a.png");
    assert_eq!((entry.state, entry.crashes), (State::Queued, 1));
    assert!(entry.next_try.unwrap() >= start + 5000);
    assert_eq!(fixture.told("crash: "), ["crash: w: a.png: it died; tried again in 5.0 s"]);
}

#[test]
fn faults_of_the_surroundings_pause_the_watch_and_count_against_no_file() {
    let fixture = Fixture::new();
    let mut scheduler = fixture.scheduler(fixture.settings());
    for name in ["a.png", "b.png", "c.png", "d.png"] {
        fixture.queue(name, name);
    }
    let work = |name: &str| fixture.work(name, "").0;
    let (a, b) = (work("a.png"), work("b.png"));
    scheduler.failed(a, Fault::Place, "disk full", at(100)).unwrap();
    assert_eq!(scheduler.folders[0].paused, Some(at(105)));
    // What was given out meets the same fault, which is told once.
    scheduler.failed(b, Fault::Place, "disk full", at(101)).unwrap();
    assert_eq!((scheduler.folders[0].paused, scheduler.folders[0].faults), (Some(at(105)), 1));
    assert_eq!(fixture.told("paused: "), ["paused: w: disk full; tried again in 5.0 s"]);
    for name in ["a.png", "b.png"] {
        let entry = fixture.entry(name);
        assert_eq!((entry.state, entry.attempts, entry.crashes), (State::Queued, 0, 0));
        assert_eq!(entry.reason.as_deref(), Some("disk full"));
    }
    assert!(scheduler.next(at(104)).unwrap().is_none());
    // Behind the others, in case it was the file after all.
    let (_, next) = scheduler.next(at(105)).unwrap().unwrap();
    assert_eq!(next.path, Path::new("c.png"));
    scheduler.failed(work("c.png"), Fault::Place, "disk full", at(106)).unwrap();
    assert_eq!(scheduler.folders[0].paused, Some(at(116)));
    let (job, made) = fixture.work("d.png", "result");
    scheduler.made(job, &made, at(117)).unwrap();
    let folder = &scheduler.folders[0];
    assert_eq!((folder.paused, folder.faults, folder.trouble.as_deref()), (None, 0, None));
    assert_eq!(fixture.told("resumed: "), ["resumed: w"]);
}

#[test]
fn without_its_output_folder_a_watch_pauses_and_looks_again_soon() {
    let fixture = Fixture::new();
    let mut scheduler = fixture.scheduler(fixture.settings());
    fixture.queue("a.png", "1");
    fs::remove_dir(fixture.path("out")).unwrap();
    for fault in 0..5 {
        assert!(scheduler.next(at(fault * 10)).unwrap().is_none());
        assert!(scheduler.folders[0].paused.unwrap() <= at(fault * 10 + 10));
    }
    let trouble = scheduler.folders[0].trouble.clone().unwrap();
    assert!(trouble.ends_with("/out is unavailable"), "{trouble}");
    fs::create_dir(fixture.path("out")).unwrap();
    assert!(scheduler.next(at(50)).unwrap().is_some());
    // What mirrors a folder cannot be made either.
    fs::write(fixture.path("out/sub"), "a file").unwrap();
    let entry = Entry { path: "sub/b.png".into(), ..fixture.entry("a.png") };
    assert_eq!(scheduler.folder_of_result(0, &entry, at(50)).unwrap(), None);
    assert!(scheduler.folders[0].paused.is_some());
}

#[test]
fn outside_its_hours_a_watch_gives_out_nothing_and_says_so_once() {
    let fixture = Fixture::new();
    let hour = jiff::Zoned::now().hour();
    let hours = format!("{}:00-{}:00", (hour + 2) % 24, (hour + 22) % 24).parse().unwrap();
    let mut scheduler = fixture.scheduler(WatchSettings { hours: Some(hours), ..fixture.settings() });
    // Without anything to do there is nothing to say.
    assert!(scheduler.next(at(0)).unwrap().is_none());
    assert_eq!(scheduler.folders[0].trouble, None);
    fixture.queue("a.png", "1");
    for second in 0..3 {
        assert!(scheduler.next(at(second)).unwrap().is_none());
    }
    assert_eq!(fixture.told("paused: w: outside its working hours").len(), 1);
    scheduler.folders[0].settings.hours = None;
    assert!(scheduler.next(at(4)).unwrap().is_some());
    assert_eq!(
        (fixture.told("resumed: "), &scheduler.folders[0].trouble),
        (vec!["resumed: w".into()], &None)
    );
}

#[test]
fn contents_that_changed_during_the_work_settle_again() {
    let fixture = Fixture::new();
    let mut scheduler = fixture.scheduler(fixture.settings());
    for name in ["a.png", "b.png", "gone.png"] {
        fixture.queue(name, "1");
    }
    let (a, made) = fixture.work("a.png", "result");
    let (b, gone) = (fixture.work("b.png", "").0, fixture.work("gone.png", "").0);
    fixture.write("a.png", "more");
    fs::remove_file(fixture.path("in/gone.png")).unwrap();
    scheduler.made(a, &made, at(0)).unwrap();
    scheduler.failed(b, Fault::Moving, "the file changed", at(0)).unwrap();
    scheduler.failed(gone, Fault::Moving, "the file changed", at(0)).unwrap();
    for name in ["a.png", "b.png"] {
        assert_eq!(fixture.state(name), State::Settling, "{name}");
    }
    assert!(fixture.entry("a.png").result.is_some());
    assert_eq!(fixture.entry("b.png").attempts, 0);
    assert_eq!(fixture.known("gone.png"), None);
}

#[test]
fn a_file_that_the_worker_must_not_read_is_looked_at_again_and_keeps_its_attempts() {
    let fixture = Fixture::new();
    let mut scheduler = fixture.scheduler(fixture.settings());
    let entry = fixture.queue("a.png", "1");
    fixture.ledger.wait(&entry, 1, None, None).unwrap();
    let (job, _) = fixture.work("a.png", "");
    scheduler.failed(job, Fault::Unreadable, "permission denied", at(7)).unwrap();
    let entry = fixture.entry("a.png");
    assert_eq!((entry.state, entry.attempts), (State::Seen, 1));
    assert_eq!(entry.reason.as_deref(), Some("permission denied"));
    assert_eq!(scheduler.folders[0].settler.next_look(), Some(at(27)));
}

#[test]
fn an_earlier_result_of_the_same_contents_is_copied_with_what_is_known_of_its_damage() {
    let fixture = Fixture::new();
    let scheduler = fixture.scheduler(fixture.settings());
    let twin = fixture.finish("a.png", "same", "result");
    let made = Made { damage: Some("half is missing".into()), ..Made::default() };
    fixture.ledger.finish(&twin, &fixture.placed("a.png", "result", &made)).unwrap();
    let ready = |name: &str| scheduler.ready(0, &fixture.queue(name, "same")).unwrap();
    let found = ready("b.png").unwrap();
    assert_eq!((found.path, found.made), (fixture.path("out/a.png"), made));
    // The extension tells the format.
    assert_eq!(ready("b.tif"), None);
    assert_eq!(scheduler.ready(0, &fixture.queue("c.png", "others")).unwrap(), None);
    fs::remove_file(fixture.path("out/a.png")).unwrap();
    assert_eq!(ready("b.png"), None);
    assert_eq!(fixture.entry("a.png").watch, WATCH);
}
