//! How well a result agrees with what it was made from, and making it agree.

use rayon::prelude::*;
use serde::Serialize;

use super::projection::{self, Projection};
use crate::error::Result;
use crate::image::{Kernel, Raster, Resampler, RowResampler};

/// The error, in levels of 255, below which a result counts as consistent.
pub(super) const CONSISTENT: f64 = 1.0;

/// How far a result, shrunk with the model's kernel, is from its input: in the model's sRGB-coded values, in levels
/// of 255, for values held within 0 to 1 (or the input's own range) as in a file, before rounding. A result of another
/// size than the model's is compared before it is resampled to that size.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fidelity {
    /// The largest difference of any sample.
    pub max_error: f64,
    /// The mean of all absolute differences.
    pub mean_error: f64,
    /// The mean difference of each channel, result less input.
    pub drift: Vec<f64>,
    /// The share of samples, 0 to 1, that are off by a level or more.
    pub off: f64,
    /// Rounds of back-projection that were done.
    pub rounds: usize,
}

/// An input, to be compared with results of one size.
pub(crate) struct Comparison<'a> {
    pub(super) input: &'a Raster,
    pub(super) range: (f32, f32),
    pub(super) shrink: Resampler,
    pub(super) enlarge: Resampler,
}

impl<'a> Comparison<'a> {
    /// Compares `input` with results of `size` (height, width) through `kernel`.
    pub(crate) fn new(input: &'a Raster, size: (usize, usize), kernel: Kernel) -> Self {
        let range = input.data().iter().fold((0.0f32, 1.0f32), |(low, high), &v| (low.min(v), high.max(v)));
        let own = (input.height(), input.width());
        let shrink = Resampler::new(kernel, size, own).within(range.0, range.1);
        Self { input, range, shrink, enlarge: Resampler::new(kernel, own, size) }
    }

    /// Adds to `result` what it lacks, until no sample is off by a level or `rounds` are done (after Irani and Peleg,
    /// Improving resolution by image registration, 1991). Any round works on the whole image, so that no cut of the
    /// work shows. With a round done, `result` lies within 0 to 1 or the input's own range.
    ///
    /// # Errors
    /// What `check` returns between rounds.
    pub(crate) fn project(
        &self,
        result: &mut Raster,
        rounds: usize,
        check: impl Fn() -> Result<()>,
    ) -> Result<Fidelity> {
        let mut done = 0;
        if rounds > 0 {
            let correction;
            (done, correction) = Projection::new(self, result).run(rounds, check)?;
            if done > 0 {
                projection::apply(self, &correction, result);
            }
        }
        Ok(Fidelity { rounds: done, ..judge(&self.lacking(result)) })
    }

    /// The input less the shrunk result.
    fn lacking(&self, result: &Raster) -> Raster {
        let mut shrunk = self.shrink.resample(result);
        shrunk
            .data_mut()
            .par_iter_mut()
            .zip(self.input.data())
            .for_each(|(value, input)| *value = input - *value);
        shrunk
    }
}

/// The figures of a difference, input less result.
fn judge(lacking: &Raster) -> Fidelity {
    let mut figures = Figures::new(lacking.channels());
    figures.add(lacking);
    figures.fidelity()
}

/// Figures of a difference that comes in strips.
struct Figures {
    largest: f32,
    /// Sums of absolute differences and of differences, per channel.
    sums: Vec<(f64, f64)>,
    /// Samples that are off by a level or more.
    off: usize,
    /// Samples of a channel.
    count: usize,
}

impl Figures {
    fn new(channels: usize) -> Self {
        Self { largest: 0.0, sums: vec![(0.0, 0.0); channels], off: 0, count: 0 }
    }

    fn add(&mut self, lacking: &Raster) {
        self.count += lacking.height() * lacking.width();
        for (channel, (absolute, sum)) in self.sums.iter_mut().enumerate() {
            let plane = lacking.plane(channel);
            self.largest = plane.iter().fold(self.largest, |most, value| most.max(value.abs()));
            self.off += plane.iter().filter(|value| 255.0 * f64::from(value.abs()) >= CONSISTENT).count();
            *absolute = plane.iter().fold(*absolute, |sum, value| sum + f64::from(value.abs()));
            *sum = plane.iter().fold(*sum, |sum, &value| sum + f64::from(value));
        }
    }

