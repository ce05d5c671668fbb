//! The log: a line per event, for people on standard error or as JSON on standard output.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::batch::naming::shown;
use crate::fs::hash::hex;
use crate::fs::path_bytes::to_bytes;

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
    json: bool,
    limits: Mutex<Limits>,
}

#[derive(Debug, Default)]
struct Limits {
    logged: HashMap<String, (Instant, u32)>,
    windows: HashMap<String, (Instant, u32)>,
}

impl Log {
    /// A log for people, or as JSON.
    pub fn new(json: bool) -> Self {
        Self { json, ..Self::default() }
    }

    /// Logs `event` about a file of a watch.
    pub fn file(&self, event: &str, watch: &str, input: &Path, detail: &str) {
        self.file_event(event, watch, input, detail, fields(&[("detail", detail.into())]));
    }

    /// Logs `event` about a file of a watch: `text` to people, `more` to programs.
    pub fn file_event(&self, event: &str, watch: &str, input: &Path, text: &str, more: Map<String, Value>) {
        if self.json {
            let mut all = fields(&[("watch", watch.into())]);
            put_path(&mut all, "input", input);
            all.extend(more);
            print_object(event, all);
        } else {
            let colon = if text.is_empty() { "" } else { ": " };
            print(false, &format!("{event}: {watch}: {}{colon}{text}", shown(input)));
        }
    }

    /// Logs something about the service or a watch; `event` is one word.
    pub fn service(&self, event: &str, text: &str) {
        self.service_event(event, text, fields(&[("detail", text.into())]));
    }

    /// Logs something about the service: `text` to people, `more` to programs.
    pub fn service_event(&self, event: &str, text: &str, more: Map<String, Value>) {
        if self.json { print_object(event, more) } else { print(false, &format!("{event}: {text}")) }
    }

    /// As [`service`](Self::service), but the same text only now and then, and only so many texts of one event a
    /// minute, so that a lasting fault fills no disk.
    pub fn complain(&self, event: &str, text: &str) {
        self.limited(event, text, |times| self.service(event, &format!("{text}{times}")));
    }

    /// As [`file`](Self::file), as rarely as [`complain`](Self::complain).
    pub fn complain_file(&self, event: &str, watch: &str, input: &Path, detail: &str) {
        let text = format!("{watch}: {}: {detail}", shown(input));
        self.limited(event, &text, |times| self.file(event, watch, input, &format!("{detail}{times}")));
    }

    /// Calls `print`, if `text` may be logged, with how often it was not.
    fn limited(&self, event: &str, text: &str, print: impl FnOnce(&str)) {
        let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        let Verdict { missed, repeated } = limits.admit(event, text, Instant::now());
        if missed > 0 {
            self.service(event, &format!("{missed} more messages of this kind were suppressed"));
        }
        match repeated {
            Some(0) => print(""),
            Some(times) => print(&format!(" (repeated {times} times)")),
            None => {}
        }
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
    fn admit(&mut self, event: &str, text: &str, now: Instant) -> Verdict {
        let mut missed = 0;
        let (since, count) = self.windows.entry(event.into()).or_insert((now, 0));
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

/// Fields of an event.
pub fn fields(list: &[(&str, Value)]) -> Map<String, Value> {
    list.iter().map(|(name, value)| ((*name).into(), value.clone())).collect()
}

/// Puts the name of `path` into `all` as `field`; one that is no Unicode comes with its bytes as `field_hex`.
pub fn put_path(all: &mut Map<String, Value>, field: &str, path: &Path) {
    all.insert(field.into(), path.to_string_lossy().into());
    if path.to_str().is_none() {
        all.insert(format!("{field}_hex"), hex(&to_bytes(path)).into());
    }
}

fn print_object(event: &str, more: Map<String, Value>) {
    #[derive(Serialize)]
    struct Object<'a> {
        time: String,
        event: &'a str,
        #[serde(flatten)]
        more: Map<String, Value>,
    }
    let object = Object { time: jiff::Timestamp::now().to_string(), event, more };
    print(true, &serde_json::to_string(&object).unwrap_or_default());
}

/// Prints a line. A log that nobody takes any more must not end the work, as `println!` would.
fn print(json: bool, line: &str) {
    use std::io::Write;
    let _ = if json { writeln!(std::io::stdout(), "{line}") } else { writeln!(std::io::stderr(), "{line}") };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lasting_faults_fill_no_disk() {
        let (mut limits, start) = (Limits::default(), Instant::now());
        let logged = |times| Verdict { missed: 0, repeated: times };
        assert_eq!(limits.admit("paused", "disk full", start), logged(Some(0)));
        for second in 1..500 {
            let later = start + Duration::from_secs(second);
            assert_eq!(limits.admit("paused", "disk full", later), logged(None));
        }
        assert_eq!(limits.admit("paused", "disk full", start + REPEAT), logged(Some(499)));
    }

    #[test]
    fn many_files_with_one_fault_fill_no_disk() {
        let (mut limits, start) = (Limits::default(), Instant::now());
        let mut admit = |text: &str, event, now| limits.admit(event, text, now);
        let logged =
            (0..5000).filter(|file| admit(&format!("file {file}"), "unreadable", start).repeated.is_some());
        assert_eq!(logged.count(), BURST as usize);
        assert_eq!(admit("x", "another kind", start).repeated, Some(0));
        let later = admit("file 4999", "unreadable", start + WINDOW);
        assert_eq!(later, Verdict { missed: 4980, repeated: Some(0) });
    }
}
