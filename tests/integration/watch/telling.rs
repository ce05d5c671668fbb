//! What the daemon tells people and programs.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use serde_json::Value;

use super::place::{Place, ppm};
use super::stub::once;

#[test]
fn every_failed_try_is_told_with_its_reason_and_the_next() {
    let place = Place::new();
    fs::write(place.path("in/bad.ppm"), &ppm(8, 1)[..90]).unwrap();
    let _daemon = place.spawn(&mut place.stub(""));
    place.until_logged("failed: in: bad.ppm: ");
    let log = place.log();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("bad.ppm")).collect();
    let reason = "the PNM data is truncated: the file ends too early";
    assert_eq!(
        lines,
        [
            format!("attempt: in: bad.ppm: {reason} (try 1 of 3; the next in 0.1 s)"),
            format!("attempt: in: bad.ppm: {reason} (try 2 of 3; the next in 0.2 s)"),
            format!("failed: in: bad.ppm: {reason}"),
        ]
    );
}

#[test]
fn a_run_for_cron_ends_with_what_is_left_and_why() {
    let place = Place::new();
    fs::write(place.path("in/bad.ppm"), &ppm(8, 1)[..90]).unwrap();
    fs::write(place.path("in/good.ppm"), ppm(8, 2)).unwrap();
    let run = |lines: &str| {
        let output = once(&mut place.stub(lines)).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, log) = run("retry_delay = \"60s\"\n");
    assert_eq!(code, Some(1));
    assert!(log.contains("unfinished: in: bad.ppm: waits: the PNM data is truncated"), "{log}");
    assert!(log.contains("finished: 1 done, 0 failed, 1 waiting"), "{log}");
    assert!(place.query(&["retry"]).status.success());
    let (code, log) = run("attempts = 1\n");
    assert_eq!(code, Some(1));
    assert!(log.contains("unfinished: in: bad.ppm: given up: the PNM data is truncated"), "{log}");
    assert!(log.contains("finished: 0 done, 1 failed, 0 waiting"), "{log}");
    // What was not begun has the reason of its watch.
    fs::write(place.path("in/late.ppm"), ppm(8, 3)).unwrap();
    let (code, log) = run("min_free = \"9000T\"\n");
    assert_eq!(code, Some(1));
    assert!(log.contains("unfinished: in: late.ppm: waits: in: too little space"), "{log}");
}

#[test]
fn events_carry_names_as_they_are_and_what_was_made() {
    let Some(place) = Place::real() else { return };
    let name = "line\nbreak and \"quotes\".ppm";
    fs::write(place.path("in").join(name), ppm(8, 1)).unwrap();
    fs::write(place.path("in").join(OsStr::from_bytes(b"caf\xe9.ppm")), ppm(8, 2)).unwrap();
    fs::write(place.path("in/bad.ppm"), &ppm(8, 3)[..90]).unwrap();
    let output = place.command("--once --json").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let find = |event: &str, input: &str| {
        let found = events.iter().find(|each| each["event"] == event && each["input"] == input);
        found.unwrap_or_else(|| panic!("no {event} of {input}: {text}"))
    };
    let done = find("done", name);
    assert_eq!(done["output"], place.path("out").join(name).to_str().unwrap());
    assert!(done["seconds"].as_f64().unwrap() > 0.0);
    assert_eq!((&done["width"], &done["height"], &done["reused"]), (&32.into(), &32.into(), &false.into()));
    assert_eq!((done.get("input_hex"), done.get("output_hex")), (None, None));
    let odd = find("done", "caf\u{fffd}.ppm");
    assert_eq!(odd["input_hex"], "636166e92e70706d");
    assert!(odd["output_hex"].as_str().unwrap().ends_with("636166e92e70706d"));
    let attempt = find("attempt", "bad.ppm");
    assert_eq!(attempt["detail"], "the PNM data is truncated: the file ends too early");
    assert_eq!((&attempt["attempt"], &attempt["attempts"]), (&1.into(), &3.into()));
    assert!(attempt["next_try"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    let finished = events.last().unwrap();
    assert_eq!((&finished["event"], &finished["done"]), (&"finished".into(), &2.into()));
}

#[test]
fn images_that_cannot_be_read_and_links_to_folders_are_told_once_and_condemned_never() {
    let place = Place::new();
    let input = place.path("in");
    fs::create_dir(place.path("album")).unwrap();
    symlink(place.path("album"), input.join("link")).unwrap();
    symlink(place.path("album"), input.join(".hidden")).unwrap();
    for (name, side) in [("a.cr3", 8), ("b.jp2", 8), ("c.psd", 8), ("notes.txt", 8), ("good.ppm", 8)] {
        fs::write(input.join(name), ppm(side, 1)).unwrap();
    }
    let dry = place.command("--dry-run --recursive").output().unwrap();
    let mut dry: Vec<_> = String::from_utf8(dry.stdout).unwrap().lines().map(str::to_string).collect();
    dry.sort();
    assert_eq!(
        dry,
        [
            "skip a.cr3 (camera raw files cannot be read)",
            "skip b.jp2 (JPEG 2000 files cannot be read)",
            "skip c.psd (Photoshop files cannot be read)",
            "skip link (a link to a folder is not followed)",
            "take good.ppm",
        ]
    );
    let run = || {
        let output = once(&mut place.stub("recursive = true\n")).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let log = run();
    assert!(log.contains("ignored: in: a.cr3: camera raw files cannot be read"), "{log}");
    assert!(log.contains("ignored: in: link: a link to a folder is not followed"), "{log}");
    assert_eq!(log.matches("ignored: ").count(), 4, "{log}");
    assert!(!run().contains("ignored: "));
    assert!(place.status().contains("1 done, 4 ignored"), "{}", place.status());
    // What is gone does not count.
    fs::remove_file(input.join("b.jp2")).unwrap();
    run();
    assert!(place.status().contains("1 done, 3 ignored"), "{}", place.status());
}
