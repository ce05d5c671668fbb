//! What the daemon tells, a line per event, for people on standard error or as JSON on standard output.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::naming::shown;

/// The same complaint is repeated at most this often.
const REPEAT: Duration = Duration::from_secs(600);

/// At most so many different complaints of one kind...
const BURST: u32 = 20;

/// ...in this time.
const WINDOW: Duration = Duration::from_secs(60);

/// Complaints that are remembered, to tell the same from others.
const MEMORY: usize = 1000;

/// Where events go.
#[derive(Debug, Default)]
pub struct Log {
    json: bool,
    limits: Mutex<Limits>,
}

#[derive(Debug, Default)]
struct Limits {
    told: HashMap<String, (Instant, u32)>,
    windows: HashMap<String, (Instant, u32)>,
}

impl Log {
    /// A log for people, or as JSON.
    pub fn new(json: bool) -> Self {
        Self { json, ..Self::default() }
    }

    /// Tells `event` about a file of a watch.
    pub fn file(&self, event: &str, watch: &str, input: &Path, detail: &str) {
        let input = shown(input);
        if self.json {
            let line = serde_json::json!({
                "time": jiff::Timestamp::now().to_string(), "event": event, "watch": watch, "input": input,
                "detail": detail,
            });
            print(true, &line.to_string());
        } else {
            let colon = if detail.is_empty() { "" } else { ": " };
            print(false, &format!("{event}: {watch}: {input}{colon}{detail}"));
        }
    }

    /// Tells something about the service or a watch; `event` is one word.
    pub fn service(&self, event: &str, text: &str) {
        if self.json {
            let time = jiff::Timestamp::now().to_string();
            print(true, &serde_json::json!({ "time": time, "event": event, "detail": text }).to_string());
        } else {
            print(false, &format!("{event}: {text}"));
        }
    }

    /// As [`service`](Self::service), but the same text only now and then, and only so many texts of one event a
    /// minute, so that a lasting fault fills no disk.
    pub fn complain(&self, event: &str, text: &str) {
        let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        for line in limits.admit(event, text, Instant::now()) {
            self.service(event, &line);
        }
    }
}

impl Limits {
    /// What is to be told at `now` of a complaint.
    fn admit(&mut self, event: &str, text: &str, now: Instant) -> Vec<String> {
        let mut lines = Vec::new();
        let (since, count) = self.windows.entry(event.into()).or_insert((now, 0));
        if now.duration_since(*since) >= WINDOW {
            if *count > BURST {
                lines.push(format!("{} more complaints of this kind were not told", *count - BURST));
            }
            (*since, *count) = (now, 0);
        }
        let repeated = match self.told.get_mut(text) {
            Some((since, times)) if now.duration_since(*since) < REPEAT => {
                *times += 1;
                return lines;
            }
            Some((_, times)) => *times,
            None => 0,
        };
        *count += 1;
        if *count > BURST {
            return lines;
        }
        if self.told.len() >= MEMORY {
            self.told.clear();
        }
        self.told.insert(text.into(), (now, 0));
        lines.push(if repeated > 0 { format!("{text} (and {repeated} times since)") } else { text.into() });
        lines
    }
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
        assert_eq!(limits.admit("paused", "disk full", start), ["disk full"]);
        for second in 1..500 {
            assert!(limits.admit("paused", "disk full", start + Duration::from_secs(second)).is_empty());
        }
        let again = limits.admit("paused", "disk full", start + REPEAT);
        assert_eq!(again, ["disk full (and 499 times since)"]);
    }

    #[test]
    fn many_files_with_one_fault_fill_no_disk() {
        let (mut limits, start) = (Limits::default(), Instant::now());
        let told = (0..5000).flat_map(|file| limits.admit("unreadable", &format!("file {file}"), start));
        assert_eq!(told.count(), BURST as usize);
        assert_eq!(limits.admit("paused", "another kind", start).len(), 1);
        let later = limits.admit("unreadable", "file 4999", start + WINDOW);
        assert_eq!(later, ["4980 more complaints of this kind were not told", "file 4999"]);
    }
}
