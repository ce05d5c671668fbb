//! Events of the command and of the daemon, for people and for scripts.

use std::fmt;
use std::path::Path;

use serde::{Serialize, Serializer};

use super::shown::Thumbnails;
use crate::batch::timings::Timings;
#[cfg(feature = "volume")]
use crate::volume::Summary;

/// One thing that happened. The field names are those of `--json`, which scripts rely on.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event<'a> {
    /// Which part of its inputs a run makes.
    Shard { index: u32, count: u32, files: usize, all_files: usize },
    /// Model and library are ready, work begins.
    Run {
        version: &'a str,
        model: &'a str,
        model_version: &'a str,
        model_digest: &'a str,
        library: Name<'a>,
        provider: &'a str,
        /// Whether a provider that is installed does not run.
        #[serde(skip)]
        provider_failed: bool,
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
        /// Where the picture of a volume is, if one was asked for.
        #[serde(skip_serializing_if = "Option::is_none")]
        preview: Option<Name<'a>>,
        pages: usize,
        width: usize,
        height: usize,
        seconds: f64,
        report: &'a crate::engine::Report,
        /// Where the time went, if that was asked for and it is no volume.
        #[serde(skip_serializing_if = "Option::is_none")]
        timings: Option<Timings>,
        /// Before and after, if they were asked for and it is no volume.
        #[serde(skip)]
        thumbnails: Option<&'a Thumbnails>,
        /// What became of it, if it is a volume.
        #[cfg(feature = "volume")]
        #[serde(skip_serializing_if = "Option::is_none")]
        volume: Option<&'a Summary>,
    },
    /// An image was left out since its result exists.
    Skipped {
        #[serde(flatten)]
        files: Files<'a>,
    },
    /// Something was not kept, or deserves a look.
    Warning {
        #[serde(flatten)]
        files: Files<'a>,
        message: &'a str,
    },
    /// The input is damaged: the result holds what could be read of it.
    Damaged {
        #[serde(flatten)]
        files: Files<'a>,
        message: &'a str,
    },
    /// An image could not be made.
    Failed {
        #[serde(flatten)]
        files: Files<'a>,
        /// The category of the error; unknown in the daemon.
        #[serde(skip_serializing_if = "Option::is_none")]
        kind: Option<&'a str>,
        reason: &'a str,
    },
    /// The end of a run of the command.
    Summary { done: usize, skipped: usize, failed: usize, cancelled: bool, seconds: f64, exit: u8 },
    /// A result of the daemon is in place.
    #[serde(rename = "done")]
    Placed {
        #[serde(flatten)]
        files: Files<'a>,
        width: usize,
        height: usize,
        seconds: f64,
        /// Whether it is a copy of an earlier result of the same contents.
        reused: bool,
    },
    /// An input of a watch failed, and is tried again.
    Attempt {
        #[serde(flatten)]
        files: Files<'a>,
        detail: &'a str,
        attempt: u32,
        attempts: u32,
        next_try: &'a str,
        /// Until then.
        #[serde(skip)]
        seconds: f64,
    },
    /// The end of a run of the daemon that ends by itself.
    Finished { done: u64, failed: u64, waiting: u64 },
    /// Any other message of the daemon.
    #[serde(untagged)]
    Notice(Notice<'a>),
}

/// A message of the daemon.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Notice<'a> {
    pub event: Topic,
    /// The input that it is about, if it is about one.
    #[serde(flatten)]
    pub files: Option<Files<'a>>,
    pub detail: &'a str,
}

/// What a message of the daemon is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// The folders that are watched.
    Watching,
    /// A folder is looked at from time to time, as the system does not tell of changes.
    Polling,
    /// A folder is unavailable.
    Away,
    /// The worker runs on this.
    Running,
    /// Work waits, for this reason.
    Paused,
    /// Work goes on.
    Resumed,
    /// The configuration was read again.
    Reloaded,
    /// The old configuration, or the original of a result, stays.
    Kept,
    /// An input is left alone.
    Ignored,
    /// An input cannot be read yet.
    Unreadable,
    /// An input changed while it was worked on.
    Changed,
    /// The worker died over an input.
    Crash,
    /// An input is not done at the end of a run.
    Unfinished,
    /// A failed input could not be put into quarantine.
    Quarantine,
    /// The metrics could not be written.
    Metrics,
}

/// The name in JSON.
impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// An image and its result.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Files<'a> {
    /// The watch that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watch: Option<&'a str>,
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
    /// An input of a watch, by its path below the watched folder, and its result.
    pub fn of_watch(watch: &'a str, input: &'a Path, output: Option<&'a Path>) -> Self {
        Self { watch: Some(watch), ..Self::new(input, output) }
    }

    /// An input and its result.
    pub fn new(input: &'a Path, output: Option<&'a Path>) -> Self {
        let hex = |path: &'a Path| path.to_str().is_none().then_some(Hex(path));
        Self {
            watch: None,
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
        let event = Event::Failed { files: Files::new(path, None), kind: Some("input"), reason: "bad" };
        assert_eq!(
            serde_json::to_string(&event).unwrap(),
            "{\"event\":\"failed\",\"input\":\"caf\u{fffd}\",\"input_hex\":\"636166e9\",\"kind\":\"input\",\"reason\":\"bad\"}"
        );
    }

    #[test]
    fn messages_of_the_daemon_name_their_topic_as_event() {
        let notice = Notice { event: Topic::Paused, files: None, detail: "why" };
        assert_eq!(
            serde_json::to_string(&Event::Notice(notice)).unwrap(),
            r#"{"event":"paused","detail":"why"}"#
        );
        let files = Some(Files::of_watch("in", Path::new("a.png"), None));
        let notice = Notice { event: Topic::Kept, files, detail: "why" };
        assert_eq!(
            serde_json::to_string(&Event::Notice(notice)).unwrap(),
            r#"{"event":"kept","watch":"in","input":"a.png","detail":"why"}"#
        );
    }
}
