//! The daemon and its worker process: jobs out, answers in, a new worker after a crash.

use std::time::{Duration, Instant};

use super::event_loop::{Daemon, Message};
use super::place::TEMPORARY;
use super::running::{Assignment, Running};
use crate::error::{Error, ErrorKind, Result};
use crate::report::event::Topic;
use crate::watch::worker::child::{Child, WorkerEvent};
use crate::watch::worker::failure::backoff;
use crate::watch::worker::protocol::{Job, Order, Reply};

/// The first wait after the worker could not start or load its model.
const RESTART: Duration = Duration::from_secs(5);

impl Daemon<'_> {
    /// Gives the worker as many jobs as it can have.
    pub(crate) fn dispatch(&mut self, now: Duration) -> Result<()> {
        while now >= self.rest_until {
            let (busy, suspect) = self.running.as_ref().map_or((0, false), |running| {
                (running.jobs.len(), running.jobs.iter().any(|job| job.entry.crashes > 0))
            });
            if busy >= self.window || suspect {
                return Ok(());
            }
            let Some((folder, entry)) = self.scheduler.next(now)? else { return Ok(()) };
            // What was in a worker that died works alone, so that it is known who did it. The same contents are not
            // done twice: the second one waits for the first one's result.
            let same = |job: &Assignment| job.entry.hash == entry.hash && job.entry.watch == entry.watch;
            if busy > 0
                && (entry.crashes > 0 || self.running.iter().flat_map(|running| &running.jobs).any(same))
            {
                return Ok(());
            }
            if self.running.is_none() && !self.begin(now) {
                return Ok(());
            }
            let Some(running) = &mut self.running else { return Ok(()) };
            let Some(place) = self.scheduler.folder_of_result(folder, &entry, now)? else { return Ok(()) };
            let name = format!("{TEMPORARY}{}-{}-{}", self.mark, std::process::id(), entry.id);
            let job = Job {
                id: entry.id,
                input: self.scheduler.folders[folder].path_of(&entry),
                hash: entry.hash.clone().unwrap_or_default(),
                temporary: place.join(name),
                settings: self.scheduler.folders[folder].settings.upscale.clone(),
                ready: self.scheduler.ready(folder, &entry)?,
            };
            self.scheduler.ledger.start(&entry)?;
            running.give(folder, entry, job);
        }
        Ok(())
    }

    /// Starts a worker; whether it did.
    fn begin(&mut self, now: Duration) -> bool {
        self.generation += 1;
        let generation = self.generation;
        let wrap = move |event| Message::WorkerEvent(generation, event);
        match Child::start((self.worker)(), &self.service.setup, self.sender.clone(), wrap) {
            Ok(child) => self.running = Some(Running::new(child)),
            Err(error) => self.rest(now, &format!("cannot start the worker: {error}")),
        }
        self.running.is_some()
    }

    fn rest(&mut self, now: Duration, reason: &str) {
        self.restarts += 1;
        self.rest_until = now + backoff(RESTART, self.restarts);
        self.scheduler.log.complain(Topic::Paused, reason);
    }

    pub(crate) fn worker_event(&mut self, generation: u64, event: WorkerEvent) -> Result<()> {
        let Some(running) = self.running.as_mut().filter(|_| generation == self.generation) else {
            return Ok(());
        };
        running.heard = Instant::now();
        let now = self.start.elapsed();
        match event {
            WorkerEvent::Reply(Reply::Loaded { provider }) => {
                self.scheduler.log.service(Topic::Running, &provider)
            }
            WorkerEvent::Reply(Reply::Refused { reason }) => {
                self.scheduler.log.complain(Topic::Paused, &reason)
            }
            WorkerEvent::Reply(Reply::Alive) => {}
            WorkerEvent::Reply(Reply::Made { id, made }) => {
                self.restarts = 0;
                if let Some(job) = running.take(id) {
                    self.scheduler.made(job, &made, now)?;
                }
            }
            WorkerEvent::Reply(Reply::Failed { id, fault, reason }) => {
                if let Some(job) = running.take(id) {
                    self.scheduler.failed(job, fault, &reason, now)?;
                }
            }
            WorkerEvent::Ended => self.died("it exited unexpectedly", now)?,
        }
        Ok(())
    }

    /// Ends a busy worker that has been silent for too long.
    pub(crate) fn supervise(&mut self) -> Result<()> {
        let stalled = self
            .running
            .as_ref()
            .is_some_and(|running| !running.jobs.is_empty() && running.heard.elapsed() > self.service.stall);
        if stalled { self.died("it did not respond for too long", self.start.elapsed()) } else { Ok(()) }
    }

    fn died(&mut self, how: &str, now: Duration) -> Result<()> {
        let Some(running) = self.running.take() else { return Ok(()) };
        let (jobs, status) = running.end();
        let reason = format!("the worker died: {how} ({status})");
        if jobs.is_empty() {
            self.rest(now, &reason);
            return Ok(());
        }
        self.scheduler.crashed(jobs, &reason)
    }

    /// Ends the worker; what it was doing goes back into the queue.
    pub(crate) fn stop(&mut self) -> Result<()> {
        let Some(running) = self.running.take() else { return Ok(()) };
        for job in running.end().0 {
            self.scheduler.ledger.wait(&job.entry, job.entry.attempts, job.entry.next_try, None)?;
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
                    Ok(Message::WorkerEvent(_, WorkerEvent::Reply(Reply::Loaded { provider }))) => {
                        self.scheduler.log.service(Topic::Running, &format!("{}: {provider}", watch.name));
                        break;
                    }
                    Ok(Message::WorkerEvent(_, WorkerEvent::Reply(Reply::Refused { reason }))) => {
                        return Err(refused(reason));
                    }
                    Ok(Message::WorkerEvent(_, WorkerEvent::Ended)) | Err(_) => {
                        return Err(refused(format!(
                            "the worker ended while it loaded {}",
                            watch.upscale.model()
                        )));
                    }
                    Ok(Message::Signal(_)) => return Err(Error::cancelled()),
                    // The first walk finds what hints would tell.
                    Ok(_) => {}
                }
            }
        }
        Ok(())
    }
}

#[cfg(all(test, unix))]
mod tests;
