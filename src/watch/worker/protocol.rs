//! What the daemon and its worker process say to each other: JSON, one object a line.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::failure::Fault;
use crate::engine::RuntimeOptions;
use crate::settings::Settings;

/// The first line to the worker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// Where and with what to run. The memory is for images outside the engine, too.
    pub runtime: RuntimeOptions,
    /// Niceness to take on, 0 to 19.
    pub nice: i32,
}

impl Setup {
    /// How many jobs a worker has at most, so that its networks need not wait for reading and writing: those in the
    /// engine, two that wait before and behind it, and what is read and written.
    pub fn window(&self) -> usize {
        RuntimeOptions { memory: None, ..self.runtime.clone() }.cpu_threads() + 8
    }
}

/// A line to the worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Order {
    /// Load this model, and say whether it works.
    Load {
        /// An embedded model's name or the path of a bundle.
        model: String,
    },
    /// Make an image.
    Make(Box<Job>),
}

/// An image to make.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Key that the answer carries.
    pub id: i64,
    /// The file to read.
    #[serde(with = "crate::fs::path_bytes")]
    pub input: PathBuf,
    /// SHA-256 that the file must have, in hexadecimal.
    pub hash: String,
    /// The file to write; it must not exist.
    #[serde(with = "crate::fs::path_bytes")]
    pub temporary: PathBuf,
    /// What to make.
    pub settings: Settings,
    /// An earlier result of the same contents.
    pub ready: Option<Ready>,
}

/// A result that only has to be copied, if it still is what was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ready {
    /// Where it lies.
    #[serde(with = "crate::fs::path_bytes")]
    pub path: PathBuf,
    /// How it was made.
    pub made: Made,
}

/// A line from the worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Reply {
    /// The model is loaded and runs on this.
    Loaded {
        /// The execution provider.
        provider: String,
    },
    /// The model cannot be used.
    Refused {
        /// Why.
        reason: String,
    },
    /// Work goes on.
    Alive,
    /// The temporary is written and flushed.
    Made {
        /// The job's key.
        id: i64,
        /// What was made.
        made: Box<Made>,
    },
    /// The job failed; there is no temporary.
    Failed {
        /// The job's key.
        id: i64,
        /// Whose fault it is.
        fault: Fault,
        /// Why.
        reason: String,
    },
}

/// An image that was made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Made {
    /// SHA-256 of the result's bytes, in hexadecimal.
    pub hash: String,
    /// Width of the result in pixels.
    pub width: usize,
    /// Height of the result in pixels.
    pub height: usize,
    /// Extension of the result's name, without the dot.
    pub ext: String,
    /// Factor between input and result.
    pub scale: String,
    /// The model's name.
    pub model: String,
    /// Seconds from reading to writing.
    pub seconds: f64,
    /// When the engine began, in seconds since 1970.
    pub engine_began: f64,
    /// Seconds in the engine.
    pub engine_seconds: f64,
    /// Seconds inside the networks, summed over threads.
    pub network_seconds: f64,
    /// Whether it is a copy of an earlier result.
    pub reused: bool,
    /// What could not be kept.
    pub warnings: Vec<String>,
    /// What is wrong with the input, of which the result holds what could be read.
    pub damage: Option<String>,
}
