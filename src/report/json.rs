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
    /// A reporter; with `times`, every event gets its time. It cancels `unread` when nobody reads any more.
    pub fn new(times: bool, unread: CancelToken) -> Self {
        Self { times, unread }
    }
}

impl JsonReporter {
    /// The line for `event`.
    fn line(&self, event: &Event<'_>) -> Vec<u8> {
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
        line
    }
}

impl Reporter for JsonReporter {
    fn tell(&self, event: &Event<'_>) {
        let mut stdout = io::stdout().lock();
        if stdout.write_all(&self.line(event)).and_then(|()| stdout.flush()).is_err() {
            self.unread.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::report::event::{Files, Notice, Topic};

    fn lines(times: bool, event: &Event<'_>) -> String {
        String::from_utf8(JsonReporter::new(times, CancelToken::new()).line(event)).unwrap()
    }

    #[test]
    fn an_event_is_one_line_whatever_its_texts_hold() {
        let path = Path::new("line\nbreak \"and\" \u{2028}.png");
        let files = Files::of_watch("a\nb", path, Some(path));
        let message = "two\r\nlines\0";
        for event in [
            Event::Warning { files, message },
            Event::Failed { files, kind: None, reason: message },
            Event::Notice(Notice { event: Topic::Kept, files: Some(files), detail: message }),
        ] {
            let line = lines(false, &event);
            assert_eq!(line.find('\n'), Some(line.len() - 1), "{line:?}");
            let value: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_eq!((&value["watch"], &value["input"]), (&"a\nb".into(), &path.to_str().into()));
            assert_eq!(value.get("time"), None);
        }
    }

    #[test]
    fn the_daemons_events_begin_with_their_time() {
        let line = lines(true, &Event::Finished { done: 1, failed: 2, waiting: 3 });
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        let time: jiff::Timestamp = value["time"].as_str().unwrap().parse().unwrap();
        assert!(time <= jiff::Timestamp::now());
        assert!(line.starts_with("{\"time\":"), "{line}");
        assert!(line.ends_with("\"event\":\"finished\",\"done\":1,\"failed\":2,\"waiting\":3}\n"), "{line}");
    }

    #[test]
    fn numbers_that_json_does_not_have_end_nothing() {
        let files = Files::new(Path::new("-"), None);
        let line = lines(false, &Event::Progress { files, fraction: f64::NAN, step: 1, steps: 2 });
        assert_eq!(
            line,
            "{\"event\":\"progress\",\"input\":\"-\",\"fraction\":null,\"step\":1,\"steps\":2}\n"
        );
    }
}
