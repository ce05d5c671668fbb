//! The service: hints and walks in, work out to the worker, results into place; for months.

use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::folder::Folder;
use super::place::sweep;
use super::running::Running;
use super::scheduler::Scheduler;
use super::service_manager;
use super::signals::Signal;
use super::status::Report;
use super::summary;
use crate::error::{Error, Result};
use crate::fs::hash::sha256_hex;
use crate::fs::path_bytes::to_bytes;
use crate::report::event::Topic;
use crate::watch::ledger::store::{Ledger, unix_millis};
use crate::watch::report::log::Log;
use crate::watch::settings::watch_settings::WatchSettings;
use crate::watch::source::events::Hint;
use crate::watch::worker::child::WorkerEvent;
use crate::watch::worker::failure::backoff;
use crate::watch::worker::protocol::Setup;

/// Longest sleep: changes that other processes make to the ledger are noticed after it.
const TICK: Duration = Duration::from_secs(2);

/// The first wait after the ledger failed.
const WAIT: Duration = Duration::from_secs(5);

/// What a daemon is to do.
#[derive(Clone, Debug)]
pub struct Service {
    /// The watches, prepared and without loops.
    pub watches: Vec<WatchSettings>,
    /// The state folder; the caller holds its lock.
    pub state: PathBuf,
    /// How the worker runs.
    pub setup: Setup,
    /// Whether to end when nothing is left to do.
    pub once: bool,
    /// After how much silence a busy worker is ended.
    pub stall: Duration,
    /// A file for metrics.
    pub metrics: Option<PathBuf>,
}

/// How a daemon ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It was asked to.
    Stopped,
    /// It was asked to read its configuration again.
    Reload,
    /// All is done (`once`); whether something failed or is left.
    Finished {
        /// Whether something failed or has to be tried again.
        failures: bool,
    },
}

/// What the daemon waits for.
#[derive(Debug)]
pub enum Message {
    /// There is something to do for the folder of this number.
    Hint(usize, Hint),
    /// The worker of this generation answered or ended.
    WorkerEvent(u64, WorkerEvent),
    /// The system or a person sent a signal.
    Signal(Signal),
}

/// A service at work.
pub struct Daemon<'a> {
    pub(crate) service: Service,
    pub(crate) scheduler: Scheduler<'a>,
    pub(crate) sender: Sender<Message>,
    pub(crate) receiver: Receiver<Message>,
    pub(crate) worker: Box<dyn Fn() -> Command + 'a>,
    pub(crate) running: Option<Running>,
    /// Jobs that a worker has at most.
    pub(crate) window: usize,
    pub(crate) generation: u64,
    pub(crate) restarts: u32,
    pub(crate) rest_until: Duration,
    pub(crate) start: Instant,
    pub(crate) report: Report,
    pub(crate) ledger_version: i64,
    pub(crate) mark: String,
}

impl<'a> Daemon<'a> {
    /// A daemon over an open ledger; `worker` gives the command of a worker process.
    ///
    /// # Errors
    /// `Model` where a model cannot be used; as the ledger fails.
    pub fn new(
        service: Service,
        ledger: &'a Ledger,
        log: &'a Log,
        worker: impl Fn() -> Command + 'a,
    ) -> Result<Self> {
        let (sender, receiver) = channel();
        let mut folders = Vec::new();
        for (index, settings) in service.watches.iter().enumerate() {
            let digest = settings.digest()?;
            let sink = sender.clone();
            let sink = move |hint| _ = sink.send(Message::Hint(index, hint));
            folders.push(Folder::new(settings.clone(), digest, &service.state, sink, log)?);
        }
        let mark = sha256_hex(&to_bytes(&service.state))[..12].to_string();
        let mut service = service;
        let memory = |watch: &WatchSettings| watch.upscale.options().ok().and_then(|options| options.memory);
        service.setup.runtime.memory = service.watches.iter().filter_map(memory).min();
        Ok(Self {
            scheduler: Scheduler::new(folders, ledger, log, service.state.join("quarantine")),
            sender,
            receiver,
            worker: Box::new(worker),
            running: None,
            window: service.setup.window(),
            generation: 0,
            restarts: 0,
            rest_until: Duration::ZERO,
            start: Instant::now(),
            report: Report::new(service.metrics.clone()),
            ledger_version: 0,
            mark,
            service,
        })
    }

    /// Where signals are sent to.
    pub fn sender(&self) -> Sender<Message> {
        self.sender.clone()
    }

    /// Works until it is asked to end.
    ///
    /// # Errors
    /// As the ledger fails: without it nothing can be promised.
    pub fn run(&mut self) -> Result<End> {
        for folder in &self.scheduler.folders {
            sweep(&folder.settings.output, &self.mark);
        }
        self.scheduler.recover()?;
        let names: Vec<_> = self.service.watches.iter().map(|watch| watch.name.as_str()).collect();
        self.scheduler.log.service(Topic::Watching, &names.join(", "));
        service_manager::ready();
        loop {
            let end = match self.step() {
                Ok(None) => continue,
                Ok(Some(end)) => Ok(end),
                // The state folder's disk may be full or away; with --once the caller gets the error.
                Err(error) if !self.service.once => match self.wait_for_ledger(&error) {
                    None => continue,
                    Some(end) => {
                        notify_end(end);
                        return Ok(end);
                    }
                },
                Err(error) => Err(error),
            };
            notify_end(*end.as_ref().unwrap_or(&End::Stopped));
            self.stop()?;
            self.report.update(&self.scheduler, self.start.elapsed(), true)?;
            return end;
        }
    }

