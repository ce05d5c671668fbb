//! Separable resampling of planar images: half-pixel grid, antialiased when shrinking.

mod axis;
mod kernel;
mod rows;

use std::ops::Range;

use rayon::prelude::*;

use self::axis::Axis;
use super::Raster;
pub use kernel::Kernel;
pub(crate) use rows::RowResampler;

/// Rows filtered side by side; one vector register or two on every target.
const LANES: usize = 8;

/// Output rows of one parallel task.
const BLOCK: usize = 32;

/// Precomputed weights from one image size to another.
///
/// Every output sample depends on its position alone, so any rectangle can be had by itself, bit for bit the
/// same as in the whole result.
#[derive(Clone, Debug)]
pub struct Resampler {
    vertical: Axis,
    horizontal: Axis,
    within: (f32, f32),
}

impl Resampler {
    /// Weights from `input` to `output`, both (height, width) in pixels.
    ///
    /// # Panics
    /// If a side is 0.
    pub fn new(kernel: Kernel, input: (usize, usize), output: (usize, usize)) -> Self {
        assert!(
            input.0 > 0 && input.1 > 0 && output.0 > 0 && output.1 > 0,
            "cannot resample {input:?} to {output:?}: a side is 0"
        );
        Self {
            vertical: Axis::new(kernel, input.0, output.0),
            horizontal: Axis::new(kernel, input.1, output.1),
            within: (f32::NEG_INFINITY, f32::INFINITY),
        }
    }

    /// Takes every source sample as if it were held within `low` and `high`.
    #[must_use]
    pub fn within(self, low: f32, high: f32) -> Self {
        Self { within: (low, high), ..self }
    }

    /// Size of the result, (height, width).
    pub fn output_size(&self) -> (usize, usize) {
        (self.vertical.output(), self.horizontal.output())
    }

    /// The source rows that output rows `y` read.
    pub fn source_rows(&self, y: Range<usize>) -> Range<usize> {
        self.vertical.source(&y)
    }

    /// The source columns that output columns `x` read.
    pub(crate) fn source_columns(&self, x: Range<usize>) -> Range<usize> {
        self.horizontal.source(&x)
    }

    /// The whole result; rows are shared out among threads.
    ///
    /// # Panics
    /// If `src` does not have the input size.
    pub fn resample(&self, src: &Raster) -> Raster {
        let (height, width) = self.output_size();
        let mut out = Raster::new(src.channels(), height, width);
        for channel in 0..src.channels() {
            out.plane_mut(channel).par_chunks_mut(BLOCK * width).enumerate().for_each(|(block, rows)| {
                let top = block * BLOCK;
                self.fill(src, channel, top..top + rows.len() / width, 0..width, rows);
            });
        }
        out
    }

    /// The rectangle `y` x `x` of the result, on the calling thread.
    ///
    /// # Panics
    /// If `src` does not have the input size, or the rectangle leaves the result.
    pub fn resample_region(&self, src: &Raster, y: Range<usize>, x: Range<usize>) -> Raster {
        let mut out = Raster::new(src.channels(), y.len(), x.len());
        for channel in 0..src.channels() {
            self.fill(src, channel, y.clone(), x.clone(), out.plane_mut(channel));
        }
        out
    }

    /// Writes the rectangle `y` x `x` of one plane of the result into `out`.
    ///
    /// # Panics
    /// As [`resample_region`](Self::resample_region), or if `out` is not of the rectangle's size.
    pub fn fill(&self, src: &Raster, channel: usize, y: Range<usize>, x: Range<usize>, out: &mut [f32]) {
        assert_eq!(
            (src.height(), src.width()),
            (self.vertical.input(), self.horizontal.input()),
            "the image does not have the resampler's input size"
        );
        self.fill_from(src, (0, 0), channel, y, x, out);
    }

    /// As [`fill`](Self::fill), where `src` holds of the source what lies from `origin` (row, column) on, as far as it is
    /// needed.
    pub(crate) fn fill_from(
        &self,
        src: &Raster,
        origin: (usize, usize),
        channel: usize,
        y: Range<usize>,
        x: Range<usize>,
        out: &mut [f32],
    ) {
        if y.is_empty() || x.is_empty() {
            return;
        }
        let width = x.len();
        assert_eq!(out.len(), y.len() * width, "the slice does not have the rectangle's size");
        // Columns first, on the source rows that the rectangle needs.
        let source_rows = self.vertical.source(&y);
        let mut filtered = vec![0.0; source_rows.len() * width];
        let mut lanes = Vec::new();
        let top = source_rows.start - origin.0;
        for (group, rows) in filtered.chunks_mut(LANES * width).enumerate() {
            self.filter_columns(src, (top + group * LANES, origin.1), channel, &x, &mut lanes, rows);
        }
        for (out_row, i) in out.chunks_exact_mut(width).zip(y) {
            let (start, weights) = self.vertical.taps(i);
            let first = (start - source_rows.start) * width;
            combine_rows(weights, &filtered[first..first + weights.len() * width], out_row);
        }
    }

    /// Filters up to `LANES` rows of `src` from `top` along x; its first column is the source's column `left`, and
    /// `lanes` is scratch space.
    fn filter_columns(
        &self,
        src: &Raster,
        (top, left): (usize, usize),
        channel: usize,
        x: &Range<usize>,
        lanes: &mut Vec<[f32; LANES]>,
        out: &mut [f32],
    ) {
        let width = x.len();
        let source = self.horizontal.source(x);
        let rows = out.len() / width;
        // Transposed, so that one weight serves a whole vector of rows.
        lanes.clear();
        lanes.resize(source.len(), [0.0; LANES]);
        for lane in 0..rows {
            let row = &src.row(channel, top + lane)[source.start - left..source.end - left];
            for (slot, &sample) in lanes.iter_mut().zip(row) {
                slot[lane] = sample.clamp(self.within.0, self.within.1);
            }
        }
        for (column, i) in x.clone().enumerate() {
            let (start, weights) = self.horizontal.taps(i);
            let taps = &lanes[start - source.start..][..weights.len()];
            let mut sum = [0.0f32; LANES];
            for (tap, &weight) in taps.iter().zip(weights) {
                for (total, &sample) in sum.iter_mut().zip(tap) {
                    *total += weight * sample;
                }
            }
            for (lane, &total) in sum[..rows].iter().enumerate() {
                out[lane * width + column] = total;
            }
        }
    }
}

