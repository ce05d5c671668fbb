//! Which noise the slices of a volume have: equal noise would leave columns across them, and independent noise flickers.

use std::f64::consts::FRAC_PI_2;

use crate::diffusion::NoisePlace;

/// Millimetres over which the noise of slices is alike, unless asked otherwise: neighbouring slices of a T1 of 1 mm then
/// differ as much as in the original.
pub const DEFAULT_LENGTH: f64 = 2.0;

/// Planes of the noise field that there may be.
const PLANES: usize = 1 << 30;

/// The noise of slice `index`, where slices lie `distance` apart; `first` is the first of the planes of all of them.
///
/// Independent planes lie `length` apart, and a slice between two of them mixes both by cosine and sine, whose squares sum
/// to 1: at any place it is standard normal, and slices at a distance d between the same two correlate with
/// cos(pi d / (2 length)). With a `length` of at most `distance`, each slice has a plane of its own.
pub fn place(first: usize, index: usize, distance: f64, length: f64) -> NoisePlace {
    let plane = |number: usize| ((first + number) % PLANES) as u32;
    let planes = if length <= distance {
        [(plane(index), 1.0), (0, 0.0)]
    } else {
        let at = index as f64 * distance / length;
        let (share, below) = ((at.fract() * FRAC_PI_2).sin_cos(), at as usize);
        [(plane(below), share.1 as f32), (plane(below + 1), share.0 as f32)]
    };
    NoisePlace { planes, ..NoisePlace::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diffusion::NoiseSource;

    const LENGTH: usize = 100_000;

    fn noise(index: usize, distance: f64, length: f64) -> Vec<f32> {
        let mut out = vec![0.0; LENGTH];
        NoiseSource::new(3, place(100, index, distance, length), 4).fill(40, 0, 5, 0, &mut out);
        out
    }

    fn correlation(a: &[f32], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>() / LENGTH as f64
    }

    #[test]
    fn slices_correlate_over_the_length_and_each_is_standard_normal() {
        let slices: Vec<_> = (0..12).map(|index| noise(index, 1.5, 6.0)).collect();
        // Five standard errors.
        let error = 5.0 * (2.0 / LENGTH as f64).sqrt();
        for (index, slice) in slices.iter().enumerate() {
            assert!((correlation(slice, slice) - 1.0).abs() < error, "{index}");
            let fourth = slice.iter().map(|value| f64::from(*value).powi(4)).sum::<f64>() / LENGTH as f64;
            assert!((fourth - 3.0).abs() < 5.0 * (96.0 / LENGTH as f64).sqrt(), "{index}: {fourth}");
        }
        for pair in slices.windows(2) {
            // cos(pi / 8)
            assert!((correlation(&pair[0], &pair[1]) - 0.9239).abs() < error);
        }
        assert!(correlation(&slices[0], &slices[8]).abs() < error, "two lengths apart");
    }

    #[test]
    fn without_a_length_slices_are_independent() {
        for length in [0.0, 1.5] {
            let [a, b] = [0, 1].map(|index| noise(index, 1.5, length));
            assert!(correlation(&a, &b).abs() < 5.0 / (LENGTH as f64).sqrt());
        }
    }
}
