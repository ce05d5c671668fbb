//! What becomes of inputs: which one is next, results into place, failures into the ledger, originals where they
//! belong.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::folder::Folder;
use super::original::{Original, Removal};
use super::place::{Target, rename_all};
use super::quarantine::quarantine;
use super::running::Assignment;
use crate::batch::naming::shown;
use crate::error::Result;
use crate::fs::hash::holds;
use crate::report::event::{Event, Files, Reporter, Topic};
use crate::settings::values::show_seconds;
use crate::volume::sidecar_path;
use crate::watch::ledger::entry::{Entry, Placed, State};
use crate::watch::ledger::store::{Ledger, timestamp, unix_millis};
use crate::watch::report::log::Log;
use crate::watch::settings::watch_settings::{Collision, Originals, Quarantine};
use crate::watch::source::stamp::Stamp;
use crate::watch::worker::failure::{CRASHES, Fault, backoff};
use crate::watch::worker::protocol::{Made, Ready, remove_temporaries, sidecar_temporary};

/// How often is looked whether results can be placed again.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// Inputs that the summary names at most.
pub const SUMMARY: usize = 20;

/// Numbers that are tried for a result whose name is taken.
const NUMBERS: u32 = 10_000;

/// The folders, the ledger and the log, and what is done with them.
pub struct Scheduler<'a> {
    /// The watches.
    pub folders: Vec<Folder>,
    /// The ledger.
    pub ledger: &'a Ledger,
    /// The log.
    pub log: &'a Log,
    /// Worker processes that died since the start.
    pub deaths: u64,
    /// The first ones that were given up since the start.
    pub given_up: Vec<i64>,
    quarantine: PathBuf,
}

impl<'a> Scheduler<'a> {
    /// A scheduler whose bad files go below `quarantine`.
    pub fn new(folders: Vec<Folder>, ledger: &'a Ledger, log: &'a Log, quarantine: PathBuf) -> Self {
        Self { folders, ledger, log, deaths: 0, given_up: Vec::new(), quarantine }
    }

    /// Brings in order what an earlier process did not finish.
    ///
    /// # Errors
    /// As the ledger fails; so for all of these.
    pub fn recover(&mut self) -> Result<()> {
        for index in 0..self.folders.len() {
            let name = self.folders[index].settings.name.clone();
            for entry in self.ledger.in_state(&name, State::Running)? {
                match &entry.intent {
                    // Renamed, but not written down.
                    Some(intent) if holds(&intent.output, &intent.hash) => {
                        self.ledger.finish(&entry, intent)?
                    }
                    _ => self.ledger.wait(&entry, entry.attempts, None, None)?,
                }
            }
            self.ledger.adopt(&name, &self.folders[index].digest)?;
            if self.folders[index].settings.originals != Originals::Keep {
                for entry in self.ledger.undisposed(&name)? {
                    self.dispose(index, entry.id)?;
                }
            }
        }
        Ok(())
    }

    /// The next input that may be worked on, with the number of its folder.
    pub fn next(&mut self, now: Duration) -> Result<Option<(usize, Entry)>> {
        for (index, folder) in self.folders.iter_mut().enumerate() {
            if folder.paused.is_some_and(|until| now < until) {
                continue;
            }
            let Some(entry) = self.ledger.next(&folder.settings.name, unix_millis())? else { continue };
            if let Some(hours) = &folder.settings.hours
                && !hours.is_open_now()
            {
                let problem = format!("{}: outside its working hours {hours}", folder.settings.name);
                self.log.complain(Topic::Paused, &problem);
                folder.trouble = Some(problem);
                continue;
            }
            if let Some(problem) = folder.output_problem() {
                self.log.complain(Topic::Paused, &problem);
                folder.faults += 1;
                // Looking again costs little.
                let wait = backoff(folder.settings.retry_delay.0, folder.faults).min(LOOK_AGAIN);
                folder.paused = Some(now + wait);
                folder.trouble = Some(problem);
                continue;
            }
            folder.paused = None;
            if folder.faults == 0 && folder.trouble.take().is_some() {
                self.log.service(Topic::Resumed, &folder.settings.name);
            }
            return Ok(Some((index, entry)));
        }
        Ok(None)
    }

