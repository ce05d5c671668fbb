//! Weights with which overlapping tiles are mixed.

use std::ops::Range;

/// Weights along one axis for a tile that covers `input` of which `core` is its own.
///
/// They rise as a smooth step over the overlap on each side that has a neighbour, and are positive everywhere,
/// so that the sum over tiles never vanishes.
pub fn weights(input: &Range<usize>, core: &Range<usize>) -> Vec<f32> {
    let (before, after) = (core.start - input.start, input.end - core.end);
    let ramp = |distance: usize, overlap: usize| {
        // Two tiles share the overlap on both sides of their common edge.
        let x = (distance as f32 + 0.5) / (2 * overlap) as f32;
        if x >= 1.0 { 1.0 } else { x * x * (3.0 - 2.0 * x) }
    };
    (0..input.len())
        .map(|i| {
            let left = if before == 0 { 1.0 } else { ramp(i, before) };
            let right = if after == 0 { 1.0 } else { ramp(input.len() - 1 - i, after) };
            left * right
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_sum_to_one_across_their_edge() {
        let left = weights(&(0..40), &(0..32));
        let right = weights(&(24..64), &(32..64));
        for x in 24..40 {
            assert!((left[x] + right[x - 24] - 1.0).abs() < 1e-6, "at {x}");
        }
        assert!(left[..24].iter().all(|&w| w == 1.0));
        assert!(left.iter().chain(&right).all(|&w| w > 0.0));
    }
}
