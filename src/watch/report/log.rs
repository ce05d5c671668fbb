//! The log: a line per event, for people on standard error or as JSON on standard output.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::progress::CancelToken;
use crate::report::event::{Event, Files, Notice, Reporter, Topic};
use crate::report::json::JsonReporter;
use crate::report::line::line;

/// The same complaint is repeated at most this often.
const REPEAT: Duration = Duration::from_secs(600);

/// At most so many different complaints of one kind...
const BURST: u32 = 20;

/// ...in this time.
const WINDOW: Duration = Duration::from_secs(60);

/// Complaints that are remembered, so that the same are found.
const MEMORY: usize = 1000;

/// Where events go.
#[derive(Debug, Default)]
pub struct Log {
    json: Option<JsonReporter>,
    limits: Mutex<Limits>,
    #[cfg(test)]
    lines: Mutex<Vec<String>>,
}

#[derive(Debug, Default)]
struct Limits {
    logged: HashMap<String, (Instant, u32)>,
    windows: HashMap<Topic, (Instant, u32)>,
}

impl Reporter for Log {
    /// A log that nobody takes any more must not end the work.
    fn tell(&self, event: &Event<'_>) {
        use std::io::Write;
        if let Some(json) = &self.json {
            json.tell(event);
        } else if let Some(line) = line(event) {
            #[cfg(test)]
            self.lines.lock().unwrap().push(line.clone());
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }
}

impl Log {
    /// A log for people, or as JSON.
    pub fn new(json: bool) -> Self {
        let json = json.then(|| JsonReporter::new(true, CancelToken::new()));
        Self { json, ..Self::default() }
    }

    /// Logs something about the service or a watch.
    pub fn service(&self, topic: Topic, detail: &str) {
        self.tell(&Event::Notice(Notice { event: topic, files: None, detail }));
    }

    /// Logs something about an input of a watch.
    pub fn file(&self, topic: Topic, watch: &str, input: &Path, detail: &str) {
        let files = Some(Files::of_watch(watch, input, None));
        self.tell(&Event::Notice(Notice { event: topic, files, detail }));
    }

    /// As [`service`](Self::service), but the same text only now and then, and only so many texts of one topic a
    /// minute, so that a lasting fault fills no disk.
    pub fn complain(&self, topic: Topic, detail: &str) {
        self.limited(Notice { event: topic, files: None, detail });
    }

    /// As [`file`](Self::file), as rarely as [`complain`](Self::complain).
    pub fn complain_file(&self, topic: Topic, watch: &str, input: &Path, detail: &str) {
        self.limited(Notice { event: topic, files: Some(Files::of_watch(watch, input, None)), detail });
    }

    /// What was logged for people.
    #[cfg(test)]
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// Tells `notice`, if it may be logged, with how often it was not.
    fn limited(&self, notice: Notice<'_>) {
        let text = line(&Event::Notice(notice)).unwrap_or_default();
        let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        let Verdict { missed, repeated } = limits.admit(notice.event, &text, Instant::now());
        if missed > 0 {
            self.service(notice.event, &format!("{missed} more messages of this kind were suppressed"));
        }
        let times = match repeated {
            Some(0) => String::new(),
            Some(times) => format!(" (repeated {times} times)"),
            None => return,
        };
        self.tell(&Event::Notice(Notice { detail: &format!("{}{times}", notice.detail), ..notice }));
    }
}

/// What may be logged of a complaint.
#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    /// Complaints of the kind that were not logged in the last window.
    missed: u32,
    /// How often the complaint was not logged since the last time; `None` where it is not logged now either.
    repeated: Option<u32>,
}

impl Limits {
    /// What may be logged of a complaint at `now`.
    fn admit(&mut self, topic: Topic, text: &str, now: Instant) -> Verdict {
        let mut missed = 0;
        let (since, count) = self.windows.entry(topic).or_insert((now, 0));
        if now.duration_since(*since) >= WINDOW {
            missed = count.saturating_sub(BURST);
            (*since, *count) = (now, 0);
        }
        let times = match self.logged.get_mut(text) {
            Some((since, times)) if now.duration_since(*since) < REPEAT => {
                *times += 1;
                return Verdict { missed, repeated: None };
            }
            Some((_, times)) => *times,
            None => 0,
        };
        *count += 1;
        if *count > BURST {
            return Verdict { missed, repeated: None };
        }
        if self.logged.len() >= MEMORY {
            self.logged.clear();
        }
        self.logged.insert(text.into(), (now, 0));
        Verdict { missed, repeated: Some(times) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lasting_faults_fill_no_disk() {
        let (mut limits, start) = (Limits::default(), Instant::now());
        let logged = |times| Verdict { missed: 0, repeated: times };
        assert_eq!(limits.admit(Topic::Paused, "disk full", start), logged(Some(0)));
        for second in 1..500 {
            let later = start + Duration::from_secs(second);
            assert_eq!(limits.admit(Topic::Paused, "disk full", later), logged(None));
        }
        assert_eq!(limits.admit(Topic::Paused, "disk full", start + REPEAT), logged(Some(499)));
    }

    #[test]
    fn many_files_with_one_fault_fill_no_disk() {
        let (mut limits, start) = (Limits::default(), Instant::now());
        let mut admit = |text: &str, topic, now| limits.admit(topic, text, now);
        let logged = (0..5000)
            .filter(|file| admit(&format!("file {file}"), Topic::Unreadable, start).repeated.is_some());
        assert_eq!(logged.count(), BURST as usize);
        assert_eq!(admit("x", Topic::Paused, start).repeated, Some(0));
        let later = admit("file 4999", Topic::Unreadable, start + WINDOW);
        assert_eq!(later, Verdict { missed: 4980, repeated: Some(0) });
    }
}
