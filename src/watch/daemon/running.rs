//! A worker and what it works on.

use std::path::PathBuf;
use std::time::Instant;

use crate::watch::ledger::entry::Entry;
use crate::watch::worker::child::Child;
use crate::watch::worker::protocol::{Job, Order, remove_temporaries};

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
            remove_temporaries(&job.temporary);
        }
        (self.jobs, status)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::process::Command;
    use std::sync::mpsc::channel;

    use super::*;
    use crate::settings::Settings;
    use crate::watch::worker::protocol::Setup;

    fn worker() -> Running {
        let (sender, _) = channel();
        Running::new(Child::start(Command::new("cat"), &Setup::default(), sender, |event| event).unwrap())
    }

    fn job(id: i64, temporary: PathBuf) -> (Entry, Job) {
        let settings = Settings::default();
        let job = Job { id, input: "a.png".into(), hash: String::new(), temporary, settings, ready: None };
        (Entry { id, ..Entry::sample("a.png") }, job)
    }

    #[test]
    fn each_job_is_answered_once_and_the_end_gives_back_the_others_without_their_temporaries() {
        let folder = tempfile::tempdir().unwrap();
        let mut worker = worker();
        for id in 1..=3 {
            let temporary = folder.path().join(id.to_string());
            fs::write(&temporary, "half").unwrap();
            let (entry, job) = job(id, temporary);
            worker.give(0, entry, job);
        }
        assert_eq!(worker.take(2).unwrap().entry.id, 2);
        assert!(worker.take(2).is_none() && worker.take(4).is_none());
        let (jobs, status) = worker.end();
        assert_eq!(jobs.iter().map(|job| job.entry.id).collect::<Vec<_>>(), [1, 3]);
        assert!(status.contains("signal: 9"), "{status}");
        // What was answered belongs to the daemon.
        let left = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name());
        assert_eq!(left.collect::<Vec<_>>(), ["2"]);
    }

    #[test]
    fn idleness_is_no_silence() {
        let mut worker = worker();
        let start = worker.heard;
        let (entry, first) = job(1, "1".into());
        worker.give(0, entry, first);
        let begun = worker.heard;
        assert!(begun > start);
        // Another job is no sign of life.
        let (entry, second) = job(2, "2".into());
        worker.give(0, entry, second);
        assert_eq!(worker.heard, begun);
    }
}
