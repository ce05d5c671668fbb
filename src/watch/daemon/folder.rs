//! One watch: from what is seen in its folder to what stands in the queue.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::background::Background;
use super::hasher::{Hashed, Hasher};
use super::original::{Original, Removal};
use super::totals::Totals;
use crate::error::Result;
use crate::fs::hash::hash_file;
use crate::report::event::Topic;
use crate::watch::ledger::entry::{Entry, State};
use crate::watch::ledger::store::Ledger;
use crate::watch::report::log::Log;
use crate::watch::settings::watch_settings::WatchSettings;
use crate::watch::source::events::{Hint, Source};
use crate::watch::source::filesystem::{Reach, is_mount_point, reach};
use crate::watch::source::scan::{Kind, left_alone, look, scan};
use crate::watch::source::selection::Selection;
use crate::watch::source::settle::{Role, Settler, Sign};
use crate::watch::source::stamp::Stamp;

const RESCAN_LOCAL: Duration = Duration::from_secs(300);
const RESCAN_POLLED: Duration = Duration::from_secs(10);

/// Least time between two walks that hints ask for; long walks rest longer.
const PAUSE: Duration = Duration::from_millis(500);

/// Files that are looked at in one go, so that the worker need not wait.
const SLICE: usize = 256;

/// A watched folder at work. Times are since the start of the daemon.
pub struct Folder {
    /// What was asked for, prepared.
    pub settings: WatchSettings,
    /// Hash of all that changes results.
    pub digest: String,
    /// Until when no work is given out, after faults of the surroundings.
    pub paused: Option<Duration>,
    /// Such faults in a row.
    pub faults: u32,
    /// Why nothing is done now.
    pub trouble: Option<String>,
    /// What was done since the start.
    pub totals: Totals,
    pub(crate) selection: Selection,
    pub(crate) settler: Settler,
    hasher: Hasher,
    pub(crate) originals: Background<Original, (Original, Removal)>,
    source: Option<Source>,
    own: Vec<PathBuf>,
    next_scan: Duration,
    rest_until: Duration,
    period: Duration,
    scanned: bool,
    input_mounted: bool,
    output_mounted: bool,
}

impl Folder {
    /// A watch on `settings`, whose results are told apart by `digest`; hints go to `sink`. `state` is not watched.
    ///
    /// # Errors
    /// As the globs are wrong.
    pub fn new(
        settings: WatchSettings,
        digest: String,
        state: &Path,
        sink: impl Fn(Hint) + Clone + Send + 'static,
        log: &Log,
    ) -> Result<Self> {
        let announce = {
            let sink = sink.clone();
            move || sink(Hint::Take)
        };
        let remove = |original: Original| {
            let removal = original.remove();
            (original, removal)
        };
        let local = reach(&settings.input) == Reach::Local;
        let source = if local {
            let problem = |error| log.service(Topic::Polling, &format!("{}: {error}", settings.name));
            Source::new(sink).map_err(problem).ok()
        } else {
            log.service(Topic::Polling, &format!("{}: a network or unknown file system", settings.name));
            None
        };
        let usual = if source.is_some() { RESCAN_LOCAL } else { RESCAN_POLLED };
        let own = [Some(state.to_path_buf()), Some(settings.output.clone()), settings.move_to.clone()];
        Ok(Self {
            selection: Selection::new(&settings.include, &settings.exclude)?,
            settler: Settler::new(settings.settle.0),
            period: settings.rescan.map_or(usual, |period| period.0.max(Duration::from_millis(100))),
            input_mounted: is_mount_point(&settings.input),
            output_mounted: is_mount_point(&settings.output),
            hasher: Hasher::new(settings.input.clone(), hash_file, announce.clone()),
            originals: Background::new(remove, announce),
            own: own.into_iter().flatten().collect(),
            source,
            digest,
            settings,
            paused: None,
            faults: 0,
            trouble: None,
            totals: Totals::default(),
            next_scan: Duration::ZERO,
            rest_until: Duration::ZERO,
            scanned: false,
        })
    }

    /// The path of an input.
    pub fn path_of(&self, entry: &Entry) -> PathBuf {
        self.settings.input.join(&entry.path)
    }