    /// An earlier result of the same contents, which only has to be copied. Its name's extension tells the format, so
    /// both inputs must have the same.
    pub fn ready(&self, index: usize, entry: &Entry) -> Result<Option<Ready>> {
        let Some(hash) = &entry.hash else { return Ok(None) };
        let folder = &self.folders[index];
        let twins = self.ledger.twins(&folder.settings.name, hash, &folder.digest, entry.id)?;
        Ok(twins.into_iter().filter(|twin| twin.path.extension() == entry.path.extension()).find_map(
            |twin| {
                let made = twin.made()?;
                let result = twin.result.filter(|result| result.output.is_file())?;
                Some(Ready { path: result.output, made })
            },
        ))
    }

    /// The folder for the result of `entry`, made if missing; `None` where it cannot be, and the watch pauses.
    pub fn folder_of_result(
        &mut self,
        index: usize,
        entry: &Entry,
        now: Duration,
    ) -> Result<Option<PathBuf>> {
        let folder = &self.folders[index];
        let place = folder.settings.output.join(entry.path.parent().unwrap_or(Path::new("")));
        match fs::create_dir_all(&place) {
            Ok(()) => Ok(Some(place)),
            Err(error) => {
                let reason = format!("cannot make {}: {error}", shown(&place));
                self.pause(index, entry, &reason, now)?;
                Ok(None)
            }
        }
    }

    /// A result is written; it goes into place.
    pub fn made(&mut self, job: Assignment, made: &Made, now: Duration) -> Result<()> {
        let placed = match self.place(&job, made)? {
            Ok(placed) => placed,
            Err(problem) => {
                remove_temporaries(&job.temporary);
                let taken = problem.kind() == io::ErrorKind::AlreadyExists;
                let fault = if taken { Fault::File } else { Fault::Place };
                return self.failed(job, fault, &format!("cannot place the result: {problem}"), now);
            }
        };
        self.ledger.batch(|ledger| ledger.finish(&job.entry, &placed))?;
        let folder = &mut self.folders[job.folder];
        (folder.faults, folder.paused) = (0, None);
        if folder.trouble.take().is_some() {
            self.log.service(Topic::Resumed, &folder.settings.name);
        }
        folder.totals.done += 1;
        folder.totals.reused += u64::from(made.reused);
        folder.totals.engine_seconds += made.engine_seconds;
        let watch = folder.settings.name.clone();
        let files = Files::of_watch(&watch, &job.entry.path, Some(&placed.output));
        let Made { width, height, seconds, reused, .. } = *made;
        self.log.tell(&Event::Placed { files, width, height, seconds, reused });
        for message in &made.warnings {
            self.log.tell(&Event::Warning { files, message });
        }
        if let Some(message) = &made.damage {
            self.log.tell(&Event::Damaged { files, message });
        }
        self.dispose(job.folder, job.entry.id)?;
        // Contents that changed meanwhile are new.
        let path = self.folders[job.folder].path_of(&job.entry);
        if fs::metadata(path).is_ok_and(|data| Stamp::of(&data) != job.entry.stamp) {
            self.folders[job.folder].again(&job.entry, self.ledger, now)?;
        }
        Ok(())
    }

