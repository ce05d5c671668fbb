//! Results that agree with k-space: the band that a slice holds, put back, and whether a slice is such a band at all.
//!
//! A slice y that was cut out of the k-space of x is the magnitude |T x|, T keeping the centre of k-space. Of the phase that
//! magnitudes lost, the result knows the sign: ringing below zero, mostly in air, was turned upward.

use super::Resizer;
use crate::image::{Kernel, Raster, resize};

/// How much smaller than with bicubic shrinking the difference from truncated k-space must be. One step of `mri-x4` on
/// slices shrunk by 2 and 4: 0.4 to 0.7 times as large where k-space was truncated, 1.1 to 8 times where they were shrunk by
/// means, bicubic or Lanczos, and 1.5 to 3 times on scans at their own resolution.
const SMALLER: f64 = 0.8;

/// Replaces the frequencies of `result` that `input` holds by those of `input`: the central part of k-space, and half of
/// the highest frequency of an even side, whose phase is not known. Outer faces of both lie in the same place. `zero` is the
/// value of no signal, if the values of `input` are magnitudes.
pub fn put_back(result: &mut Raster, input: &Raster, zero: Option<f32>) {
    let (new, own) = (size(result), size(input));
    let lacking = lacking(result, input, zero);
    let more = Resizer::new(own, new).resize(&lacking);
    result.data_mut().iter_mut().zip(more).for_each(|(value, more)| *value += more);
}

/// Whether `input` agrees better with truncated k-space of `result`, the network's one step, than with `result` shrunk.
pub fn is_truncated(result: &Raster, input: &Raster, zero: f32) -> bool {
    let (height, width) = size(input);
    let shrunk = resize(result, height, width, Kernel::BICUBIC);
    let squares = |differences: &mut dyn Iterator<Item = f32>| -> f64 {
        differences.map(|difference| f64::from(difference).powi(2)).sum()
    };
    let truncated = squares(&mut lacking(result, input, Some(zero)).into_iter());
    truncated < SMALLER.powi(2) * squares(&mut input.data().iter().zip(shrunk.data()).map(|(a, b)| a - b))
}

/// What truncated k-space of `result` lacks of `input`.
fn lacking(result: &Raster, input: &Raster, zero: Option<f32>) -> Vec<f32> {
    let known = Resizer::new(size(result), size(input)).resize(result.data());
    let signed = |value: f32, known: f32| match zero {
        Some(zero) if known < zero => zero - (value - zero).abs(),
        _ => value,
    };
    input.data().iter().zip(known).map(|(value, known)| signed(*value, known) - known).collect()
}

fn size(raster: &Raster) -> (usize, usize) {
    (raster.height(), raster.width())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waves that any grid over the same space can sample; `extra` are some that only a fine one holds.
    fn waves(height: usize, width: usize, extra: f32) -> Raster {
        let value = |at: usize| {
            let x = ((at % width) as f32 + 0.5) / width as f32;
            let y = ((at / width) as f32 + 0.5) / height as f32;
            let turn = std::f32::consts::TAU;
            0.5 + 0.2 * (turn * (3.0 * x + 0.1)).sin() * (turn * (2.0 * y + 0.3)).cos()
                + 0.1 * (turn * (4.0 * x - 3.0 * y)).sin()
                + extra * (turn * (11.0 * x + 2.0 * y)).cos()
        };
        Raster::from_vec(1, height, width, (0..height * width).map(value).collect())
    }

    #[test]
    fn the_band_of_the_input_is_put_back_in_its_place_and_nothing_else_changes() {
        for (height, width) in [(48, 40), (45, 37), (31, 42)] {
            for (low, narrow) in [(12, 10), (11, 13)] {
                // Finer detail stays; what the input knows, all but a flat grey here, comes back.
                let mut result = waves(height, width, 0.05);
                let own = waves(height, width, 0.0);
                let flat = result.data().iter().zip(own.data()).map(|(all, own)| 0.7 + all - own).collect();
                result = Raster::from_vec(1, height, width, flat);
                put_back(&mut result, &waves(low, narrow, 0.0), None);
                let wanted = waves(height, width, 0.05);
                for (value, wanted) in result.data().iter().zip(wanted.data()) {
                    assert!(
                        (value - wanted).abs() < 2e-5,
                        "{height}x{width} of {low}x{narrow}: {value} {wanted}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_result_that_agrees_stays() {
        let input = waves(12, 10, 0.0);
        let mut result = waves(48, 40, 0.05);
        let before = result.clone();
        put_back(&mut result, &input, Some(0.0));
        put_back(&mut result, &input, Some(0.0));
        for (value, before) in result.data().iter().zip(before.data()) {
            assert!((value - before).abs() < 2e-5);
        }
    }

    /// A bright square with an edge of one pixel, in air.
    fn head() -> Raster {
        let value = |at: usize| {
            let (x, y) = ((at % 48).abs_diff(24), (at / 48).abs_diff(24));
            if x.max(y) < 12 { 0.6 + 0.3 * (at as f32 * 0.7).sin() } else { 0.0 }
        };
        Raster::from_vec(1, 48, 48, (0..48 * 48).map(value).collect())
    }

    /// The magnitude of the centre of its k-space.
    fn magnitude(whole: &Raster) -> Raster {
        let cut = Resizer::new((48, 48), (24, 24)).resize(whole.data());
        assert!(cut.iter().any(|value| *value < -0.02));
        Raster::from_vec(1, 24, 24, cut.into_iter().map(f32::abs).collect())
    }

    #[test]
    fn the_sign_that_magnitudes_lost_is_that_of_the_result() {
        let whole = head();
        let input = magnitude(&whole);
        let error = |result: &Raster| -> f32 {
            result.data().iter().zip(whole.data()).map(|(a, b)| (a - b).powi(2)).sum()
        };
        // Off by some of what the input knows.
        let off = whole.data().iter().zip(waves(48, 48, 0.0).data()).map(|(a, b)| a + 0.02 * b).collect();
        let off = Raster::from_vec(1, 48, 48, off);
        let (mut signed, mut turned) = (off.clone(), off.clone());
        put_back(&mut signed, &input, Some(0.0));
        put_back(&mut turned, &input, None);
        assert!(error(&signed) < 0.3 * error(&off), "{} {}", error(&signed), error(&off));
        assert!(error(&turned) > error(&off), "{} {}", error(&turned), error(&off));
    }

    #[test]
    fn truncated_k_space_is_told_from_shrinking() {
        let whole = head();
        assert!(is_truncated(&whole, &magnitude(&whole), 0.0));
        for kernel in [Kernel::BICUBIC, Kernel::Lanczos3, Kernel::Box] {
            let shrunk = resize(&whole, 24, 24, kernel);
            assert!(!is_truncated(&whole, &shrunk, 0.0), "{kernel:?}");
        }
    }
}
