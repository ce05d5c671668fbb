//! A watch for tests: its folders, its ledger and its log.

use std::fs;
use std::path::{Path, PathBuf};
#[cfg(unix)]
use std::process::Command;
use std::sync::LazyLock;
use std::thread::yield_now;
use std::time::Duration;

#[cfg(unix)]
use super::daemon::event_loop::{Daemon, Service};
use super::daemon::folder::Folder;
use super::daemon::place::TEMPORARY;
use super::daemon::running::Assignment;
use super::daemon::scheduler::Scheduler;
use super::ledger::entry::{Entry, Placed, State};
use super::ledger::store::Ledger;
use super::report::log::Log;
use super::settings::watch_settings::WatchSettings;
use super::source::stamp::Stamp;
use super::worker::protocol::Made;
#[cfg(unix)]
use super::worker::protocol::Setup;
use crate::fs::hash::sha256_hex;
use crate::settings::units::{Amount, Period};

/// The watch's name.
pub const WATCH: &str = "w";

/// The digest of the watch's settings.
pub static DIGEST: LazyLock<String> = LazyLock::new(|| WatchSettings::default().digest().unwrap());

pub struct Fixture {
    folder: tempfile::TempDir,
    pub ledger: Ledger,
    pub log: Log,
}

impl Fixture {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["in", "out", "state"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let ledger = Ledger::open(&folder.path().join("state")).unwrap();
        Self { folder, ledger, log: Log::new(false) }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A watch that takes files as soon as they are seen, and waits 5 s after a first failure.
    pub fn settings(&self) -> WatchSettings {
        WatchSettings {
            name: WATCH.into(),
            input: self.path("in"),
            output: self.path("out"),
            settle: Period(Duration::ZERO),
            min_free: Amount(0),
            ..WatchSettings::default()
        }
    }

    pub fn folder(&self, settings: WatchSettings) -> Folder {
        let digest = settings.digest().unwrap();
        Folder::new(settings, digest, &self.path("state"), |_| {}, &self.log).unwrap()
    }

    pub fn scheduler(&self, settings: WatchSettings) -> Scheduler<'_> {
        let folders = vec![self.folder(settings)];
        Scheduler::new(folders, &self.ledger, &self.log, self.path("state/quarantine"))
    }

    /// A daemon over the watch; its worker is a script of the shell.
    #[cfg(unix)]
    pub fn daemon<'a>(&'a self, settings: WatchSettings, script: &'a str) -> Daemon<'a> {
        let service = Service {
            watches: vec![settings],
            state: self.path("state"),
            setup: Setup::default(),
            once: true,
            stall: Duration::from_secs(600),
            metrics: None,
        };
        let worker = move || {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            command
        };
        Daemon::new(service, &self.ledger, &self.log, worker).unwrap()
    }

    /// Walks, and looks until every file is complete.
    pub fn look(&self, folder: &mut Folder, now: Duration) {
        folder.scan_soon(now);
        folder.poll(&self.ledger, &self.log, now).unwrap();
        while folder.growing() > 0 {
            yield_now();
            folder.poll(&self.ledger, &self.log, now).unwrap();
        }
    }

    /// Writes a file of the watched folder, with a stamp of its own.
    pub fn write(&self, name: &str, contents: &str) -> Stamp {
        let path = self.path("in").join(name);
        fs::write(&path, contents).unwrap();
        Stamp::of(&fs::metadata(path).unwrap())
    }

    /// Has `name`, with `contents`, in the queue.
    pub fn queue(&self, name: &str, contents: &str) -> Entry {
        let stamp = self.write(name, contents);
        self.ledger.see(WATCH, Path::new(name), stamp, State::Settling).unwrap();
        self.ledger.queue(&self.entry(name), stamp, &sha256_hex(contents.as_bytes()), &DIGEST).unwrap();
        self.entry(name)
    }

    /// Has `name`, with `contents`, made into `result`.
    pub fn finish(&self, name: &str, contents: &str, result: &str) -> Entry {
        let placed = self.placed(name, result, &Made::default());
        fs::write(&placed.output, result).unwrap();
        self.ledger.finish(&self.queue(name, contents), &placed).unwrap();
        self.entry(name)
    }

    /// What `made` is in OUT under `name`.
    pub fn placed(&self, name: &str, result: &str, made: &Made) -> Placed {
        Placed {
            output: self.path("out").join(name),
            hash: sha256_hex(result.as_bytes()),
            details: serde_json::to_string(made).unwrap(),
        }
    }

    /// Gives out `name`, which is queued, and has `result` written for it.
    pub fn work(&self, name: &str, result: &str) -> (Assignment, Made) {
        let entry = self.entry(name);
        self.ledger.start(&entry).unwrap();
        let temporary = self.path("out").join(format!("{TEMPORARY}x-1-{}", entry.id));
        fs::write(&temporary, result).unwrap();
        let made = Made { hash: sha256_hex(result.as_bytes()), ext: "png".into(), ..Made::default() };
        (Assignment { folder: 0, entry, temporary }, made)
    }

    pub fn entry(&self, name: &str) -> Entry {
        self.known(name).unwrap_or_else(|| panic!("{name} is unknown"))
    }

    pub fn known(&self, name: &str) -> Option<Entry> {
        self.ledger.get(WATCH, Path::new(name)).unwrap()
    }

    pub fn state(&self, name: &str) -> State {
        self.entry(name).state
    }

    /// Names and contents of the files in `folder`, in order.
    pub fn files(&self, folder: &str) -> Vec<(String, String)> {
        let files = fs::read_dir(self.path(folder)).unwrap().map(|file| file.unwrap().path());
        let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        let mut files: Vec<_> =
            files.map(|path| (name(&path), fs::read_to_string(&path).unwrap_or_default())).collect();
        files.sort();
        files
    }

    /// Lines of the log that begin with `start`.
    pub fn told(&self, start: &str) -> Vec<String> {
        self.log.lines().into_iter().filter(|line| line.starts_with(start)).collect()
    }
}

/// A time since the start of the daemon.
pub fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