    fn place(&self, job: &Assignment, made: &Made) -> Result<io::Result<Placed>> {
        let settings = &self.folders[job.folder].settings;
        let folder = job.temporary.parent().unwrap_or(&settings.output);
        let details = serde_json::to_string(made).unwrap_or_default();
        // A result of this input that nobody touched gives way to the new one, unless its original is gone: then it
        // was another image of the same name.
        let own = job
            .entry
            .result
            .as_ref()
            .filter(|_| !job.entry.disposed || settings.originals == Originals::Keep);
        for number in 1..NUMBERS {
            let output = folder.join(settings.names.render(
                &job.entry.path,
                made,
                settings.upscale.preset.as_deref(),
                number,
            ));
            let is_own = || own.is_some_and(|own| own.output == output && holds(&output, &own.hash));
            let mut targets = vec![Target::of(&job.temporary, &output, settings.collision, is_own)];
            if let Some(hash) = &made.sidecar {
                let (temporary, path) = (sidecar_temporary(&job.temporary), sidecar_path(&output));
                // Also one that an interrupted try left.
                let is_own = || is_own() || holds(&path, hash);
                targets.insert(0, Target::of(&temporary, &path, settings.collision, is_own));
            }
            if let Some(taken) = targets.iter().find(|target| target.is_taken) {
                if settings.collision == Collision::Number {
                    continue;
                }
                let message = format!("{} exists already", shown(&taken.path));
                return Ok(Err(io::Error::new(io::ErrorKind::AlreadyExists, message)));
            }
            let placed = Placed { output, hash: made.hash.clone(), details: details.clone() };
            self.ledger.intend(&job.entry, &placed)?;
            match rename_all(&targets) {
                Err(error)
                    if error.kind() == io::ErrorKind::AlreadyExists
                        && settings.collision == Collision::Number => {}
                result => {
                    return Ok(result.map(|lost| {
                        if let Some(lost) = lost {
                            let files = Files::of_watch(&job.entry.watch, &job.entry.path, None);
                            self.log.tell(&Event::Warning { files, message: &lost });
                        }
                        placed
                    }));
                }
            }
        }
        Ok(Err(io::Error::new(io::ErrorKind::AlreadyExists, "too many files of that name")))
    }

    /// Has the original moved or deleted, if that was asked for and the file was whole.
    fn dispose(&mut self, index: usize, id: i64) -> Result<()> {
        let folder = &mut self.folders[index];
        if folder.settings.originals == Originals::Keep {
            return Ok(());
        }
        if let Some(entry) = self.ledger.by_id(id)?.filter(|entry| entry.state == State::Done) {
            // Another program may recover more of it one day.
            if entry.made().is_none_or(|made| made.damage.is_some()) {
                return Ok(());
            }
            let (path, move_to) = (folder.path_of(&entry), folder.settings.move_to.clone());
            folder.originals.start(Original { entry, path, move_to });
        }
        Ok(())
    }

    /// Writes down which originals are gone.
    pub fn disposed(&mut self) -> Result<()> {
        for folder in &mut self.folders {
            for (Original { entry, .. }, removal) in folder.originals.take() {
                match removal {
                    Removal::Gone => self.ledger.dispose(&entry)?,
                    Removal::Changed => {
                        let reason = "the result or the original changed";
                        self.log.file(Topic::Kept, &entry.watch, &entry.path, reason);
                    }
                    Removal::Failed(error) => {
                        let detail = format!("cannot be removed: {error}");
                        self.log.complain_file(Topic::Kept, &entry.watch, &entry.path, &detail);
                    }
                }
            }
        }
        Ok(())
    }

    /// A job failed.
    pub fn failed(&mut self, job: Assignment, fault: Fault, reason: &str, now: Duration) -> Result<()> {
        let folder = &mut self.folders[job.folder];
        let delay = folder.settings.retry_delay.0;
        match fault {
            Fault::File if job.entry.attempts + 1 >= folder.settings.attempts => {
                self.give_up(&job, job.entry.attempts + 1, reason)
            }
            Fault::File => {
                let (attempts, most) = (job.entry.attempts + 1, folder.settings.attempts);
                let wait = backoff(delay, attempts);
                let next = later(wait);
                self.ledger.wait(&job.entry, attempts, Some(next), Some(reason))?;
                self.log.tell(&Event::Attempt {
                    files: Files::of_watch(&folder.settings.name, &job.entry.path, None),
                    detail: reason,
                    attempt: attempts,
                    attempts: most,
                    next_try: &timestamp(next),
                    seconds: wait.as_secs_f64(),
                });
                Ok(())
            }
            Fault::Moving => {
                self.ledger.wait(&job.entry, job.entry.attempts, None, Some(reason))?;
                let detail = format!("{reason}; it has to settle again");
                self.log.complain_file(Topic::Changed, &folder.settings.name, &job.entry.path, &detail);
                folder.again(&job.entry, self.ledger, now)
            }
            Fault::Unreadable => {
                self.ledger.wait(&job.entry, job.entry.attempts, None, Some(reason))?;
                folder.cannot_read(&job.entry.path, job.entry.stamp, reason, self.ledger, self.log, now)
            }
            Fault::Place => self.pause(job.folder, &job.entry, reason, now),
        }
    }