    /// The ledger failed: work stops until it can be used again. `Some` where the wait ended with a signal.
    fn wait_for_ledger(&mut self, error: &Error) -> Option<End> {
        let mut reason = error.report();
        // What it was doing stands in the ledger.
        self.running.take().map(Running::end);
        for failures in 1.. {
            self.scheduler.log.complain(Topic::Paused, &reason);
            let until = Instant::now() + backoff(WAIT, failures);
            while let Some(left) = until.checked_duration_since(Instant::now()) {
                service_manager::alive(Some(&reason));
                match self.receiver.recv_timeout(left.min(TICK)) {
                    Ok(Message::Signal(Signal::Stop)) => return Some(End::Stopped),
                    Ok(Message::Signal(Signal::Reload)) => return Some(End::Reload),
                    _ => {}
                }
            }
            match self.scheduler.recover() {
                Ok(()) => break,
                Err(error) => reason = error.report(),
            }
        }
        self.scheduler.log.service(Topic::Resumed, "the ledger works again");
        let now = self.start.elapsed();
        // What was about to be written down is found again.
        self.scheduler.folders.iter_mut().for_each(|folder| folder.scan_soon(now));
        None
    }

    fn step(&mut self) -> Result<Option<End>> {
        let now = self.start.elapsed();
        for folder in &mut self.scheduler.folders {
            folder.poll(self.scheduler.ledger, self.scheduler.log, now)?;
        }
        self.scheduler.disposed()?;
        self.notice_changes(now)?;
        self.supervise()?;
        self.dispatch(now)?;
        self.report.update(&self.scheduler, now, false)?;
        if self.service.once
            && self.running.as_ref().is_none_or(|running| running.jobs.is_empty())
            && self.idle()?
        {
            return Ok(Some(End::Finished { failures: summary::log(&self.scheduler)? }));
        }
        let mut next = self.receiver.recv_timeout(self.pause());
        loop {
            match next {
                Ok(Message::Signal(Signal::Stop)) => return Ok(Some(End::Stopped)),
                Ok(Message::Signal(Signal::Reload)) => return Ok(Some(End::Reload)),
                Ok(Message::Hint(index, hint)) => self.hints(index, hint)?,
                Ok(Message::WorkerEvent(generation, event)) => self.worker_event(generation, event)?,
                Err(_) => return Ok(None),
            }
            next = self.receiver.try_recv().map_err(|_| RecvTimeoutError::Timeout);
        }
    }

    /// How long nothing has to be done.
    fn pause(&self) -> Duration {
        let now = self.start.elapsed();
        let deadlines = self.scheduler.folders.iter().map(Folder::next_deadline);
        let next = deadlines.min().map_or(TICK, |next| next.saturating_sub(now));
        next.min(TICK).max(Duration::from_millis(5))
    }

    /// All hints of a burst in one transaction.
    fn hints(&mut self, index: usize, hint: Hint) -> Result<()> {
        let now = self.start.elapsed();
        let mut later = Vec::new();
        let mut hints = vec![(index, hint)];
        for message in self.receiver.try_iter().take(10_000) {
            match message {
                Message::Hint(index, hint) if !hints.contains(&(index, hint.clone())) || hints.len() > 64 => {
                    hints.push((index, hint));
                }
                Message::Hint(..) => {}
                other => later.push(other),
            }
        }
        self.scheduler.ledger.batch(|ledger| {
            for (index, hint) in hints {
                self.scheduler.folders[index].hint(hint, ledger, self.scheduler.log, now)?;
            }
            Ok(())
        })?;
        for message in later {
            let _ = self.sender.send(message);
        }
        Ok(())
    }

    /// Another process changed the ledger: `retry` and `forget` want the folders to be looked at.
    fn notice_changes(&mut self, now: Duration) -> Result<()> {
        let version = self.scheduler.ledger.version()?;
        if version != self.ledger_version {
            if self.ledger_version != 0 {
                self.scheduler.folders.iter_mut().for_each(|folder| folder.scan_soon(now));
            }
            self.ledger_version = version;
        }
        Ok(())
    }

    fn idle(&self) -> Result<bool> {
        for folder in &self.scheduler.folders {
            let waits = self.scheduler.ledger.next(&folder.settings.name, unix_millis())?.is_some();
            let works = folder.growing() > 0 || folder.originals.pending() > 0;
            if works || waits && folder.paused.is_none() && folder.trouble.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Tells the service manager why the work ends.
fn notify_end(end: End) {
    match end {
        End::Reload => service_manager::reloading(),
        End::Stopped | End::Finished { .. } => service_manager::stopping(),
    }
}

#[cfg(all(test, unix))]
mod tests;
