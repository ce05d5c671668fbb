//! The real program: deaths of its worker, its end, originals, refusals.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::place::{Place, kill, names, ppm};

#[test]
fn a_file_that_kills_the_worker_twice_is_quarantined_and_the_others_go_on() {
    let Some(place) = Place::real() else { return };
    fs::write(place.path("in/poison.ppm"), ppm(500, 1)).unwrap();
    let daemon = place.start("");
    let running = || place.status().contains("1 running");
    for death in 1..=2 {
        place.until("work on it", || running() && daemon.worker().is_some());
        kill("-9", daemon.worker().unwrap());
        place.until("its death", || place.log().matches("crash: in: poison.ppm").count() == death);
    }
    place.until("the verdict", || place.log().contains("failed: in: poison.ppm: the worker died"));
    fs::write(place.path("in/good.ppm"), ppm(8, 2)).unwrap();
    place.until("the good one", || place.results() == names(&["good.ppm"]));
}

#[test]
fn the_end_is_quick_loses_nothing_and_only_one_runs() {
    let Some(place) = Place::real() else { return };
    fs::write(place.path("in/large.ppm"), ppm(400, 1)).unwrap();
    let mut daemon = place.start("");
    let status = || place.status();
    place.until("work on it", || status().contains("1 running"));
    let second = place.command("").output().unwrap();
    assert_eq!(second.status.code(), Some(2));
    let message = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(message.contains(&format!("process {}", daemon.0.id())), "{message}");
    daemon.signal("-HUP");
    place.until("the new start", || place.log().contains("reloaded"));
    place.until("work on it", || status().contains("1 running"));
    assert_eq!(daemon.end(), Some(0));
    assert!(status().contains("1 queued"), "{}", status());
    assert!(place.results().is_empty());
}

#[test]
fn originals_go_only_after_their_result_stands() {
    let Some(place) = Place::real() else { return };
    fs::write(place.path("in/a.ppm"), ppm(8, 1)).unwrap();
    fs::write(place.path("in/bad.ppm"), b"P6\n8 8\n255\nshort").unwrap();
    let done = place.path("moved");
    let options = format!("--once --attempts 1 --move-originals {}", done.display());
    assert_eq!(place.command(&options).output().unwrap().status.code(), Some(1));
    assert!(done.join("a.ppm").exists() && !place.path("in/a.ppm").exists());
    assert!(place.path("in/bad.ppm").exists());
    // Another image of the same name does not replace the first one's result.
    fs::remove_file(place.path("in/bad.ppm")).unwrap();
    fs::write(place.path("in/a.ppm"), ppm(8, 2)).unwrap();
    assert_eq!(place.command("--once --delete-originals").output().unwrap().status.code(), Some(0));
    assert_eq!(place.results(), names(&["a.ppm", "a-2.ppm"]));
    assert!(!place.path("in/a.ppm").exists() && done.join("a.ppm").exists());
}

#[test]
fn the_original_of_a_damaged_file_stays() {
    let Some(place) = Place::real() else { return };
    let data = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/foreign"));
    for name in ["jpeg_stray_marker.jpg", "jpeg_luma_1x1_chroma_2x2.jpg"] {
        fs::copy(data.join(name), place.path("in").join(name)).unwrap();
    }
    let output = place.command("--once --delete-originals").output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(log.contains("damaged: in: jpeg_stray_marker.jpg: the JPEG data is damaged: 3 errors"), "{log}");
    assert_eq!(place.results(), names(&["jpeg_luma_1x1_chroma_2x2.jpg", "jpeg_stray_marker.jpg"]));
    assert!(place.path("in/jpeg_stray_marker.jpg").exists());
    assert!(!place.path("in/jpeg_luma_1x1_chroma_2x2.jpg").exists());
}

#[test]
fn options_that_do_not_fit_the_model_end_the_start_and_condemn_no_image() {
    let place = Place::new();
    fs::write(place.path("in/a.ppm"), ppm(8, 1)).unwrap();
    for (option, message) in [
        ("--preset nope", "partdiff: no preset \"nope\" in model natural-x4: expected one of"),
        ("--steps 5000", "partdiff: steps is 5000, expected 1 to"),
        ("--start-step 5000", "partdiff: start step is 5000, expected 1 to"),
        ("--scale 65", "partdiff: scale is 65"),
        ("--model nope", "partdiff: "),
    ] {
        for mode in ["--once", "--dry-run"] {
            let output = place.command(&format!("{option} {mode}")).output().unwrap();
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(2), "{option} {mode}: {text}");
            assert!(text.starts_with(message) && text.lines().count() == 1, "{option} {mode}: {text}");
        }
    }
    assert!(!place.path("state").exists() && !place.path("out").exists());
}

#[test]
fn a_configuration_that_does_not_fit_the_model_is_refused_and_the_old_one_stays() {
    let Some(place) = Place::real() else { return };
    place.configure("upscale = { steps = 1 }\n");
    let mut command = Command::new(env!("CARGO_BIN_EXE_partdiff"));
    command.arg("watch").arg("--config").arg(place.path("watch.toml"));
    let daemon = place.spawn(&mut command);
    place.until_logged("watching: in");
    place.configure("upscale = { steps = 5000 }\n");
    daemon.signal("-HUP");
    place.until_logged("kept: the old configuration: ");
    assert!(place.log().contains("watch.toml: line 3: in this watch: steps is 5000"), "{}", place.log());
    fs::write(place.path("in/a.ppm"), ppm(8, 1)).unwrap();
    place.until("the result", || place.results() == names(&["a.ppm"]));
    place.configure("upscale = { steps = 2 }\n");
    daemon.signal("-HUP");
    place.until_logged("reloaded: the configuration");
}

#[test]
fn loops_and_bad_files_are_refused_by_line_and_a_dry_run_does_nothing() {
    let place = Place::new();
    fs::write(place.path("in/a.ppm"), ppm(8, 1)).unwrap();
    let output = place.command("--dry-run").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "take a.ppm\n");
    assert!(!place.path("state").exists() && !place.path("out").exists());
    let query = place.query(&["status"]);
    assert_eq!(query.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&query.stderr).contains("no ledger in"));
    assert!(!place.path("state").exists());
    let config = place.path("watch.toml");
    let text = format!(
        "[[watch]]\nin = {:?}\nout = {:?}\nrecursive = true\n",
        place.path("in"),
        place.path("in/out")
    );
    let refuse = |text: &str, options: &[&str]| {
        fs::write(&config, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_partdiff"));
        command
            .arg("watch")
            .arg("--config")
            .arg(&config)
            .arg("--state")
            .arg(place.path("state"))
            .args(options);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(refuse(&text, &[]).contains("would be taken again"));
    let message = refuse(&format!("{text}settle = \"soon\"\n"), &[]);
    assert!(message.contains("watch.toml: line 5: time \"soon\""), "{message}");
    // What the file would silently overrule.
    for (options, named) in [
        (&["--scale", "2"][..], "partdiff: --scale cannot be used with --config: it belongs in that file"),
        (&["--seed", "0"], "partdiff: --seed cannot be used with --config: it belongs in that file"),
        (&["--min-free", "1G", "--dry-run"], "partdiff: --min-free cannot be used with"),
        (&["in", "--once"], "partdiff: IN cannot be used with"),
        (&["--device", "cpu", "--threads", "1"], "cannot be used with --config: they belong in that file"),
    ] {
        let message = refuse(&text, options);
        assert!(message.contains(named) && message.lines().count() == 1, "{options:?}: {message}");
    }
}
