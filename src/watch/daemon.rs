//! The service: hints and walks in, work out to the worker, results into place; for months.

use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::child::{Child, News};
use super::desk::Desk;
use super::entry::State;
use super::failure::backoff;
use super::folder::Folder;
use super::ledger::{Ledger, unix_millis};
use super::log::Log;
use super::place::{TEMPORARY, sweep};
use super::protocol::{Job, Order, Reply, Setup};
use super::running::Running;
use super::settings::WatchSettings;
use super::signals::Signal;
use super::source::Hint;
use super::supervisor;
use crate::error::{Error, ErrorKind, Result};
use crate::model::Bundle;

/// Jobs that are given out at once, so that the worker's engine need not wait for reading and writing.
const WINDOW: usize = 3;

/// Longest sleep: changes that other processes make to the ledger are noticed after it.
const TICK: Duration = Duration::from_secs(2);

/// The first wait after the worker could not start or load its model.
const RESTART: Duration = Duration::from_secs(5);

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
pub enum Happening {
    /// The kernel hints at a change in the folder of this number.
    Hint(usize, Hint),
    /// The worker of this generation has news.
    News(u64, News),
    /// The system or a person wants something.
    Signal(Signal),
}

/// A service at work.
pub struct Daemon<'a> {
    service: Service,
    desk: Desk<'a>,
    sender: Sender<Happening>,
    receiver: Receiver<Happening>,
    worker: Box<dyn Fn() -> Command + 'a>,
    running: Option<Running>,
    generation: u64,
    restarts: u32,
    rest_until: Duration,
    start: Instant,
    ledger_version: i64,
    mark: String,
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
            let bundle = Bundle::resolve(settings.upscale.model())?;
            let digest = settings.upscale.digest(bundle.digest(), settings.names.as_str());
            let sink = sender.clone();
            let sink = move |hint| _ = sink.send(Happening::Hint(index, hint));
            folders.push(Folder::new(settings.clone(), digest, &service.state, sink, log)?);
        }
        let mark = super::path_bytes::hex(&sha2::Digest::finalize(
            <sha2::Sha256 as sha2::Digest>::new_with_prefix(super::path_bytes::to_bytes(&service.state)),
        ))[..12]
            .to_string();
        Ok(Self {
            desk: Desk::new(folders, ledger, log, service.state.join("quarantine")),
            sender,
            receiver,
            worker: Box::new(worker),
            running: None,
            generation: 0,
            restarts: 0,
            rest_until: Duration::ZERO,
            start: Instant::now(),
            ledger_version: 0,
            mark,
            service,
        })
    }

    /// Where signals are sent to.
    pub fn sender(&self) -> Sender<Happening> {
        self.sender.clone()
    }

    /// Works until told to end.
    ///
    /// # Errors
    /// As the ledger fails: without it nothing can be promised.
    pub fn run(&mut self) -> Result<End> {
        for folder in &self.desk.folders {
            sweep(&folder.settings.output, &self.mark);
        }
        self.desk.recover()?;
        let names: Vec<_> = self.service.watches.iter().map(|watch| watch.name.as_str()).collect();
        self.desk.log.service("watching", &names.join(", "));
        supervisor::ready();
        loop {
            let end = self.turn();
            if !matches!(end, Ok(None)) {
                supervisor::stopping();
                self.stop()?;
                return end.map(|end| end.unwrap_or(End::Stopped));
            }
        }
    }

    fn turn(&mut self) -> Result<Option<End>> {
        let now = self.start.elapsed();
        for folder in &mut self.desk.folders {
            folder.tend(self.desk.ledger, self.desk.log, now)?;
        }
        self.notice_others(now)?;
        self.supervise()?;
        self.give_out(now)?;
        let counts = self.desk.tell_supervisor()?;
        if self.service.once
            && self.running.as_ref().is_none_or(|running| running.jobs.is_empty())
            && self.idle()?
        {
            let failures =
                self.desk.failures > 0 || counts.get(&State::Queued).is_some_and(|count| *count > 0);
            return Ok(Some(End::Finished { failures }));
        }
        let mut next = self.receiver.recv_timeout(self.pause());
        loop {
            match next {
                Ok(Happening::Signal(Signal::Stop)) => return Ok(Some(End::Stopped)),
                Ok(Happening::Signal(Signal::Reload)) => return Ok(Some(End::Reload)),
                Ok(Happening::Hint(index, hint)) => self.hints(index, hint)?,
                Ok(Happening::News(generation, news)) => self.news(generation, news)?,
                Err(_) => return Ok(None),
            }
            next = self.receiver.try_recv().map_err(|_| RecvTimeoutError::Timeout);
        }
    }

    /// How long nothing has to be done.
    fn pause(&self) -> Duration {
        let now = self.start.elapsed();
        let deadlines = self.desk.folders.iter().map(Folder::next_deadline);
        let next = deadlines.min().map_or(TICK, |next| next.saturating_sub(now));
        next.min(TICK).max(Duration::from_millis(5))
    }

    /// All hints of a burst in one transaction.
    fn hints(&mut self, index: usize, hint: Hint) -> Result<()> {
        let now = self.start.elapsed();
        let mut later = Vec::new();
        let mut hints = vec![(index, hint)];
        for happening in self.receiver.try_iter().take(10_000) {
            match happening {
                Happening::Hint(index, hint)
                    if !hints.contains(&(index, hint.clone())) || hints.len() > 64 =>
                {
                    hints.push((index, hint));
                }
                Happening::Hint(..) => {}
                other => later.push(other),
            }
        }
        self.desk.ledger.batch(|ledger| {
            for (index, hint) in hints {
                self.desk.folders[index].hint(hint, ledger, self.desk.log, now)?;
            }
            Ok(())
        })?;
        for happening in later {
            let _ = self.sender.send(happening);
        }
        Ok(())
    }

    /// Another process changed the ledger: `retry` and `forget` want the folders to be looked at.
    fn notice_others(&mut self, now: Duration) -> Result<()> {
        let version = self.desk.ledger.version()?;
        if version != self.ledger_version {
            if self.ledger_version != 0 {
                self.desk.folders.iter_mut().for_each(|folder| folder.scan_soon(now));
            }
            self.ledger_version = version;
        }
        Ok(())
    }

    fn idle(&self) -> Result<bool> {
        for folder in &self.desk.folders {
            let waits = self.desk.ledger.next(&folder.settings.name, unix_millis())?.is_some();
            if folder.growing() > 0 || waits && folder.paused.is_none() && folder.output_problem().is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Gives the worker as much as it can have.
    fn give_out(&mut self, now: Duration) -> Result<()> {
        while now >= self.rest_until {
            let (busy, suspect) = self.running.as_ref().map_or((0, false), |running| {
                (running.jobs.len(), running.jobs.iter().any(|job| job.entry.crashes > 0))
            });
            if busy >= WINDOW || suspect {
                return Ok(());
            }
            let Some((folder, entry)) = self.desk.next(now)? else { return Ok(()) };
            // What was in a worker that died works alone, so that it is known who did it.
            if entry.crashes > 0 && busy > 0 {
                return Ok(());
            }
            if self.running.is_none() && !self.begin(now) {
                return Ok(());
            }
            let Some(running) = &mut self.running else { return Ok(()) };
            let Some(place) = self.desk.folder_of_result(folder, &entry, now)? else { return Ok(()) };
            let name = format!("{TEMPORARY}{}-{}-{}", self.mark, std::process::id(), entry.id);
            let job = Job {
                id: entry.id,
                input: self.desk.folders[folder].path_of(&entry),
                hash: entry.hash.clone().unwrap_or_default(),
                temporary: place.join(name),
                recipe: self.desk.folders[folder].settings.upscale.clone(),
            };
            self.desk.ledger.start(&entry)?;
            running.give(folder, entry, job);
        }
        Ok(())
    }

    /// Starts a worker; whether it did.
    fn begin(&mut self, now: Duration) -> bool {
        self.generation += 1;
        let generation = self.generation;
        let wrap = move |news| Happening::News(generation, news);
        match Child::start((self.worker)(), &self.service.setup, self.sender.clone(), wrap) {
            Ok(child) => self.running = Some(Running::new(child)),
            Err(error) => self.rest(now, &format!("cannot start the worker: {error}")),
        }
        self.running.is_some()
    }

    fn rest(&mut self, now: Duration, reason: &str) {
        self.restarts += 1;
        self.rest_until = now + backoff(RESTART, self.restarts);
        self.desk.log.complain("paused", reason);
    }

    fn news(&mut self, generation: u64, news: News) -> Result<()> {
        let Some(running) = self.running.as_mut().filter(|_| generation == self.generation) else {
            return Ok(());
        };
        running.heard = Instant::now();
        let now = self.start.elapsed();
        match news {
            News::Reply(Reply::Loaded { provider }) => self.desk.log.service("running", &provider),
            News::Reply(Reply::Refused { reason }) => self.desk.log.complain("paused", &reason),
            News::Reply(Reply::Alive) => {}
            News::Reply(Reply::Made { id, made }) => {
                self.restarts = 0;
                if let Some(job) = running.take(id) {
                    self.desk.made(job, &made, now)?;
                }
            }
            News::Reply(Reply::Failed { id, fault, reason }) => {
                if let Some(job) = running.take(id) {
                    self.desk.failed(job, fault, &reason, now)?;
                }
            }
            News::Ended => self.died("it ended by itself", now)?,
        }
        Ok(())
    }

    /// Ends a busy worker that has been silent for too long.
    fn supervise(&mut self) -> Result<()> {
        let stalled = self
            .running
            .as_ref()
            .is_some_and(|running| !running.jobs.is_empty() && running.heard.elapsed() > self.service.stall);
        if stalled { self.died("it was silent for too long", self.start.elapsed()) } else { Ok(()) }
    }

    fn died(&mut self, how: &str, now: Duration) -> Result<()> {
        let Some(running) = self.running.take() else { return Ok(()) };
        let (jobs, status) = running.end();
        let reason = format!("the worker died: {how} ({status})");
        if jobs.is_empty() {
            self.rest(now, &reason);
            return Ok(());
        }
        self.desk.crashed(jobs, &reason, now)
    }

    /// Ends the worker; what it was doing goes back into the queue.
    fn stop(&mut self) -> Result<()> {
        let Some(running) = self.running.take() else { return Ok(()) };
        for job in running.end().0 {
            self.desk.ledger.wait(&job.entry, job.entry.attempts, job.entry.next_try, None)?;
        }
        Ok(())
    }

    /// Starts the worker and has it load every model, so that what cannot work is known at once.
    ///
    /// # Errors
    /// `Runtime`, with what the worker says.
    pub fn check_worker(&mut self) -> Result<()> {
        let refused = |reason: String| Error::new(ErrorKind::Runtime, reason);
        if !self.begin(Duration::ZERO) {
            return Err(refused("cannot start the worker process".into()));
        }
        let Some(running) = &mut self.running else { return Ok(()) };
        for watch in &self.service.watches {
            running.order(&Order::Load { model: watch.upscale.model().to_string() });
            loop {
                match self.receiver.recv_timeout(self.service.stall) {
                    Ok(Happening::News(_, News::Reply(Reply::Loaded { provider }))) => {
                        self.desk.log.service("running", &format!("{}: {provider}", watch.name));
                        break;
                    }
                    Ok(Happening::News(_, News::Reply(Reply::Refused { reason }))) => {
                        return Err(refused(reason));
                    }
                    Ok(Happening::News(_, News::Ended)) | Err(_) => {
                        return Err(refused(format!(
                            "the worker ended while it loaded {}",
                            watch.upscale.model()
                        )));
                    }
                    Ok(Happening::Signal(_)) => return Err(Error::cancelled()),
                    // The first walk finds what hints would tell.
                    Ok(_) => {}
                }
            }
        }
        Ok(())
    }
}
