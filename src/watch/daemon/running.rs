//! A worker and what it works on.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use crate::watch::ledger::entry::Entry;
use crate::watch::worker::child::Child;
use crate::watch::worker::protocol::{Job, Order};

/// A job that was given out.
#[derive(Debug)]
pub struct Assignment {
    /// Number of the folder.
    pub folder: usize,
    /// The input, as it was when it was given out.
    pub entry: Entry,
    /// Where the worker writes.
    pub temporary: PathBuf,
}

/// A worker at work.
#[derive(Debug)]
pub struct Running {
    child: Child,
    /// What it was given and has not answered.
    pub jobs: Vec<Assignment>,
    /// When it last said something, or was given something after idleness.
    pub heard: Instant,
}

impl Running {
    /// A worker without work.
    pub fn new(child: Child) -> Self {
        Self { child, jobs: Vec::new(), heard: Instant::now() }
    }

    /// Gives a job. A worker that is gone says so by its end.
    pub fn give(&mut self, folder: usize, entry: Entry, job: Job) {
        if self.jobs.is_empty() {
            self.heard = Instant::now();
        }
        self.jobs.push(Assignment { folder, entry, temporary: job.temporary.clone() });
        self.order(&Order::Make(Box::new(job)));
    }

    /// Gives an order.
    pub fn order(&mut self, order: &Order) {
        let _ = self.child.send(order);
    }

    /// The job with this key, answered.
    pub fn take(&mut self, id: i64) -> Option<Assignment> {
        let index = self.jobs.iter().position(|job| job.entry.id == id)?;
        Some(self.jobs.remove(index))
    }

    /// Ends the worker, removes what it left, and gives back its jobs and how it ended.
    pub fn end(self) -> (Vec<Assignment>, String) {
        let status = self.child.end();
        for job in &self.jobs {
            let _ = fs::remove_file(&job.temporary);
        }
        (self.jobs, status)
    }
}
