//! A folder with IN, OUT and state, and daemons over it: the real program, or one with a network of the tests.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use partdiff::Limits;
use partdiff::image::decode;
use partdiff::runtime::{Device, find};

use super::stub;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(240);

/// Settings for tests: short waits.
const LINES: &str = "settle = \"500ms\"\nrescan = \"1s\"\nretry_delay = \"100ms\"\nmin_free = \"0\"\nupscale = { seed = 1 }\n";

pub struct Place(tempfile::TempDir);

/// A daemon; killed when a test ends.
pub struct Daemon(pub Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Daemon {
    pub fn signal(&self, name: &str) {
        kill(name, self.0.id());
    }

    pub fn end(&mut self) -> Option<i32> {
        self.signal("-TERM");
        self.0.wait().unwrap().code()
    }

    /// The worker's process number, once it has one.
    pub fn worker(&self) -> Option<u32> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.0.id())).ok()?;
        let children =
            tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
        children.collect::<String>().split_whitespace().next()?.parse().ok()
    }

    /// The daemon's highest resident memory in KiB.
    pub fn peak_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

pub fn kill(signal: &str, process: u32) {
    assert!(Command::new("kill").args([signal, &process.to_string()]).status().unwrap().success());
}

impl Place {
    /// A place for the real program; `None`, told on standard error, where the machine has no ONNX Runtime.
    pub fn real() -> Option<Self> {
        if let Err(error) = find(None, Device::Cpu) {
            skipped!("{}", error.report());
            return None;
        }
        Some(Self::new())
    }

    pub fn new() -> Self {
        Self::below(&std::env::temp_dir())
    }