    /// When something has to be done here without any hint.
    pub fn next_deadline(&self) -> Duration {
        self.settler.next_look().map_or(self.next_scan, |look| look.min(self.next_scan))
    }

    /// Images with contents that are not complete yet.
    pub fn growing(&self) -> usize {
        if self.scanned { self.settler.growing() + self.hasher.pending() } else { 1 }
    }

    /// Asks for a walk soon.
    pub fn scan_soon(&mut self, now: Duration) {
        self.next_scan = self.next_scan.min(now.max(self.rest_until));
    }

    /// Why results cannot be placed now.
    pub fn output_problem(&self) -> Option<String> {
        let output = &self.settings.output;
        if !output.is_dir() || self.output_mounted && !is_mount_point(output) {
            return Some(format!(
                "{}: the output folder {} is unavailable",
                self.settings.name,
                output.display()
            ));
        }
        let free = crate::watch::source::filesystem::free_bytes(output)?;
        (free < self.settings.min_free.0).then(|| {
            format!(
                "{}: too little space for results: less than {} is free in {}",
                self.settings.name,
                self.settings.min_free,
                output.display()
            )
        })
    }

    /// Takes a hint.
    ///
    /// # Errors
    /// As the ledger fails.
    pub fn hint(&mut self, hint: Hint, ledger: &Ledger, log: &Log, now: Duration) -> Result<()> {
        match hint {
            Hint::Scan => self.scan_soon(now),
            // The next turn does.
            Hint::Take => {}
            Hint::Look(path, sign) => match path.strip_prefix(&self.settings.input) {
                // The watched folder itself changed: moved, deleted, unmounted.
                Ok(relative) if relative.as_os_str().is_empty() => self.scan_soon(now),
                Ok(relative) => {
                    let kind = look(&self.settings.input, relative, &self.selection);
                    self.found(relative, kind, sign, ledger, log, now)?;
                }
                Err(_) => {}
            },
        }
        Ok(())
    }

    /// Walks if it is time, looks at files that may be complete, and takes those that were hashed.
    ///
    /// # Errors
    /// As the ledger fails.
    pub fn poll(&mut self, ledger: &Ledger, log: &Log, now: Duration) -> Result<()> {
        if self.next_scan <= now {
            let start = Instant::now();
            self.walk(ledger, log, now)?;
            self.rest_until = now + PAUSE.max(start.elapsed() * 10);
        }
        for path in self.settler.due(now, SLICE) {
            match look(&self.settings.input, &path, &self.selection) {
                Kind::File(_, stamp) => {
                    for (path, stamp) in self.settler.confirm(&path, stamp, now) {
                        self.hasher.request(path, stamp);
                    }
                }
                _ => self.gone(&path, ledger)?,
            }
        }
        let hashed = self.hasher.take();
        if hashed.is_empty() {
            return Ok(());
        }
        ledger.batch(|ledger| {
            hashed.into_iter().try_for_each(|Hashed { path, stamp, hash }| {
                self.settled(&path, stamp, hash, ledger, log, now)
            })
        })
    }

    fn walk(&mut self, ledger: &Ledger, log: &Log, now: Duration) -> Result<()> {
        self.next_scan = now + self.period;
        let settings = &self.settings;
        let found = if self.input_mounted && !is_mount_point(&settings.input) {
            Err(io::Error::other("nothing is mounted there"))
        } else {
            scan(&settings.input, settings.recursive, &self.selection, &self.own)
        };
        let scan = match found {
            Ok(scan) => scan,
            Err(error) => {
                // Unmounted or deleted: nothing is concluded from files that are not to be seen.
                let text = format!("{}: {} is unavailable: {error}", settings.name, settings.input.display());
                log.complain(Topic::Away, &text);
                self.next_scan = now + self.period.min(RESCAN_POLLED);
                return Ok(());
            }
        };
        for (path, reason) in &scan.unreadable {
            let relative = path.strip_prefix(&settings.input).unwrap_or(path);
            log.complain_file(Topic::Unreadable, &settings.name, relative, reason);
        }
        if let Some(source) = &mut self.source
            && let Some(problem) = source.arm(&scan.branches)
        {
            log.complain(
                Topic::Polling,
                &format!("{}: cannot watch all folders: {problem}", self.settings.name),
            );
            self.next_scan = now + self.period.min(RESCAN_POLLED);
        }
        let first = !self.scanned && !ledger.knows(&self.settings.name)?;
        ledger.batch(|ledger| {
            for file in scan.files {
                if first && self.settings.ignore_existing {
                    self.pass_over(&file.relative, file.kind, ledger)?;
                }
                self.found(&file.relative, file.kind, Sign::Found, ledger, log, now)?;
            }
            // What waited and is not there any more is not waited for.
            if !self.scanned {
                for state in [State::Seen, State::Settling, State::Queued, State::Ignored] {
                    for entry in ledger.in_state(&self.settings.name, state)? {
                        if fs::symlink_metadata(self.path_of(&entry)).is_err() {
                            ledger.drop_unmade(&self.settings.name, &entry.path)?;
                        }
                    }
                }
            }
            ledger.begin(&self.settings.name)
        })?;
        self.scanned = true;
        Ok(())
    }