    /// The surroundings failed: `entry` waits, and so does its watch.
    fn pause(&mut self, index: usize, entry: &Entry, reason: &str, now: Duration) -> Result<()> {
        let folder = &mut self.folders[index];
        let problem = format!("{}: {reason}", folder.settings.name);
        let until = match folder.paused.filter(|until| now < *until) {
            // All that was given out meets the same fault.
            Some(until) => until,
            None => {
                folder.faults += 1;
                let wait = backoff(folder.settings.retry_delay.0, folder.faults);
                self.log.complain(Topic::Paused, &format!("{problem}; tried again in {}", spoken(wait)));
                now + wait
            }
        };
        let wait = until.saturating_sub(now);
        folder.paused = Some(until);
        folder.trouble = Some(problem);
        // Behind the others, in case it is this file after all.
        self.ledger.wait(entry, entry.attempts, Some(later(wait)), Some(reason))
    }

    /// The worker died over these jobs.
    pub fn crashed(&mut self, jobs: Vec<Assignment>, reason: &str) -> Result<()> {
        self.deaths += 1;
        let alone = jobs.len() == 1;
        for job in jobs {
            let settings = &self.folders[job.folder].settings;
            let delay = backoff(settings.retry_delay.0, job.entry.crashes + 1);
            let last = alone && job.entry.crashes + 1 >= CRASHES;
            let next = match (last, alone) {
                (true, _) => String::new(),
                (_, true) => format!("; tried again in {}", spoken(delay)),
                // Nobody knows yet which one it was.
                _ => "; tried again, alone".into(),
            };
            self.log.file(Topic::Crash, &settings.name, &job.entry.path, &format!("{reason}{next}"));
            self.ledger.crash(&job.entry, alone.then(|| later(delay)), reason)?;
            if last {
                let entry = self.ledger.by_id(job.entry.id)?.unwrap_or(job.entry);
                let attempts = entry.attempts;
                self.give_up(&Assignment { entry, ..job }, attempts, reason)?;
            }
        }
        Ok(())
    }

    fn give_up(&mut self, job: &Assignment, attempts: u32, reason: &str) -> Result<()> {
        self.folders[job.folder].totals.failed += 1;
        if self.given_up.len() < SUMMARY {
            self.given_up.push(job.entry.id);
        }
        self.ledger.fail(&job.entry, attempts, reason)?;
        let settings = &self.folders[job.folder].settings;
        let files = Files::of_watch(&settings.name, &job.entry.path, None);
        self.log.tell(&Event::Failed { files, kind: None, reason });
        let from = self.folders[job.folder].path_of(&job.entry);
        let entry = Entry { attempts, ..job.entry.clone() };
        let folder = self.quarantine.join(settings.name.replace(['/', '\\'], "-"));
        let take = settings.quarantine == Quarantine::Move;
        if let Err(error) = quarantine(&from, &folder, &entry, reason, take) {
            self.log
                .complain(Topic::Quarantine, &format!("cannot quarantine in {}: {error}", shown(&folder)));
        }
        Ok(())
    }
}

fn spoken(wait: Duration) -> String {
    show_seconds(wait.as_secs_f64())
}

fn later(wait: Duration) -> i64 {
    unix_millis().saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
