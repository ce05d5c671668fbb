//! The daemon's hand on its worker: work out, answers in, deaths survived.

use std::time::{Duration, Instant};

use super::event_loop::{Daemon, Happening};
use super::place::TEMPORARY;
use super::running::{Given, Running};
use crate::error::{Error, ErrorKind, Result};
use crate::watch::worker::child::{Child, News};
use crate::watch::worker::failure::backoff;
use crate::watch::worker::protocol::{Job, Order, Reply};

/// The first wait after the worker could not start or load its model.
const RESTART: Duration = Duration::from_secs(5);

impl Daemon<'_> {
    /// Gives the worker as much as it can have.
    pub(crate) fn give_out(&mut self, now: Duration) -> Result<()> {
        while now >= self.rest_until {
            let (busy, suspect) = self.running.as_ref().map_or((0, false), |running| {
                (running.jobs.len(), running.jobs.iter().any(|job| job.entry.crashes > 0))
            });
            if busy >= self.window || suspect {
                return Ok(());
            }
            let Some((folder, entry)) = self.desk.next(now)? else { return Ok(()) };
            // What was in a worker that died works alone, so that it is known who did it. The same contents are not
            // done twice: the second one waits for the first one's result.
            let same = |job: &Given| job.entry.hash == entry.hash && job.entry.watch == entry.watch;
            if busy > 0
                && (entry.crashes > 0 || self.running.iter().flat_map(|running| &running.jobs).any(same))
            {
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
                settings: self.desk.folders[folder].settings.upscale.clone(),
                ready: self.desk.ready(folder, &entry)?,
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

    pub(crate) fn news(&mut self, generation: u64, news: News) -> Result<()> {
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
    pub(crate) fn supervise(&mut self) -> Result<()> {
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
        self.desk.crashed(jobs, &reason)
    }

    /// Ends the worker; what it was doing goes back into the queue.
    pub(crate) fn stop(&mut self) -> Result<()> {
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
