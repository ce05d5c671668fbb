//! What a run did.

use serde::Serialize;

use crate::engine::sampling::Sampling;
use crate::fidelity::Fidelity;

/// How an image was made.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Sampling settings.
    pub sampling: Sampling,
    /// Seed of the noise field.
    pub seed: u64,
    /// Clean-up level.
    pub cleanup: f32,
    /// The factor by which the image was made smaller first, against blur; 1: not at all.
    pub deblur: usize,
    /// Times that the model ran over the whole image; 0 where it was only shrunk.
    pub passes: usize,
    /// Network calls.
    pub tiles: usize,
    /// Tiles that the output guard had run again.
    pub retries: usize,
    /// How well the result agrees with its input.
    pub fidelity: Fidelity,
    /// Seconds in all.
    pub seconds: f64,
    /// Seconds inside the networks, summed over threads.
    pub network_seconds: f64,
}

impl Report {
    /// The report of two images with the same settings: sums, and the fidelity of the worse one.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let worse = if other.fidelity.max_error > self.fidelity.max_error { other } else { self };
        Self {
            passes: self.passes + other.passes,
            tiles: self.tiles + other.tiles,
            retries: self.retries + other.retries,
            fidelity: worse.fidelity.clone(),
            seconds: self.seconds + other.seconds,
            network_seconds: self.network_seconds + other.network_seconds,
            ..self.clone()
        }
    }
}