    fn fidelity(&self) -> Fidelity {
        let count = self.count.max(1) as f64;
        let absolute: f64 = self.sums.iter().map(|(absolute, _)| absolute).sum();
        let samples = count * self.sums.len().max(1) as f64;
        Fidelity {
            max_error: 255.0 * f64::from(self.largest),
            mean_error: 255.0 * absolute / samples,
            drift: self.sums.iter().map(|(_, sum)| -255.0 * (sum / count)).collect(),
            off: self.off as f64 / samples,
            rounds: 0,
        }
    }
}

/// A comparison with a result that comes in strips and is not changed.
pub(crate) struct RowComparison<'a> {
    input: &'a Raster,
    shrink: RowResampler,
    figures: Figures,
}

impl<'a> RowComparison<'a> {
    /// As [`Comparison::new`].
    pub(crate) fn new(input: &'a Raster, size: (usize, usize), kernel: Kernel) -> Self {
        let Comparison { shrink, .. } = Comparison::new(input, size, kernel);
        let shrink = RowResampler::new(shrink, input.channels());
        Self { input, shrink, figures: Figures::new(input.channels()) }
    }

    /// Compares the next rows.
    pub(crate) fn push(&mut self, rows: Raster) {
        let Some((top, mut lacking)) = self.shrink.push(rows) else { return };
        for channel in 0..lacking.channels() {
            for y in 0..lacking.height() {
                let input = self.input.row(channel, top + y);
                let row = lacking.row_mut(channel, y);
                row.iter_mut().zip(input).for_each(|(value, input)| *value = input - *value);
            }
        }
        self.figures.add(&lacking);
    }

