//! Where the time of a file went.

use std::time::Instant;

use serde::Serialize;

/// Seconds that the stages of a file took, one after the other; what they are fewer than `total_s` was waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Timings {
    /// From the first byte read to the result in place.
    pub total_s: f64,
    /// The file read, and its hash.
    pub read_s: f64,
    /// Decoded, and made ready for the model.
    pub decode_s: f64,
    /// The engine: networks, noise, sampling, comparison with the input, waiting for other images.
    pub engine_s: f64,
    /// Of that, the networks on each of the threads.
    pub inference_s: f64,
    /// Alpha, profile, depth and metadata put back.
    pub restore_s: f64,
    /// Encoded, written and renamed.
    pub encode_s: f64,
}

/// Runs `work` and adds its seconds to `sum`.
pub(super) fn timed<T>(sum: &mut f64, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let value = work();
    *sum += start.elapsed().as_secs_f64();
    value
}
