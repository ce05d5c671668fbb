//! Faults of the surroundings: nothing is lost, nothing is given up, and work goes on when they pass.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::place::{Mount, Place, names, ppm};
use super::stub::once;

fn expect_calm(place: &Place) {
    assert!(!place.log().contains("\nfailed: "), "{}", place.log());
    assert!(!place.path("state/quarantine").exists());
}

#[test]
fn a_full_disk_for_results_only_delays() {
    let place = Place::new();
    let Some(mount) = Mount::new(place.path("out"), "200k") else { return };
    // A result takes 48 KiB.
    for index in 0..12 {
        fs::write(place.path(&format!("in/{index}.ppm")), ppm(64, index)).unwrap();
    }
    let _daemon = place.spawn(&mut place.stub(""));
    place.until_logged("paused: in: ");
    assert!(place.log().contains("No space left"), "{}", place.log());
    let made = place.visible().len();
    assert!((1..12).contains(&made), "{made}");
    mount.remount("size=20m");
    place.until("all results", || place.visible().len() == 12);
    place.until_logged("resumed: in");
    place.until("tidiness", || place.results() == place.visible());
    expect_calm(&place);
}

#[test]
fn a_full_disk_for_the_ledger_only_delays() {
    let place = Place::new();
    let Some(mount) = Mount::new(place.path("state"), "600k") else { return };
    let _daemon = place.spawn(&mut place.stub(""));
    place.until_logged("watching: in");
    let filler = vec![0; 8192];
    let mut fill = fs::File::create(place.path("state/filler")).unwrap();
    while std::io::Write::write_all(&mut fill, &filler).is_ok() {}
    for index in 0..300 {
        fs::write(place.path(&format!("in/{index}.ppm")), ppm(4, index)).unwrap();
    }
    place.until_logged("paused: ");
    mount.remount("size=20m");
    place.until("all results", || place.visible().len() == 300);
    expect_calm(&place);
}

#[test]
fn a_folder_for_results_that_is_read_only_only_delays() {
    let place = Place::new();
    let Some(mount) = Mount::new(place.path("out"), "1m") else { return };
    let _daemon = place.spawn(&mut place.stub(""));
    place.until_logged("watching: in");
    mount.remount("ro");
    fs::create_dir(place.path("in/sub")).unwrap();
    fs::write(place.path("in/a.ppm"), ppm(8, 1)).unwrap();
    place.until_logged("Read-only file system");
    mount.remount("rw");
    place.until("the result", || place.results() == names(&["a.ppm"]));
    expect_calm(&place);
}

#[test]
fn shares_that_are_unmounted_and_mounted_again() {
    let place = Place::new();
    let Some(input) = Mount::new(place.path("in"), "1m") else { return };
    let Some(output) = Mount::new(place.path("out"), "1m") else { return };
    fs::write(place.path("in/a.ppm"), ppm(8, 1)).unwrap();
    let _daemon = place.spawn(&mut place.stub(""));
    place.until("the result", || place.results() == names(&["a.ppm"]));
    // IN: an empty mount point is no deletion of files, and what another disk brings is found.
    input.unmount();
    place.until_logged("in is unavailable");
    assert!(input.mount("1m"));
    fs::write(place.path("in/b.ppm"), ppm(8, 2)).unwrap();
    place.until("the second result", || place.results() == names(&["a.ppm", "b.ppm"]));
    // OUT: nothing is written into the empty mount point.
    output.unmount();
    fs::write(place.path("in/c.ppm"), ppm(8, 3)).unwrap();
    place.until_logged("out is unavailable");
    assert!(place.results().is_empty());
    assert!(output.mount("1m"));
    place.until("the third result", || place.results() == names(&["c.ppm"]));
    expect_calm(&place);
}

