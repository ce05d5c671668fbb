//! How far a latent has moved from the high-resolution image toward the upsampled one.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// The alignment weight along the chain (Zhao et al. 2023, arXiv 2307.11926, "latent alignment").
///
/// The noise-free part of a latent is `x0 + weight (u - x0)`: the image at step 0, the upsampled input `u` at
/// the start step K.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LatentAlignment {
    /// `t / K`.
    #[default]
    Linear,
    /// `(1 - cos(pi t / K)) / 2`.
    Cosine,
    /// No alignment: the ordinary diffusion chain.
    None,
}

impl LatentAlignment {
    /// The weight at step `t` of a chain aligned over `1..=trained_start`: 0 at step 0, 1 from `trained_start` on.
    pub fn weight(self, t: usize, trained_start: usize) -> f64 {
        if self == Self::None || t == 0 {
            return 0.0;
        }
        // Exactly 1, so that the latent at the start is exactly free of x0.
        if t >= trained_start {
            return 1.0;
        }
        let fraction = t as f64 / trained_start as f64;
        match self {
            Self::Linear => fraction,
            Self::Cosine => (1.0 - (PI * fraction).cos()) / 2.0,
            Self::None => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_rise_from_exactly_zero_to_exactly_one() {
        for alignment in [LatentAlignment::Linear, LatentAlignment::Cosine] {
            for trained_start in [1, 2, 7, 300] {
                let weights: Vec<f64> =
                    (0..=trained_start).map(|t| alignment.weight(t, trained_start)).collect();
                assert_eq!((weights[0], weights[trained_start]), (0.0, 1.0));
                assert!(weights.windows(2).all(|pair| pair[0] < pair[1]), "{alignment:?} {trained_start}");
            }
        }
        assert_eq!(LatentAlignment::Linear.weight(75, 300), 0.25);
        assert!((LatentAlignment::Cosine.weight(100, 300) - 0.25).abs() < 1e-15);
        assert_eq!(LatentAlignment::None.weight(300, 300), 0.0);
    }
}
