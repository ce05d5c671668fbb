//! `partdiff watch` as a process: files arrive in awkward ways, processes die, and every good picture ends once in OUT.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use partdiff::image::decode;
use partdiff::limits::Limits;
use partdiff::runtime::{Device, find};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

struct Place(tempfile::TempDir);

/// A daemon; killed when a test ends.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Daemon {
    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.0.id().to_string()]).status().unwrap().success());
    }

    /// The worker's process number, once it has one.
    fn worker(&self) -> Option<u32> {
        let id = self.0.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).ok()?;
        children.split_whitespace().next()?.parse().ok()
    }
}

impl Place {
    /// `None`, told on standard error, where the machine has no ONNX Runtime.
    fn new() -> Option<Self> {
        if let Err(error) = find(None, Device::Cpu) {
            eprintln!("skipped: {}", error.report());
            return None;
        }
        let place = Self(tempfile::tempdir().unwrap());
        fs::create_dir(place.path("in")).unwrap();
        Some(place)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, options: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_partdiff"));
        command
            .arg("watch")
            .arg(self.path("in"))
            .arg(self.path("out"))
            .arg("--state")
            .arg(self.path("state"));
        command.args(
            "--device cpu --threads 1 --settle 700ms --rescan 1s --retry-delay 100ms --min-free 1M"
                .split(' '),
        );
        command.args(options.split_whitespace());
        command
    }