    /// Has a file that was there at the first start left alone, until it changes.
    fn pass_over(&self, path: &Path, kind: Kind, ledger: &Ledger) -> Result<()> {
        if let Kind::File(Role::Image, stamp) = kind {
            ledger.ignore(&self.settings.name, path, stamp, None, "was there at the first start")?;
        }
        Ok(())
    }

    fn found(
        &mut self,
        path: &Path,
        kind: Kind,
        sign: Sign,
        ledger: &Ledger,
        log: &Log,
        now: Duration,
    ) -> Result<()> {
        let watch = &self.settings.name;
        if let Some(reason) = left_alone(kind, path, &self.selection, self.settings.recursive)
            && ledger.ignore(watch, path, Stamp::default(), None, &reason)?
        {
            log.complain_file(Topic::Ignored, watch, path, &reason);
        }
        let (role, stamp) = match kind {
            Kind::File(role, stamp) => (role, stamp),
            Kind::Folder => {
                self.scan_soon(now);
                return Ok(());
            }
            Kind::Odd | Kind::Link => return Ok(()),
            Kind::Nothing => return self.gone(path, ledger),
        };
        if role == Role::Companion {
            self.settler.observe(path, stamp, sign, role, now);
            return Ok(());
        }
        let postponed = sign == Sign::Found && self.settler.is_postponed(path, stamp);
        if postponed || self.hasher.is_pending(path, stamp) {
            return Ok(());
        }
        let entry = ledger.get(watch, path)?;
        if let Some(entry) = &entry {
            let waits = matches!(entry.state, State::Seen | State::Settling);
            // The end of a job looks again.
            if entry.state == State::Running || entry.stamp == stamp && !waits {
                return Ok(());
            }
        }
        let state = if stamp.len == 0 { State::Seen } else { State::Settling };
        // Later stamps of a growing file are not worth a write each.
        if entry.is_none_or(|entry| entry.state != state) {
            ledger.see(watch, path, stamp, state)?;
        }
        self.settler.observe(path, stamp, sign, role, now);
        Ok(())
    }

    /// Has a file settle again that changed while it was worked on.
    ///
    /// # Errors
    /// As the ledger fails.
    pub fn again(&mut self, entry: &Entry, ledger: &Ledger, now: Duration) -> Result<()> {
        match look(&self.settings.input, &entry.path, &self.selection) {
            Kind::File(role, stamp) => {
                ledger.see(&self.settings.name, &entry.path, stamp, State::Settling)?;
                self.settler.observe(&entry.path, stamp, Sign::Found, role, now);
                Ok(())
            }
            _ => self.gone(&entry.path, ledger),
        }
    }

    fn input_is_there(&self) -> bool {
        let input = &self.settings.input;
        input.is_dir() && (!self.input_mounted || is_mount_point(input))
    }

    pub(crate) fn gone(&mut self, path: &Path, ledger: &Ledger) -> Result<()> {
        self.settler.forget(path);
        self.hasher.forget(path);
        // Without the root nothing is known about the file.
        if self.input_is_there() { ledger.drop_unmade(&self.settings.name, path) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
