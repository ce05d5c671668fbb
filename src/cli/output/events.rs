//! What happens during a run, told to people or to scripts.

use std::io::{self, Write};
use std::path::Path;

use serde::{Serialize, Serializer};

use crate::progress::CancelToken;
use crate::volume::Summary;

/// One thing that happened. The field names are those of `--json`, which scripts rely on.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event<'a> {
    /// Model and library are ready, work begins.
    Run {
        version: &'a str,
        model: &'a str,
        model_version: &'a str,
        model_digest: &'a str,
        library: Name<'a>,
        provider: &'a str,
        files: usize,
        /// Of all results.
        #[serde(skip)]
        megapixels: f64,
    },
    /// Work on an image begins; width and height are the result's.
    Start {
        index: usize,
        total: usize,
        #[serde(flatten)]
        files: Files<'a>,
        width: usize,
        height: usize,
        /// Of all pages.
        #[serde(skip)]
        megapixels: f64,
    },
    /// Part of an image, of all its pages, is done.
    Progress {
        #[serde(flatten)]
        files: Files<'a>,
        fraction: f64,
        step: usize,
        steps: usize,
    },
    /// What a dry run found out about an image.
    Plan {
        #[serde(flatten)]
        files: Files<'a>,
        pages: usize,
        width: usize,
        height: usize,
        memory_bytes: u64,
        seconds: f64,
        #[serde(skip)]
        details: &'a str,
        /// What its pages are called.
        #[serde(skip)]
        page: &'a str,
    },
    /// An image is written.
    Done {
        #[serde(flatten)]
        files: Files<'a>,
        /// Where the original is kept that was replaced.
        #[serde(skip_serializing_if = "Option::is_none")]
        backup: Option<Name<'a>>,
        /// Where the uncertainty map is, if one was asked for.
        #[serde(skip_serializing_if = "Option::is_none")]
        uncertainty: Option<Name<'a>>,
        pages: usize,
        width: usize,
        height: usize,
        seconds: f64,
        report: &'a crate::engine::Report,
        /// What became of it, if it is a volume.
        #[serde(skip_serializing_if = "Option::is_none")]
        volume: Option<&'a Summary>,
    },
    /// An image was left out since its result exists.
    Skipped {
        #[serde(flatten)]
        files: Files<'a>,
    },
    /// Something was not kept, or deserves a look.
    Warning { input: Name<'a>, message: &'a str },
    /// The input is damaged: the result holds what could be read of it.
    Damaged { input: Name<'a>, message: &'a str },
    /// An image could not be made.
    Failed {
        #[serde(flatten)]
        files: Files<'a>,
        kind: &'a str,
        reason: &'a str,
    },
    /// The end.
    Summary { done: usize, skipped: usize, failed: usize, cancelled: bool, seconds: f64, exit: u8 },
}

/// An image and its result.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Files<'a> {
    /// The input's path, or `-`.
    pub input: Name<'a>,
    /// Its bytes in hexadecimal, where they are no Unicode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_hex: Option<Hex<'a>>,
    /// The result's path, or `-`; absent where none was chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Name<'a>>,
    /// Its bytes in hexadecimal, where they are no Unicode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_hex: Option<Hex<'a>>,
}

impl<'a> Files<'a> {
    /// An input and its result.
    pub fn new(input: &'a Path, output: Option<&'a Path>) -> Self {
        let hex = |path: &'a Path| path.to_str().is_none().then_some(Hex(path));
        Self {
            input: Name(input),
            input_hex: hex(input),
            output: output.map(Name),
            output_hex: output.and_then(hex),
        }
    }
}

/// A path as text, lossy.
#[derive(Clone, Copy, Debug)]
pub struct Name<'a>(pub &'a Path);

impl Serialize for Name<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.display())
    }
}

/// A path as the hexadecimal form of its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Hex<'a>(pub &'a Path);

impl Serialize for Hex<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes = self.0.as_os_str().as_encoded_bytes();
        serializer.serialize_str(&bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    }
}

/// Tells somebody what happens. Calls may come from any thread.
pub trait Reporter: Send + Sync {
    /// Tells one event.
    fn tell(&self, event: &Event<'_>);
}

/// Writes events to standard output, one JSON object a line.
pub struct JsonReporter {
    cancel: CancelToken,
}

impl JsonReporter {
    /// A reporter that cancels the run when nobody reads any more.
    pub fn new(cancel: CancelToken) -> Self {
        Self { cancel }
    }
}

impl Reporter for JsonReporter {
    fn tell(&self, event: &Event<'_>) {
        let mut line = serde_json::to_vec(event).expect("events hold only text and numbers");
        line.push(b'\n');
        let mut stdout = io::stdout().lock();
        if stdout.write_all(&line).and_then(|()| stdout.flush()).is_err() {
            self.cancel.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_flat_objects() {
        let event = Event::Start {
            index: 1,
            total: 2,
            files: Files::new(Path::new("a b.png"), Some(Path::new("-"))),
            width: 3,
            height: 4,
            megapixels: 1.2e-5,
        };
        assert_eq!(
            serde_json::to_string(&event).unwrap(),
            r#"{"event":"start","index":1,"total":2,"input":"a b.png","output":"-","width":3,"height":4}"#
        );
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_no_unicode_come_with_their_bytes() {
        use std::os::unix::ffi::OsStrExt;
        let path = Path::new(std::ffi::OsStr::from_bytes(b"caf\xe9"));
        let event = Event::Failed { files: Files::new(path, None), kind: "input", reason: "bad" };
        assert_eq!(
            serde_json::to_string(&event).unwrap(),
            "{\"event\":\"failed\",\"input\":\"caf\u{fffd}\",\"input_hex\":\"636166e9\",\"kind\":\"input\",\"reason\":\"bad\"}"
        );
    }
}
