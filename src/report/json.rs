//! Events as JSON.

use std::io::{self, Write};

use serde::Serialize;

use super::event::{Event, Reporter};
use crate::progress::CancelToken;

/// Writes events to standard output, one JSON object a line.
#[derive(Debug)]
pub struct JsonReporter {
    times: bool,
    unread: CancelToken,
}

impl JsonReporter {
    /// A reporter, of events with `times` if so. It cancels `unread` when nobody reads any more.
    pub fn new(times: bool, unread: CancelToken) -> Self {
        Self { times, unread }
    }
}

impl Reporter for JsonReporter {
    fn tell(&self, event: &Event<'_>) {
        #[derive(Serialize)]
        struct Line<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            time: Option<String>,
            #[serde(flatten)]
            event: &'a Event<'a>,
        }
        let time = self.times.then(|| jiff::Timestamp::now().to_string());
        let mut line = serde_json::to_vec(&Line { time, event }).expect("events hold only text and numbers");
        line.push(b'\n');
        let mut stdout = io::stdout().lock();
        if stdout.write_all(&line).and_then(|()| stdout.flush()).is_err() {
            self.unread.cancel();
        }
    }
}