    /// The figures of all rows.
    pub(crate) fn fidelity(&self) -> Fidelity {
        self.figures.fidelity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::resize;

    fn wave(height: usize, width: usize) -> Raster {
        let sample =
            |i: usize| 0.5 + 0.45 * ((i % width) as f32 * 0.7).sin() * ((i / width) as f32 * 0.4).cos();
        Raster::from_vec(1, height, width, (0..height * width).map(sample).collect())
    }

    #[test]
    fn errors_and_drift_are_measured_in_levels() {
        let input = wave(20, 30);
        let mut result = resize(&input, 80, 120, Kernel::Box);
        let comparison = Comparison::new(&input, (80, 120), Kernel::Box);
        let exact = comparison.project(&mut result, 0, || Ok(())).unwrap();
        assert!(exact.max_error < 1e-3, "{exact:?}");
        result.data_mut().iter_mut().for_each(|value| *value += 0.01);
        let off = comparison.project(&mut result, 0, || Ok(())).unwrap();
        assert!((off.mean_error - 2.55).abs() < 0.01 && (off.drift[0] - 2.55).abs() < 0.01, "{off:?}");
        // Beyond white nothing is stored, so nothing is compared.
        result.data_mut().fill(7.0);
        let white = comparison.project(&mut result, 0, || Ok(())).unwrap();
        assert!(white.max_error < 255.0, "{white:?}");
    }

    #[test]
    fn strips_measure_what_the_whole_measures() {
        let input = wave(23, 31);
        let mut result = resize(&input, 92, 124, Kernel::Linear);
        let whole =
            Comparison::new(&input, (92, 124), Kernel::BICUBIC).project(&mut result, 0, || Ok(())).unwrap();
        let mut strips = RowComparison::new(&input, (92, 124), Kernel::BICUBIC);
        for top in (0..92).step_by(15) {
            strips.push(result.crop(top..92.min(top + 15), 0..124));
        }
        assert_eq!(strips.fidelity(), whole);
    }

    #[test]
    fn rounds_bring_the_result_to_its_input_and_end_there() {
        let input = wave(23, 31);
        let mut result = resize(&input, 92, 124, Kernel::Linear);
        let comparison = Comparison::new(&input, (92, 124), Kernel::BICUBIC);
        let before = comparison.project(&mut result, 0, || Ok(())).unwrap();
        let after = comparison.project(&mut result, 50, || Ok(())).unwrap();
        assert!(before.max_error > 5.0 && after.max_error < 1.0, "{before:?} {after:?}");
        assert!((1..50).contains(&after.rounds), "{after:?}");
        assert!(result.data().iter().all(|value| (0.0..=1.0).contains(value)));
        let settled = result.clone();
        assert_eq!(comparison.project(&mut result, 50, || Ok(())).unwrap().rounds, 0);
        assert_eq!(result, settled);
    }

    /// White and black shapes with edges anywhere between the input's pixels, with thin lines, 80x120.
    fn shapes() -> Raster {
        let (height, width) = (80, 120);
        let white = |i: usize| {
            let (x, y) = ((i % width) as f32, (i / width) as f32);
            let disc = (x - 47.3).hypot(y - 41.1) < 21.7;
            let lines = (x + 0.3 * y) as usize % 19 < 5;
            f32::from(u8::from(disc != lines))
        };
        Raster::from_vec(1, height, width, (0..height * width).map(white).collect())
    }

    #[test]
    fn what_black_and_white_can_give_is_reached_and_nothing_beyond() {
        // Shrunk from an image that a file can hold, so that one exists that shrinks to it.
        let input = resize(&shapes(), 20, 30, Kernel::BICUBIC);
        let comparison = Comparison {
            range: (0.0, 1.0),
            shrink: Resampler::new(Kernel::BICUBIC, (80, 120), (20, 30)),
            ..Comparison::new(&input, (80, 120), Kernel::BICUBIC)
        };
        let mut result = resize(&input, 80, 120, Kernel::Linear);
        let before = comparison.project(&mut result, 0, || Ok(())).unwrap();
        assert!(before.max_error > 20.0 && before.off > 0.5, "{before:?}");
        let after = comparison.project(&mut result, 400, || Ok(())).unwrap();
        assert!(after.max_error < 1.0 && after.off == 0.0, "{after:?}");
        assert!(result.data().iter().all(|value| (0.0..=1.0).contains(value)));
    }

    #[test]
    fn what_black_and_white_cannot_give_is_told() {
        // Single white pixels need darker than black around them.
        let board = (0..24 * 24).map(|i| f32::from(u8::from((i + i / 24) % 2 == 0))).collect();
        let input = Raster::from_vec(1, 24, 24, board);
        let mut result = resize(&input, 96, 96, Kernel::Linear);
        let comparison = Comparison::new(&input, (96, 96), Kernel::BICUBIC);
        let before = comparison.project(&mut result, 0, || Ok(())).unwrap();
        let after = comparison.project(&mut result, 100, || Ok(())).unwrap();
        assert!(after.off > 0.5 && after.max_error > 1.0 && after.rounds == 100, "{after:?}");
        assert!(after.mean_error < 0.7 * before.mean_error, "{before:?} {after:?}");
    }

    #[test]
    fn what_agrees_stays_as_it_is() {
        let input = wave(70, 150);
        let mut result = resize(&input, 280, 600, Kernel::BICUBIC);
        let comparison = Comparison::new(&input, (280, 600), Kernel::BICUBIC);
        comparison.project(&mut result, 50, || Ok(())).unwrap();
        // A spot in the upper left that has gone wrong.
        let good = result.clone();
        for y in 20..30 {
            result.row_mut(0, y)[40..50].fill(0.9);
        }
        let mended = comparison.project(&mut result, 50, || Ok(())).unwrap();
        assert!(mended.max_error < 1.0 && mended.rounds > 0, "{mended:?}");
        for y in 0..280 {
            let from = if y < 170 { 300 } else { 0 };
            assert_eq!(result.row(0, y)[from..], good.row(0, y)[from..], "{y}");
        }
    }

    #[test]
    fn an_image_beyond_black_and_white_keeps_its_range() {
        let mut input = wave(12, 12);
        input.data_mut().iter_mut().for_each(|value| *value = *value * 3.0 - 1.0);
        let mut result = resize(&input, 48, 48, Kernel::Linear);
        let comparison = Comparison::new(&input, (48, 48), Kernel::BICUBIC);
        comparison.project(&mut result, 5, || Ok(())).unwrap();
        assert!(result.data().iter().any(|&value| value > 1.2));
    }
}
