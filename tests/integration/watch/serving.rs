//! A daemon that serves for long: idle, twice the same, other hours, other settings.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use partdiff::Limits;
use partdiff::image::{SampleDepth, decode, decode_page, page_count};

use super::place::{Daemon, Notified, Place, names, ppm};
use super::stub::once;
use crate::cli::pages::{THREE, pages};

/// Processor time of a process and its ended children in clock ticks (1/100 s).
fn ticks(process: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[test]
fn idleness_costs_next_to_nothing() {
    let place = Place::new();
    for index in 0..200 {
        fs::write(place.path(&format!("in/{index}.ppm")), ppm(4, index)).unwrap();
    }
    let daemon = place.spawn(&mut place.stub("rescan = \"5min\"\n"));
    place.until("all results", || place.visible().len() == 200);
    let worker = daemon.worker().unwrap();
    sleep(Duration::from_secs(3));
    let used = |daemon: &Daemon| ticks(daemon.0.id()) + ticks(worker);
    let before = used(&daemon);
    sleep(Duration::from_secs(10));
    let used = used(&daemon) - before;
    println!("{used} hundredths of a second of processor time in 10 s of idleness");
    // A loop that spins takes 1000; a look at the clock now and then takes none that is seen.
    assert!(used <= 10, "{used} hundredths of a second");
}

#[test]
fn the_same_contents_are_not_made_twice_but_appear_under_each_name() {
    let place = Place::new();
    for name in ["a.ppm", "b.ppm", "c.ppm"] {
        fs::write(place.path("in").join(name), ppm(8, 1)).unwrap();
    }
    let mut daemon = place.spawn(&mut place.stub("recursive = true\n"));
    place.until("the three", || place.results() == names(&["a.ppm", "b.ppm", "c.ppm"]));
    place.until("the figures", || place.figure("reused_total{watch=\"in\"}") == 2.0);
    let first = fs::read(place.path("out/a.ppm")).unwrap();
    assert_eq!(fs::read(place.path("out/b.ppm")).unwrap(), first);
    // Copies, not links: changing one leaves the others alone.
    fs::write(place.path("out/b.ppm"), "changed").unwrap();
    assert_eq!(fs::read(place.path("out/a.ppm")).unwrap(), first);
    // Renamed and moved.
    fs::create_dir(place.path("in/sub")).unwrap();
    fs::rename(place.path("in/c.ppm"), place.path("in/sub/d.ppm")).unwrap();
    place.until("the moved one", || place.path("out/sub/d.ppm").exists());
    assert_eq!(fs::read(place.path("out/sub/d.ppm")).unwrap(), first);
    place.until("the figures", || place.figure("reused_total{watch=\"in\"}") == 3.0);
    // Another extension is another format.
    fs::copy(place.path("in/a.ppm"), place.path("in/e.png")).unwrap();
    place.until("the other format", || place.path("out/e.png").exists());
    assert_eq!(&fs::read(place.path("out/e.png")).unwrap()[1..4], b"PNG");
    place.until("the figures", || place.figure("results_total{watch=\"in\"}") == 5.0);
    assert_eq!(place.figure("reused_total{watch=\"in\"}"), 3.0);
    assert_eq!(daemon.end(), Some(0));
    // Where no earlier result is left as it was, it is made again.
    for name in ["a.ppm", "b.ppm", "c.ppm", "sub/d.ppm"] {
        fs::write(place.path("out").join(name), "changed").unwrap();
    }
    fs::write(place.path("in/f.ppm"), ppm(8, 1)).unwrap();
    assert!(once(&mut place.stub("recursive = true\n")).status().unwrap().success());
    assert_eq!(fs::read(place.path("out/f.ppm")).unwrap(), first);
}

#[test]
fn files_of_the_first_start_are_ignored_on_request_and_later_ones_are_not() {
    let place = Place::new();
    fs::write(place.path("in/old.ppm"), ppm(8, 1)).unwrap();
    assert!(once(&mut place.stub("ignore_existing = true\n")).status().unwrap().success());
    assert!(place.results().is_empty());
    // What came while no daemon ran.
    fs::write(place.path("in/new.ppm"), ppm(8, 2)).unwrap();
    assert!(once(&mut place.stub("ignore_existing = true\n")).status().unwrap().success());
    assert_eq!(place.results(), names(&["new.ppm"]));
    assert!(place.query(&["retry", "old.ppm"]).status.success());
    assert!(once(&mut place.stub("ignore_existing = true\n")).status().unwrap().success());
    assert_eq!(place.results(), names(&["new.ppm", "old.ppm"]));
}

#[test]
fn work_waits_for_its_hours() {
    let place = Place::new();
    fs::write(place.path("in/a.ppm"), ppm(8, 1)).unwrap();
    let hour = jiff::Zoned::now().hour();
    let hours = |from: i8, to: i8| format!("hours = \"{}:00-{}:00\"\n", (hour + from) % 24, (hour + to) % 24);
    let daemon = place.spawn(&mut place.stub(&hours(2, 22)));
    place.until_logged("paused: in: outside its working hours");
    assert!(place.results().is_empty());
    assert!(place.status().contains("1 queued"));
    place.configure(&hours(0, 2));
    daemon.signal("-HUP");
    place.until("the result", || place.results() == names(&["a.ppm"]));
}

#[test]
fn an_image_that_is_too_small_for_the_wanted_width_fails_alone() {
    let place = Place::new();
    fs::write(place.path("in/icon.ppm"), ppm(2, 1)).unwrap();
    fs::write(place.path("in/photo.ppm"), ppm(8, 2)).unwrap();
    let code = place.spawn(once(&mut place.stub("attempts = 1\nupscale = { width = 200 }\n"))).0.wait();
    assert_eq!(code.unwrap().code(), Some(1));
    assert_eq!(place.results(), names(&["photo.ppm"]));
    assert!(
        place.log().contains("failed: in: icon.ppm: target 200x200 is more than 64 times"),
        "{}",
        place.log()
    );
}

#[test]
fn figures_are_written_as_prometheus_reads_them() {
    let place = Place::new();
    fs::write(place.path("in/good.ppm"), ppm(8, 1)).unwrap();
    fs::write(place.path("in/bad.ppm"), "P6 nothing").unwrap();
    assert_eq!(once(&mut place.stub("attempts = 1\n")).status().unwrap().code(), Some(1));
    let text = fs::read_to_string(place.path("metrics")).unwrap();
    for line in text.lines() {
        let well_formed = if let Some(comment) = line.strip_prefix("# ") {
            comment.starts_with("HELP partdiff_watch_") || comment.starts_with("TYPE partdiff_watch_")
        } else {
            let value = line.rsplit_once(' ').map(|(_, value)| value.parse::<f64>());
            line.starts_with("partdiff_watch_") && matches!(value, Some(Ok(_)))
        };
        assert!(well_formed, "{line}");
    }
    assert_eq!(place.figure("inputs{watch=\"in\",state=\"done\"}"), 1.0);
    assert_eq!(place.figure("inputs{watch=\"in\",state=\"failed\"}"), 1.0);
    assert_eq!(place.figure("failures_total{watch=\"in\"}"), 1.0);
    assert!(place.figure("engine_seconds_total{watch=\"in\"}") > 0.0);
    assert!(place.figure("free_bytes{watch=\"in\"}") > 0.0);
}

#[test]
fn systemd_is_told_what_happens() {
    let place = Place::new();
    let notified = Notified::new(&place);
    let hear = |wanted: &str| notified.hear(wanted);
    fs::write(place.path("in/a.ppm"), ppm(8, 1)).unwrap();
    let mut command = place.stub("");
    let mut daemon = place.spawn(notified.by(&mut command));
    hear("READY=1");
    let status = hear("STATUS=1 done");
    assert!(status.contains("WATCHDOG=1"), "{status}");
    // Also without news, as long as it lives.
    hear("WATCHDOG=1");
    daemon.signal("-HUP");
    let reload = hear("RELOADING=1") + &hear("READY=1");
    assert!(reload.contains("MONOTONIC_USEC=") && !reload.contains("STOPPING"), "{reload}");
    assert_eq!(daemon.end(), Some(0));
    hear("STOPPING=1");
}

#[test]
fn pages_of_tiff_stay_pages_whatever_the_format() {
    for lines in ["", "upscale = { seed = 1, format = \"png\" }\n"] {
        let place = Place::new();
        fs::write(place.path("in/a.tif"), pages(&THREE)).unwrap();
        fs::write(place.path("in/b.tif"), pages(&THREE[..1])).unwrap();
        let single = if lines.is_empty() { "b.tif" } else { "b.png" };
        assert!(place.spawn(once(&mut place.stub(lines))).0.wait().unwrap().success());
        assert_eq!(place.results(), names(&["a.tif", single]));
        let bytes = fs::read(place.path("out/a.tif")).unwrap();
        assert_eq!(page_count(&bytes), 3);
        for (index, (width, height, depth)) in THREE.into_iter().enumerate() {
            // A fake network is no good painter; sizes and depths tell.
            let image = decode_page(&bytes, index, &Limits::default()).unwrap();
            assert_eq!((image.width(), image.height(), image.depth), (2 * width, 2 * height, depth));
        }
        assert_eq!(place.log().contains("PNG holds one: written as TIFF"), !lines.is_empty());
    }
}

#[test]
fn a_bad_page_fails_the_file_and_leaves_nothing() {
    let place = Place::new();
    let mut bytes = pages(&THREE);
    // The last page is announced, but its directory is not whole.
    bytes.truncate(bytes.len() - 40);
    fs::write(place.path("in/a.tif"), bytes).unwrap();
    let code = place.spawn(once(&mut place.stub("attempts = 1\n"))).0.wait().unwrap().code();
    assert_eq!(code, Some(1), "{}", place.log());
    assert!(place.results().is_empty());
}

#[test]
fn options_of_the_output_hold_for_results() {
    let place = Place::new();
    fs::write(place.path("in/a.ppm"), ppm(8, 1)).unwrap();
    fs::write(place.path("in/large.ppm"), ppm(20, 2)).unwrap();
    let lines =
        "attempts = 1\nupscale = { depth = 16, format = \"png\", max_pixels = 100, no_provenance = true }\n";
    assert_eq!(once(&mut place.stub(lines)).status().unwrap().code(), Some(1));
    assert_eq!(place.results(), names(&["a.png"]));
    let image = decode(&fs::read(place.path("out/a.png")).unwrap(), &Limits::default()).unwrap();
    assert_eq!(image.depth, SampleDepth::U16);
    assert!(place.status().contains("expected at most 100"), "{}", place.status());
    // The same options on the command line.
    let Some(place) = Place::real() else { return };
    fs::write(place.path("in/a.ppm"), ppm(8, 1)).unwrap();
    let output = place
        .command(
            "--once --watch-name scans --depth 16 --format png --max-pixels 1k --strip all --consistency 3",
        )
        .output();
    assert_eq!(output.unwrap().status.code(), Some(0));
    let image = decode(&fs::read(place.path("out/a.png")).unwrap(), &Limits::default()).unwrap();
    assert_eq!(image.depth, SampleDepth::U16);
    assert!(place.status().starts_with("scans: 1 done"), "{}", place.status());
}
