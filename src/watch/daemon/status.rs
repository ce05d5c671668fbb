//! How things stand, for the service manager and for a file of metrics.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::metrics::render;
use super::scheduler::Scheduler;
use super::service_manager;
use crate::error::Result;
use crate::fs::atomic_file;
use crate::report::event::Topic;
use crate::watch::ledger::views::Counts;

/// Least time between two looks at the ledger.
const BREATH: Duration = Duration::from_secs(1);

/// Least time between two writes of the metrics.
const WRITE: Duration = Duration::from_secs(5);

/// Figures that change by themselves are refreshed so often.
const REFRESH: Duration = Duration::from_secs(60);

/// What was reported last.
#[derive(Debug, Default)]
pub struct Report {
    metrics: Option<PathBuf>,
    counts: BTreeMap<String, Counts>,
    mark: Option<(i64, u64)>,
    next: Duration,
    next_write: Duration,
    refresh: Duration,
    stale: bool,
    status: String,
    written: String,
}

impl Report {
    /// A report that also writes metrics to a file, if one is given.
    pub fn new(metrics: Option<PathBuf>) -> Self {
        Self { metrics, ..Self::default() }
    }

    /// Reports what is new at `now`; rarely, unless `last`.
    ///
    /// # Errors
    /// As the ledger fails.
    pub fn update(&mut self, scheduler: &Scheduler<'_>, now: Duration, last: bool) -> Result<()> {
        if now < self.next && !last {
            return Ok(());
        }
        self.next = now + BREATH;
        let mark = (scheduler.ledger.version()?, scheduler.ledger.own_changes());
        if self.mark != Some(mark) {
            self.counts = scheduler.ledger.counts()?;
            self.mark = Some(mark);
        }
        let status = self.status(scheduler);
        service_manager::alive((status != self.status).then_some(status.as_str()));
        self.stale |= status != self.status || now >= self.refresh;
        self.status = status;
        let Some(path) = &self.metrics else { return Ok(()) };
        if !last && (!self.stale || now < self.next_write) {
            return Ok(());
        }
        self.stale = false;
        self.refresh = now + REFRESH;
        let text = render(&scheduler.folders, &self.counts, scheduler.deaths);
        self.next_write = now + WRITE;
        if text != self.written {
            match atomic_file::write(path, text.as_bytes(), true) {
                Ok(()) => self.written = text,
                Err(error) => scheduler.log.complain(Topic::Metrics, &error.report()),
            }
        }
        Ok(())
    }

    fn status(&self, scheduler: &Scheduler<'_>) -> String {
        let mut all = Counts::new();
        for folder in &scheduler.folders {
            for (state, count) in self.counts.get(&folder.settings.name).into_iter().flatten() {
                *all.entry(*state).or_default() += count;
            }
        }
        let mut parts: Vec<_> = all.iter().map(|(state, count)| format!("{count} {state}")).collect();
        parts.extend(scheduler.folders.iter().filter_map(|folder| folder.trouble.clone()));
        parts.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::watch::fixture::{Fixture, at};

    fn done(fixture: &Fixture) -> Option<String> {
        let text = fs::read_to_string(fixture.path("metrics")).ok()?;
        text.lines().find(|line| line.contains("state=\"done\"")).map(ToString::to_string)
    }

    #[test]
    fn the_status_says_how_many_stand_where_and_what_is_wrong() {
        let fixture = Fixture::new();
        let mut scheduler = fixture.scheduler(fixture.settings());
        let mut report = Report::new(None);
        fixture.finish("a.png", "1", "result");
        fixture.queue("b.png", "2");
        fixture.queue("c.png", "3");
        scheduler.folders[0].trouble = Some("w: disk full".into());
        report.update(&scheduler, at(0), false).unwrap();
        assert_eq!(report.status, "2 queued, 1 done, w: disk full");
    }

    #[test]
    fn figures_are_written_when_they_change_and_not_too_often() {
        let fixture = Fixture::new();
        let scheduler = fixture.scheduler(fixture.settings());
        let mut report = Report::new(Some(fixture.path("metrics")));
        let mut update = |seconds, last| {
            report.update(&scheduler, at(seconds), last).unwrap();
            done(&fixture).map(|line| line.rsplit_once(' ').unwrap().1.to_owned())
        };
        assert_eq!(update(0, false).as_deref(), Some("0"));
        fixture.finish("a.png", "1", "result");
        assert_eq!(update(4, false).as_deref(), Some("0"));
        assert_eq!(update(5, false).as_deref(), Some("1"));
        // Nothing new: the file is not written again.
        fs::remove_file(fixture.path("metrics")).unwrap();
        assert_eq!(update(11, false), None);
        fixture.finish("b.png", "2", "result");
        assert_eq!(update(12, false).as_deref(), Some("2"));
        // The end tells all, however soon.
        fixture.finish("c.png", "3", "result");
        assert_eq!(update(12, true).as_deref(), Some("3"));
    }

    #[test]
    fn a_file_of_figures_that_cannot_be_written_ends_no_work() {
        let fixture = Fixture::new();
        let scheduler = fixture.scheduler(fixture.settings());
        let mut report = Report::new(Some(fixture.path("nowhere/metrics")));
        report.update(&scheduler, at(0), false).unwrap();
        assert_eq!(fixture.told("metrics: ").len(), 1);
        fs::create_dir(fixture.path("nowhere")).unwrap();
        report.update(&scheduler, at(99), false).unwrap();
        assert!(fixture.path("nowhere/metrics").exists());
    }
}
