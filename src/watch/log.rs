//! What the daemon tells, a line per event, for people on standard error or as JSON on standard output.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::path_bytes::shown;

/// The same complaint is repeated at most this often.
const REPEAT: Duration = Duration::from_secs(600);

/// Where events go.
#[derive(Debug, Default)]
pub struct Log {
    json: bool,
    told: Mutex<HashMap<String, (Instant, u32)>>,
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
            println!("{line}");
        } else {
            eprintln!("{event}: {watch}: {input}{}{detail}", if detail.is_empty() { "" } else { ": " });
        }
    }

    /// Tells something about the service or a watch; `event` is one word.
    pub fn service(&self, event: &str, text: &str) {
        if self.json {
            let time = jiff::Timestamp::now().to_string();
            println!("{}", serde_json::json!({ "time": time, "event": event, "detail": text }));
        } else {
            eprintln!("{event}: {text}");
        }
    }

    /// As [`service`](Self::service), but the same text only now and then, so that a lasting fault fills no disk.
    pub fn complain(&self, event: &str, text: &str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() > 1000 {
            told.clear();
        }
        let suppressed = match told.get_mut(text) {
            Some((since, count)) if since.elapsed() < REPEAT => {
                *count += 1;
                return;
            }
            Some((_, count)) => *count,
            None => 0,
        };
        told.insert(text.to_string(), (Instant::now(), 0));
        if suppressed > 0 {
            self.service(event, &format!("{text} (and {suppressed} times since)"));
        } else {
            self.service(event, text);
        }
    }
}
