//! Where the networks run, and on how many threads.

use std::path::PathBuf;
use std::thread;

use serde::{Deserialize, Serialize};

use crate::runtime::Device;

/// Where and with how many threads to run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuntimeOptions {
    /// The ONNX Runtime library. Default: found as [`crate::runtime::find`] says.
    pub library: Option<PathBuf>,
    /// The device. Default: `Device::Auto`.
    pub device: Device,
    /// Threads on the CPU. Default: one per core.
    pub threads: Option<usize>,
    /// Bytes for networks and images, as [`memory`](crate::UpscaleOptions::memory); where they are few, fewer threads
    /// run, since each has a network of its own, and networks give memory back after each inference. Default: no limit.
    pub memory: Option<u64>,
}

/// Bytes that one more thread takes, for the natural-x4 model, as measured: weights, packed weights, small buffers.
const THREAD_BYTES: u64 = 40 << 20;

/// The share of the memory that networks may take.
const NETWORKS_SHARE: u64 = 6;

impl RuntimeOptions {
    /// The number of threads on the CPU.
    pub fn cpu_threads(&self) -> usize {
        let wanted = self.threads.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));
        let affordable = |memory: u64| (memory / NETWORKS_SHARE / THREAD_BYTES).max(1) as usize;
        self.memory.map_or(wanted, |memory| wanted.min(affordable(memory)))
    }
}