    fn start(&self, options: &str) -> Daemon {
        let log = OpenOptions::new().create(true).append(true).open(self.path("log")).unwrap();
        Daemon(self.command(options).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }

    fn query(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_partdiff"));
        command.arg("watch").arg(words[0]).arg("--state").arg(self.path("state")).args(&words[1..]);
        command.output().unwrap()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Waits until `condition` holds.
    #[track_caller]
    fn until(&self, what: &str, condition: impl Fn() -> bool) {
        let start = Instant::now();
        while !condition() {
            assert!(start.elapsed() < PATIENCE, "never: {what}; the log was:\n{}", self.log());
            sleep(Duration::from_millis(50));
        }
    }

    /// Everything below OUT, as raw names.
    fn results(&self) -> BTreeSet<Vec<u8>> {
        fn collect(folder: &Path, root: &Path, names: &mut BTreeSet<Vec<u8>>) {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.file_type().unwrap().is_dir() {
                    collect(&entry.path(), root, names);
                } else {
                    names.insert(entry.path().strip_prefix(root).unwrap().as_os_str().as_bytes().to_vec());
                }
            }
        }
        let mut names = BTreeSet::new();
        collect(&self.path("out"), &self.path("out"), &mut names);
        names
    }

    fn visible(&self) -> usize {
        let hidden = |name: &Vec<u8>| name.starts_with(b".") || name.windows(2).any(|pair| pair == b"/.");
        self.results().iter().filter(|name| !hidden(name)).count()
    }

    #[track_caller]
    fn expect_size(&self, name: &str, side: usize) {
        let picture = decode(&fs::read(self.path("out").join(name)).unwrap(), &Limits::default()).unwrap();
        assert_eq!((picture.width(), picture.height()), (side, side), "{name}");
    }
}

/// A grey square of `side` pixels that differs by `seed`, as PPM.
fn ppm(side: usize, seed: usize) -> Vec<u8> {
    let mut bytes = format!("P6\n{side} {side}\n255\n").into_bytes();
    bytes.extend((0..side * side * 3).map(|at| (60 + (at / 3 * 7 + seed * 13) % 120) as u8));
    bytes
}

fn names(list: &[&str]) -> BTreeSet<Vec<u8>> {
    list.iter().map(|name| name.as_bytes().to_vec()).collect()
}

#[test]
fn files_that_arrive_in_awkward_ways_end_once_in_out() {
    let Some(place) = Place::new() else { return };
    let input = place.path("in");
    fs::create_dir_all(input.join("sub/deep")).unwrap();
    fs::write(input.join("there.ppm"), ppm(8, 0)).unwrap();
    fs::write(input.join("grows.ppm"), b"").unwrap();
    std::os::unix::fs::symlink(&input, input.join("sub/loop")).unwrap();
    assert!(Command::new("mkfifo").arg(input.join("pipe.ppm")).status().unwrap().success());
    let _socket = UnixListener::bind(input.join("socket.png")).unwrap();
    let _daemon = place.start("--recursive --exclude skip");
    place.until("the first result", || place.visible() >= 1);

    fs::write(place.path("moved"), ppm(8, 1)).unwrap();
    fs::rename(place.path("moved"), input.join("moved.ppm")).unwrap();
    fs::write(place.path("linked"), ppm(8, 2)).unwrap();
    fs::hard_link(place.path("linked"), input.join("linked.ppm")).unwrap();
    for index in 0..4 {
        fs::write(input.join(format!("burst{index}.ppm")), ppm(8, 3 + index)).unwrap();
    }
    fs::create_dir_all(input.join("new/deeper")).unwrap();
    fs::write(input.join("new/deeper/nested.ppm"), ppm(8, 20)).unwrap();
    fs::write(input.join("sub/deep/naïve ☃.ppm"), ppm(8, 21)).unwrap();
    fs::write(input.join(std::ffi::OsStr::from_bytes(b"caf\xe9.ppm")), ppm(8, 22)).unwrap();
    fs::create_dir(input.join("skip")).unwrap();
    fs::write(input.join("skip/not.ppm"), ppm(8, 23)).unwrap();
    fs::write(input.join("half.ppm.part"), ppm(8, 24)).unwrap();
    fs::write(input.join("truncated.ppm"), &ppm(8, 25)[..100]).unwrap();
    fs::write(input.join("text.png"), b"no picture").unwrap();
    let slow = ppm(8, 26);
    let mut file = fs::File::create(input.join("slow.ppm")).unwrap();
    for chunk in slow.chunks(40) {
        file.write_all(chunk).unwrap();
        sleep(Duration::from_millis(300));
    }
    drop(file);
    fs::write(input.join("grows.ppm"), ppm(8, 27)).unwrap();

    let mut expected = names(&[
        "there.ppm",
        "grows.ppm",
        "moved.ppm",
        "linked.ppm",
        "burst0.ppm",
        "burst1.ppm",
        "burst2.ppm",
        "burst3.ppm",
        "new/deeper/nested.ppm",
        "sub/deep/naïve ☃.ppm",
        "slow.ppm",
    ]);
    expected.insert(b"caf\xe9.ppm".to_vec());
    place.until("all results", || place.results() == expected);
    place.until("both bad files", || place.log().matches("\nfailed: ").count() == 2);
    place.expect_size("slow.ppm", 32);

    // The same name with other contents is done again; other times alone are not.
    let before = fs::read(place.path("out/moved.ppm")).unwrap();
    fs::write(input.join("moved.ppm"), ppm(8, 30)).unwrap();
    place.until("the new contents", || fs::read(place.path("out/moved.ppm")).is_ok_and(|now| now != before));
    let done = |place: &Place| place.log().matches("\ndone: ").count();
    place.until("its report", || done(&place) == expected.len() + 1);
    fs::write(input.join("linked.ppm"), ppm(8, 2)).unwrap();
    fs::write(input.join("last.ppm"), ppm(8, 31)).unwrap();
    expected.insert(b"last.ppm".to_vec());
    place.until("the last one", || place.results() == expected && done(&place) == expected.len() + 1);

    let log = place.log();
    for bad in ["truncated.ppm", "text.png"] {
        assert_eq!(log.matches(&format!("failed: in: {bad}")).count(), 1, "{log}");
        let reason = format!("state/quarantine/in/{bad}.reason.txt");
        assert!(place.path(&reason).exists(), "{reason}");
        assert!(place.path(&format!("state/quarantine/in/{bad}")).is_symlink());
    }
    for odd in ["pipe.ppm", "socket.png"] {
        assert_eq!(log.matches(&format!("ignored: in: {odd}")).count(), 1, "{log}");
    }
    let status = place.query(&["status"]);
    let status = String::from_utf8_lossy(&status.stdout);
    assert!(status.contains("13 done") && status.contains("2 failed"), "{status}");
    // A mended file is taken from quarantine by itself; another one by hand, while the daemon runs.
    fs::write(input.join("text.png"), ppm(8, 32)).unwrap();
    expected.insert(b"text.png".to_vec());
    place.until("the mended file", || place.results() == expected);
    assert!(place.query(&["retry", "truncated.ppm"]).status.success());
    place.until("the second report", || place.log().matches("failed: in: truncated.ppm").count() == 2);
    assert!(String::from_utf8_lossy(&place.query(&["history", "text.png"]).stdout).contains("done text.png"));
}

#[test]
fn killed_at_any_time_it_resumes_without_partial_or_double_results() {
    let Some(place) = Place::new() else { return };
    for index in 0..12 {
        fs::write(place.path("in").join(format!("{index}.ppm")), ppm(24, index)).unwrap();
    }
    for round in 0..6u64 {
        let mut daemon = place.start("");
        sleep(Duration::from_millis(900 + round * 230));
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

#[test]
fn a_file_that_kills_the_worker_twice_is_quarantined_and_the_others_go_on() {
    let Some(place) = Place::new() else { return };
    fs::write(place.path("in/poison.ppm"), ppm(500, 1)).unwrap();
    let daemon = place.start("");
    let running = || String::from_utf8_lossy(&place.query(&["status"]).stdout).contains("1 running");
    for death in 1..=2 {
        place.until("work on it", || running() && daemon.worker().is_some());
        let worker = daemon.worker().unwrap().to_string();
        assert!(Command::new("kill").args(["-9", &worker]).status().unwrap().success());
        place.until("its death", || place.log().matches("crash: in: poison.ppm").count() == death);
    }
    place.until("the verdict", || place.log().contains("failed: in: poison.ppm: the worker died"));
    fs::write(place.path("in/good.ppm"), ppm(8, 2)).unwrap();
    place.until("the good one", || place.results() == names(&["good.ppm"]));
}

#[test]
fn the_end_is_quick_loses_nothing_and_only_one_runs() {
    let Some(place) = Place::new() else { return };
    fs::write(place.path("in/large.ppm"), ppm(400, 1)).unwrap();
    let mut daemon = place.start("");
    let status = || String::from_utf8_lossy(&place.query(&["status"]).stdout).into_owned();
    place.until("work on it", || status().contains("1 running"));
    let second = place.command("").output().unwrap();
    assert_eq!(second.status.code(), Some(2));
    let message = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(message.contains(&format!("process {}", daemon.0.id())), "{message}");
    daemon.signal("-HUP");
    place.until("the new start", || place.log().contains("reloaded"));
    place.until("work on it", || status().contains("1 running"));
    daemon.signal("-TERM");
    assert_eq!(daemon.0.wait().unwrap().code(), Some(0));
    assert!(status().contains("1 queued"), "{}", status());
    assert!(place.results().is_empty());
}

#[test]
fn originals_go_only_after_their_result_stands() {
    let Some(place) = Place::new() else { return };
    fs::write(place.path("in/a.ppm"), ppm(8, 1)).unwrap();
    fs::write(place.path("in/bad.ppm"), b"P6\n8 8\n255\nshort").unwrap();
    let done = place.path("moved");
    let options = format!("--once --attempts 1 --move-originals {}", done.display());
    assert_eq!(place.command(&options).output().unwrap().status.code(), Some(1));
    assert!(done.join("a.ppm").exists() && !place.path("in/a.ppm").exists());
    assert!(place.path("in/bad.ppm").exists());
    // Another picture of the same name does not replace the first one's result.
    fs::remove_file(place.path("in/bad.ppm")).unwrap();
    fs::write(place.path("in/a.ppm"), ppm(8, 2)).unwrap();
    assert_eq!(place.command("--once --delete-originals").output().unwrap().status.code(), Some(0));
    assert_eq!(place.results(), names(&["a.ppm", "a-2.ppm"]));
    assert!(!place.path("in/a.ppm").exists() && done.join("a.ppm").exists());
}

#[test]
fn an_output_folder_that_goes_away_only_delays() {
    let Some(place) = Place::new() else { return };
    let _daemon = place.start("");
    place.until("the start", || place.log().contains("watching: in"));
    fs::rename(place.path("out"), place.path("away")).unwrap();
    fs::write(place.path("in/a.ppm"), ppm(8, 1)).unwrap();
    place.until("the pause", || place.log().contains("is away"));
    fs::rename(place.path("away"), place.path("out")).unwrap();
    place.until("the result", || place.results() == names(&["a.ppm"]));
    // The watched folder is deleted and made again.
    fs::remove_dir_all(place.path("in")).unwrap();
    place.until("the notice", || place.log().contains("in is away"));
    fs::create_dir(place.path("in")).unwrap();
    fs::write(place.path("in/b.ppm"), ppm(8, 2)).unwrap();
    place.until("the second result", || place.results() == names(&["a.ppm", "b.ppm"]));
    assert!(!place.log().contains("failed: "), "{}", place.log());
}

#[test]
fn loops_and_bad_files_are_refused_by_line_and_a_dry_run_does_nothing() {
    let place = Place(tempfile::tempdir().unwrap());
    fs::create_dir(place.path("in")).unwrap();
    fs::write(place.path("in/a.ppm"), ppm(8, 1)).unwrap();
    let output = place.command("--dry-run").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "take a.ppm\n");
    assert!(!place.path("state").exists());
    let config = place.path("watch.toml");
    let text = format!(
        "[[watch]]\nin = {:?}\nout = {:?}\nrecursive = true\n",
        place.path("in"),
        place.path("in/out")
    );
    let refuse = |text: &str| {
        fs::write(&config, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_partdiff"));
        command.arg("watch").arg("--config").arg(&config).arg("--state").arg(place.path("state"));
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(refuse(&text).contains("would be taken again"));
    let message = refuse(&format!("{text}settle = \"soon\"\n"));
    assert!(message.contains("watch.toml: line 5: time \"soon\""), "{message}");
}