/// `out` = sum of `weights[k]` times row k of `rows`, added in the order of k.
fn combine_rows(weights: &[f32], rows: &[f32], out: &mut [f32]) {
    let width = out.len();
    if let [w0, w1, w2, w3] = *weights {
        // Four taps (cubic enlargement) in one sweep, with the same order of additions as below.
        let (a, rest) = rows.split_at(width);
        let (b, rest) = rest.split_at(width);
        let (c, d) = rest.split_at(width);
        for ((((o, a), b), c), d) in out.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            *o = w0 * a + w1 * b + w2 * c + w3 * d;
        }
        return;
    }
    for (k, (&weight, row)) in weights.iter().zip(rows.chunks_exact(width)).enumerate() {
        if k == 0 {
            out.iter_mut().zip(row).for_each(|(o, sample)| *o = weight * sample);
        } else {
            out.iter_mut().zip(row).for_each(|(o, sample)| *o += weight * sample);
        }
    }
}

/// `src` resampled to `height` x `width` pixels.
///
/// # Panics
/// If a side of `src` or of the result is 0.
pub fn resize(src: &Raster, height: usize, width: usize, kernel: Kernel) -> Raster {
    if (src.height(), src.width()) == (height, width) {
        return src.clone();
    }
    Resampler::new(kernel, (src.height(), src.width()), (height, width)).resample(src)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Case {
        kernel: String,
        input: (usize, usize),
        output: (usize, usize),
        values: Vec<f32>,
    }

    /// The same integers as in `make_resample_reference.py`, one plane per `channel`.
    fn pattern(channels: usize, height: usize, width: usize) -> Raster {
        let mut data = Vec::new();
        for channel in 0..channels {
            for y in 0..height {
                for x in 0..width {
                    data.push(((y * y * 7 + x * 13 + x * y * 5 + channel * 29) % 101) as f32 / 101.0);
                }
            }
        }
        Raster::from_vec(channels, height, width, data)
    }

    #[test]
    fn equals_pillow() {
        let cases: Vec<Case> =
            serde_json::from_str(include_str!("../../../tests/reference/resample.json")).unwrap();
        assert!(cases.len() > 20);
        for case in cases {
            let kernel = match case.kernel.as_str() {
                "BICUBIC" => Kernel::BICUBIC,
                "LANCZOS" => Kernel::Lanczos3,
                "BILINEAR" => Kernel::Linear,
                "BOX" => Kernel::Box,
                other => panic!("no kernel {other}"),
            };
            let src = pattern(1, case.input.0, case.input.1);
            let out = resize(&src, case.output.0, case.output.1, kernel);
            let worst = out.data().iter().zip(&case.values).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert_eq!(out.data().len(), case.values.len());
            assert!(worst < 1e-6, "{} {:?} -> {:?}: off by {worst}", case.kernel, case.input, case.output);
        }
    }

    #[test]
    fn regions_are_bit_identical_to_the_whole() {
        let src = pattern(3, 23, 37);
        for kernel in [Kernel::BICUBIC, Kernel::Lanczos3, Kernel::Linear, Kernel::Box] {
            for size in [(92, 148), (11, 16), (23, 50), (100, 9), (1, 1)] {
                let resampler = Resampler::new(kernel, (23, 37), size);
                let whole = resampler.resample(&src);
                let rectangles = [
                    (0..size.0, 0..size.1),
                    (size.0 / 3..size.0, size.1 / 4..size.1 / 2),
                    (size.0 - 1..size.0, size.1 - 1..size.1),
                    (0..0, 0..size.1),
                ];
                for (y, x) in rectangles {
                    let part = resampler.resample_region(&src, y.clone(), x.clone());
                    assert_eq!((part.channels(), part.height(), part.width()), (3, y.len(), x.len()));
                    for channel in 0..3 {
                        for (row, i) in y.clone().enumerate() {
                            assert_eq!(part.row(channel, row), &whole.row(channel, i)[x.clone()]);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn constants_and_equal_sizes_are_kept() {
        let flat = Raster::from_vec(1, 5, 7, vec![0.3; 35]);
        for kernel in [Kernel::BICUBIC, Kernel::Cubic { a: -0.75 }, Kernel::Lanczos3, Kernel::Box] {
            let out = resize(&flat, 13, 3, kernel);
            assert!(out.data().iter().all(|v| (v - 0.3).abs() < 1e-6));
            let src = pattern(2, 9, 8);
            assert_eq!(resize(&src, 9, 8, kernel), src);
        }
    }

    #[test]
    fn source_rows_are_those_that_matter() {
        let resampler = Resampler::new(Kernel::BICUBIC, (40, 8), (160, 32));
        let rows = resampler.source_rows(40..60);
        assert_eq!(rows, 8..17);
        let mut src = pattern(1, 40, 8);
        let before = resampler.resample_region(&src, 40..60, 0..32);
        src.row_mut(0, rows.start - 1).fill(9.0);
        src.row_mut(0, rows.end).fill(9.0);
        assert_eq!(resampler.resample_region(&src, 40..60, 0..32), before);
    }
}