    pub fn below(folder: &Path) -> Self {
        let place = Self(tempfile::tempdir_in(folder).unwrap());
        fs::create_dir(place.path("in")).unwrap();
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The real program with `options`.
    pub fn command(&self, options: &str) -> Command {
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

    pub fn start(&self, options: &str) -> Daemon {
        self.spawn(&mut self.command(options))
    }

    /// A daemon with the network of the tests, with lines of TOML for the watch; those given win over the usual.
    pub fn stub(&self, lines: &str) -> Command {
        self.configure(lines);
        stub::daemon(&self.path("watch.toml"))
    }

    /// Writes the configuration for [`stub`](Self::stub).
    pub fn configure(&self, lines: &str) {
        let key = |line: &str| line.split_once(" =").map(|(key, _)| key.to_string());
        let given: Vec<_> = lines.lines().filter_map(key).collect();
        let usual = LINES.lines().filter(|line| key(line).is_none_or(|key| !given.contains(&key)));
        let text = format!(
            "state = {:?}\nmetrics = {:?}\n[[watch]]\nin = {:?}\nout = {:?}\n{}\n{lines}\n",
            self.path("state"),
            self.path("metrics"),
            self.path("in"),
            self.path("out"),
            usual.collect::<Vec<_>>().join("\n")
        );
        fs::write(self.path("watch.toml"), text).unwrap();
    }

    /// Starts a daemon whose log is kept.
    pub fn spawn(&self, command: &mut Command) -> Daemon {
        let log = OpenOptions::new().create(true).append(true).open(self.path("log")).unwrap();
        self.spawn_logging_to(command, log)
    }

    pub fn spawn_logging_to(&self, command: &mut Command, log: impl Into<Stdio>) -> Daemon {
        Daemon(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }

    pub fn query(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_partdiff"));
        command.arg("watch").arg(words[0]).arg("--state").arg(self.path("state")).args(&words[1..]);
        command.output().unwrap()
    }

    pub fn status(&self) -> String {
        String::from_utf8_lossy(&self.query(&["status"]).stdout).into_owned()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// A figure of the metrics file; 0 before there is one.
    pub fn figure(&self, name: &str) -> f64 {
        let text = fs::read_to_string(self.path("metrics")).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("partdiff_watch_")?.strip_prefix(name));
        line.map_or(0.0, |value| value.trim().parse().unwrap())
    }

    /// Waits until `condition` holds.
    #[track_caller]
    pub fn until(&self, what: &str, condition: impl Fn() -> bool) {
        let start = Instant::now();
        while !condition() {
            assert!(start.elapsed() < PATIENCE, "never: {what}; the log was:\n{}", self.log());
            sleep(Duration::from_millis(50));
        }
    }

    #[track_caller]
    pub fn until_logged(&self, text: &str) {
        self.until(text, || self.log().contains(text));
    }

    /// Everything below OUT, as raw names.
    pub fn results(&self) -> BTreeSet<Vec<u8>> {
        fn collect(folder: &Path, root: &Path, names: &mut BTreeSet<Vec<u8>>) {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
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

    /// The results under final names.
    pub fn visible(&self) -> BTreeSet<Vec<u8>> {
        let hidden = |name: &Vec<u8>| name.starts_with(b".") || name.windows(2).any(|pair| pair == b"/.");
        self.results().into_iter().filter(|name| !hidden(name)).collect()
    }

    #[track_caller]
    pub fn expect_size(&self, name: &str, side: usize) {
        let image = decode(&fs::read(self.path("out").join(name)).unwrap(), &Limits::default()).unwrap();
        assert_eq!((image.width(), image.height()), (side, side), "{name}");
    }
}

/// A square of `side` pixels that differs by `seed`, as PPM.
pub fn ppm(side: usize, seed: usize) -> Vec<u8> {
    let mut bytes = format!("P6\n# {seed}\n{side} {side}\n255\n").into_bytes();
    bytes.extend((0..side * side * 3).map(|at| (60 + (at / 3 * 7 + seed * 13) % 120) as u8));
    bytes
}

pub fn names(list: &[&str]) -> BTreeSet<Vec<u8>> {
    list.iter().map(|name| name.as_bytes().to_vec()).collect()
}

/// Whether this process may mount file systems.
pub fn is_root() -> bool {
    let root = fs::metadata("/proc/self").is_ok_and(|data| std::os::unix::fs::MetadataExt::uid(&data) == 0);
    if !root {
        skipped!("mounting file systems takes root");
    }
    root
}

/// What a daemon tells systemd, in whose place the test is.
pub struct Notified {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Notified {
    pub fn new(place: &Place) -> Self {
        let path = place.path("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, path }
    }

    /// Has the daemon of `command` tell.
    pub fn by<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("NOTIFY_SOCKET", &self.path).env("WATCHDOG_USEC", "30000000")
    }

    /// All that is told up to the message that contains `wanted`.
    #[track_caller]
    pub fn hear(&self, wanted: &str) -> String {
        let mut heard = Vec::new();
        let mut message = [0; 4096];
        loop {
            let length =
                self.socket.recv(&mut message).unwrap_or_else(|error| panic!("{wanted}: {error}, {heard:?}"));
            let text = String::from_utf8_lossy(&message[..length]).into_owned();
            let found = text.contains(wanted);
            heard.push(text);
            if found {
                return heard.concat();
            }
        }
    }

    /// Forgets what was told until now.
    pub fn forget(&self) {
        self.socket.set_nonblocking(true).unwrap();
        while self.socket.recv(&mut [0; 4096]).is_ok() {}
        self.socket.set_nonblocking(false).unwrap();
    }
}

/// A small file system; unmounted when a test ends.
pub struct Mount(PathBuf);

impl Mount {
    /// `None`, told on standard error, where this process may not mount.
    pub fn new(path: PathBuf, size: &str) -> Option<Self> {
        if !is_root() {
            return None;
        }
        fs::create_dir_all(&path).unwrap();
        let mount = Self(path);
        let done = mount.mount(size);
        if !done {
            skipped!("mounting is not allowed here");
        }
        done.then_some(mount)
    }

    pub fn mount(&self, size: &str) -> bool {
        let options = format!("size={size},mode=755");
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&self.0);
        command.status().is_ok_and(|status| status.success())
    }

    pub fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        assert!(Command::new("mount").args(["-o", &options]).arg(&self.0).status().unwrap().success());
    }

    pub fn unmount(&self) {
        assert!(Command::new("umount").arg("-l").arg(&self.0).status().unwrap().success());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).stderr(Stdio::null()).status();
    }
}
