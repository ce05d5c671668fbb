//! The band of k-space that a slice holds, put back into its result.

use std::f64::consts::TAU;

use rustfft::FftPlanner;
use rustfft::num_complex::Complex32;

use crate::image::Raster;

/// Replaces the frequencies of `result` that `input` holds by those of `input`: the central part of k-space, without the
/// highest frequency of an even side, whose phase is not known. Outer faces of both lie in the same place, so that a
/// phase stands for the distance of first pixels' centres.
pub fn put_back(result: &mut Raster, input: &Raster) {
    let (height, width) = (result.height(), result.width());
    let (low, narrow) = (input.height(), input.width());
    let known = spectrum(input);
    let mut all = spectrum(result);
    let gain = (height * width) as f32 / (low * narrow) as f32;
    let (rows, columns) = (band(low, height), band(narrow, width));
    for &(x, from_x, phase_x) in &columns {
        for &(y, from_y, phase_y) in &rows {
            // Spectra lie column by column.
            all[x * height + y] = known[from_x * low + from_y] * phase_x * phase_y * gain;
        }
    }
    let mut planner = FftPlanner::new();
    planner.plan_fft_inverse(height).process(&mut all);
    let mut all = transposed(&all, width, height);
    planner.plan_fft_inverse(width).process(&mut all);
    let scale = 1.0 / (height * width) as f32;
    result.data_mut().iter_mut().zip(all).for_each(|(value, new)| *value = new.re * scale);
}

/// Frequencies of `own` samples among those of `new`: their places in both, and the phase of the shift.
fn band(own: usize, new: usize) -> Vec<(usize, usize, Complex32)> {
    let half = (own.min(new) as i64 - 1) / 2;
    let entry = |frequency: i64| {
        let turns = frequency as f64 * (0.5 / new as f64 - 0.5 / own as f64);
        let (sin, cos) = (TAU * turns).sin_cos();
        let place = |side: usize| frequency.rem_euclid(side as i64) as usize;
        (place(new), place(own), Complex32::new(cos as f32, sin as f32))
    };
    (-half..=half).map(entry).collect()
}

/// The spectrum of an image, column by column.
fn spectrum(image: &Raster) -> Vec<Complex32> {
    let (height, width) = (image.height(), image.width());
    let mut planner = FftPlanner::new();
    let mut values: Vec<_> = image.data().iter().map(|value| Complex32::new(*value, 0.0)).collect();
    planner.plan_fft_forward(width).process(&mut values);
    let mut values = transposed(&values, height, width);
    planner.plan_fft_forward(height).process(&mut values);
    values
}

fn transposed(values: &[Complex32], rows: usize, columns: usize) -> Vec<Complex32> {
    let mut turned = vec![Complex32::default(); values.len()];
    for (y, row) in values.chunks_exact(columns).enumerate() {
        row.iter().enumerate().for_each(|(x, value)| turned[x * rows + y] = *value);
    }
    turned
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
                put_back(&mut result, &waves(low, narrow, 0.0));
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
        put_back(&mut result, &input);
        put_back(&mut result, &input);
        for (value, before) in result.data().iter().zip(before.data()) {
            assert!((value - before).abs() < 2e-5);
        }
    }
}