#[test]
fn folders_that_vanish_only_delay() {
    let place = Place::new();
    let _daemon = place.spawn(&mut place.stub("recursive = true\n"));
    place.until_logged("watching: in");
    fs::rename(place.path("out"), place.path("away")).unwrap();
    fs::write(place.path("in/a.ppm"), ppm(8, 1)).unwrap();
    place.until_logged("out is unavailable");
    fs::rename(place.path("away"), place.path("out")).unwrap();
    place.until("the result", || place.results() == names(&["a.ppm"]));
    // The watched folder is deleted and made again.
    fs::remove_dir_all(place.path("in")).unwrap();
    place.until_logged("in is unavailable");
    fs::create_dir_all(place.path("in/sub")).unwrap();
    fs::write(place.path("in/sub/b.ppm"), ppm(8, 2)).unwrap();
    place.until("the second result", || place.results() == names(&["a.ppm", "sub/b.ppm"]));
    // A folder for results is deleted between two of them.
    fs::remove_dir_all(place.path("out/sub")).unwrap();
    fs::write(place.path("in/sub/c.ppm"), ppm(8, 3)).unwrap();
    place.until("the third result", || place.results() == names(&["a.ppm", "sub/c.ppm"]));
    expect_calm(&place);
}

#[test]
fn what_must_not_be_read_yet_is_waited_for() {
    let place = Place::new();
    let locked = place.path("in/locked.ppm");
    fs::write(&locked, ppm(8, 1)).unwrap();
    fs::set_permissions(&locked, Permissions::from_mode(0o000)).unwrap();
    let Some(mut command) = unprivileged(place.stub("")) else { return };
    let _daemon = place.spawn(&mut command);
    place.until_logged("unreadable: in: locked.ppm: Permission denied");
    fs::write(place.path("in/open.ppm"), ppm(8, 2)).unwrap();
    place.until("the other one", || place.results() == names(&["open.ppm"]));
    fs::set_permissions(&locked, Permissions::from_mode(0o644)).unwrap();
    place.until("the unlocked one", || place.results() == names(&["locked.ppm", "open.ppm"]));
    expect_calm(&place);
}

/// `command` without root's right to read and write everything; `None`, told on standard error, where that right cannot
/// be given up.
pub fn unprivileged(command: Command) -> Option<Command> {
    let root = fs::metadata("/proc/self").is_ok_and(|data| std::os::unix::fs::MetadataExt::uid(&data) == 0);
    if !root {
        return Some(command);
    }
    let setpriv = Command::new("setpriv").arg("--version").output();
    if !setpriv.is_ok_and(|output| output.status.success()) {
        skipped!("files that root must not read (setpriv is missing)");
        return None;
    }
    let mut wrapped = Command::new("setpriv");
    wrapped.args(["--bounding-set", "-dac_override,-dac_read_search", "--"]).arg(command.get_program());
    wrapped.args(command.get_args());
    for (name, value) in command.get_envs() {
        wrapped.env(name, value.unwrap_or_default());
    }
    Some(wrapped)
}

#[test]
fn too_little_space_pauses_until_there_is_more() {
    let place = Place::new();
    fs::write(place.path("in/a.ppm"), ppm(8, 1)).unwrap();
    let daemon = place.spawn(&mut place.stub("min_free = \"9000T\"\n"));
    place.until_logged("paused: in: too little space for results");
    place.until("the figure", || place.figure("paused{watch=\"in\"}") == 1.0);
    assert!(place.results().is_empty());
    place.configure("min_free = \"0\"\n");
    daemon.signal("-HUP");
    place.until("the result", || place.results() == names(&["a.ppm"]));
    drop(daemon);
    // For cron it is a failure, not a wait without end.
    fs::write(place.path("in/b.ppm"), ppm(8, 2)).unwrap();
    let status = once(&mut place.stub("min_free = \"9000T\"\n")).status().unwrap();
    assert_eq!(status.code(), Some(1));
    expect_calm(&place);
}

#[test]
fn an_option_that_the_model_no_longer_has_pauses_and_condemns_no_image() {
    let place = Place::new();
    fs::write(place.path("in/a.ppm"), ppm(8, 1)).unwrap();
    // The network of the tests has no presets, unlike the model that the start looks at.
    let daemon = place.spawn(&mut place.stub("upscale = { preset = \"faithful\" }\n"));
    place.until_logged("paused: in: no preset \"faithful\" in model");
    assert!(place.log().contains("; tried again in 0.1 s"), "{}", place.log());
    place.configure("");
    daemon.signal("-HUP");
    place.until("the result", || place.results() == names(&["a.ppm"]));
    expect_calm(&place);
}
