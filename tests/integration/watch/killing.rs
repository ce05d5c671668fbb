//! Processes that die at random instants.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::Duration;

use super::place::{Place, kill, ppm};
use super::stub::{once, slow};

/// Instants at which the daemon or its worker is killed; `PARTDIFF_KILLS` sets another number.
const KILLS: u64 = 20;

/// Images for every kill, so that there is work until the last.
const SHARE: u64 = 10;

/// How long an image takes, in milliseconds.
const DELAY: u64 = 25;

/// Numbers without order, the same in every run.
fn scatter(index: u64) -> u64 {
    let mixed = (index + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 32
}

fn fill(place: &Place, count: u64) {
    for index in 0..count {
        // Some are twins, which are not done twice.
        let seed = if index % 10 == 9 { index - 1 } else { index };
        fs::write(place.path(&format!("in/{index}.ppm")), ppm(6, seed as usize)).unwrap();
    }
}

fn contents(folder: &Path) -> HashMap<String, Vec<u8>> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let named = files.map(|file| (file.file_name().into_string().unwrap(), file.path()));
    // A temporary may vanish between the two looks.
    named.filter_map(|(name, path)| Some((name, fs::read(path).ok()?))).collect()
}

#[test]
fn killed_at_random_instants_it_completes_and_shows_nothing_partial_or_double() {
    let kills = std::env::var("PARTDIFF_KILLS").map_or(KILLS, |text| text.parse().expect("a number"));
    let count = kills * SHARE;
    // What an undisturbed run makes.
    let calm = Place::new();
    fill(&calm, count);
    assert!(once(&mut calm.stub("")).status().unwrap().success());
    let expected = contents(&calm.path("out"));
    assert_eq!(expected.len() as u64, count);

    let place = Place::new();
    fill(&place, count);
    let over = AtomicBool::new(false);
    scope(|scope| {
        let observer = scope.spawn(|| {
            let mut looks = 0;
            while !over.load(Ordering::Relaxed) {
                for (name, bytes) in contents(&place.path("out")) {
                    if !name.starts_with(".partdiff-watch-") {
                        assert_eq!(expected.get(&name), Some(&bytes), "{name} stood under its final name");
                    }
                }
                looks += 1;
                sleep(Duration::from_millis(10));
            }
            looks
        });
        let mut workers = 0;
        for index in 0..kills {
            let mut daemon = place.spawn(slow(&mut place.stub("settle = \"50ms\"\n"), DELAY));
            sleep(Duration::from_millis(30 + scatter(index) % 700));
            if index % 3 == 2
                && let Some(worker) = daemon.worker()
            {
                kill("-9", worker);
                workers += 1;
                sleep(Duration::from_millis(scatter(index + kills) % 300));
            }
            daemon.0.kill().unwrap();
            daemon.0.wait().unwrap();
            if observer.is_finished() {
                break;
            }
        }
        let left = count.saturating_sub(contents(&place.path("out")).len() as u64);
        println!("{kills} kills of the daemon, {workers} of the worker; {left} of {count} left");
        // Files that were alone in a worker twice when it was killed are given up, and may be tried again.
        place.query(&["retry"]);
        let code = once(&mut place.stub("")).status().unwrap().code();
        assert_eq!(code, Some(0), "{}", place.status());
        over.store(true, Ordering::Relaxed);
        assert!(observer.join().expect("nothing partial or double") > 0);
    });
    assert_eq!(contents(&place.path("out")), expected);
    let ledger = rusqlite::Connection::open(place.path("state/ledger.db")).unwrap();
    let verdict: String = ledger.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
    assert!(place.status().contains(&format!("{count} done")), "{}", place.status());
    // Another run finds nothing to do.
    let output = once(&mut place.stub("")).output().unwrap();
    assert!(output.status.success());
    assert!(!String::from_utf8_lossy(&output.stderr).contains("done: "));
}

#[test]
fn killed_while_it_deletes_originals_it_keeps_those_of_damaged_files() {
    let kills = std::env::var("PARTDIFF_KILLS").map_or(KILLS, |text| text.parse().expect("a number"));
    let place = Place::new();
    let whole = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/foreign/jpeg_baseline.jpg");
    let damaged = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/foreign/jpeg_stray_marker.jpg");
    // Of the same contents are some, which are copied instead of made; a comment makes others of their own.
    let copy = |from: &str, name: &str, index: u64| {
        let mut bytes = fs::read(from).unwrap();
        let note = format!("{}", index / 2);
        let comment = [&[0xff, 0xfe, 0, note.len() as u8 + 2][..], note.as_bytes()].concat();
        bytes.splice(2..2, comment);
        fs::write(place.path("in").join(format!("{name}{index}.jpg")), bytes).unwrap();
    };
    for index in 0..kills {
        copy(whole, "whole", index);
        copy(damaged, "damaged", index);
    }
    let settings = "settle = \"50ms\"\noriginals = \"delete\"\n";
    for index in 0..kills {
        let mut daemon = place.spawn(slow(&mut place.stub(settings), DELAY));
        sleep(Duration::from_millis(30 + scatter(index) % 400));
        daemon.0.kill().unwrap();
        daemon.0.wait().unwrap();
    }
    place.query(&["retry"]);
    let code = once(&mut place.stub(settings)).status().unwrap().code();
    assert_eq!(code, Some(0), "{}", place.status());
    let left: BTreeSet<_> = contents(&place.path("in")).into_keys().collect();
    let damaged: BTreeSet<_> = (0..kills).map(|index| format!("damaged{index}.jpg")).collect();
    assert_eq!(left, damaged);
    assert_eq!(contents(&place.path("out")).len() as u64, 2 * kills);
}

#[test]
fn the_real_program_resumes_after_kills() {
    let Some(place) = Place::real() else { return };
    for index in 0..12 {
        fs::write(place.path("in").join(format!("{index}.ppm")), ppm(24, index)).unwrap();
    }
    for round in 0..4u64 {
        let mut daemon = place.start("");
        sleep(Duration::from_millis(900 + round * 330));
        daemon.0.kill().unwrap();
        daemon.0.wait().unwrap();
        for name in place.results() {
            if !name.starts_with(b".partdiff-watch-") {
                place.expect_size(std::str::from_utf8(&name).unwrap(), 96);
            }
        }
    }
    let output = place.command("--once").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let expected: BTreeSet<_> = (0..12).map(|index| format!("{index}.ppm").into_bytes()).collect();
    assert_eq!(place.results(), expected);
    // A second run finds nothing to do.
    let output = place.command("--once").output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(!String::from_utf8_lossy(&output.stderr).contains("done: "));
}
