//! Intensities: what a volume holds, the window in which the network sees it, and what of a slice lies outside.

use super::histogram::Histogram;
use super::source::Source;
use crate::error::{Error, ErrorKind, Result};
use crate::image::{Raster, add_outside, take_outside};
use crate::progress::CancelToken;

/// Percentiles between which the window lies: a few hot or dark voxels do not decide what the rest looks like.
const WINDOW: (f64, f64) = (0.1, 99.9);

/// A contrast of which the network makes nothing: the limit of the output guard.
const FLAT: f32 = 0.02;

/// Voxels read at once.
const BLOCK: usize = 1 << 16;

/// Voxels by which values are carried into a hole of NaN: in practice farther than networks see.
const FILLED: usize = 8;

/// Statistics of all voxels, from a first pass, in stored values.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// All finite values.
    pub histogram: Histogram,
    /// Their number.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// The smallest and the largest.
    pub range: (f64, f64),
    /// Voxels that are NaN.
    pub nan: u64,
    /// The largest value at each index along i, j and k, of all time points; minus infinity where all are NaN.
    pub most: [Vec<f64>; 3],
    /// What is worth a warning about the file.
    pub warning: Option<String>,
}

impl Survey {
    /// Reads all voxels of `source`, and verifies them.
    ///
    /// # Errors
    /// `Input` where they cannot be read, are damaged, infinite, or all NaN; `Cancelled`.
    pub fn of(source: &Source, cancel: &CancelToken) -> Result<Self> {
        let most = std::array::from_fn(|axis| vec![f64::NEG_INFINITY; source.shape()[axis]]);
        let mut survey = Self { range: (f64::INFINITY, f64::NEG_INFINITY), most, ..Self::default() };
        let mut indices = [0; 3];
        let mut data = source.data()?;
        let total: u64 = source.shape().iter().map(|side| *side as u64).product();
        let mut buffer = vec![0; BLOCK * source.datatype().bytes()];
        let mut done = 0;
        while done < total {
            cancel.check()?;
            let voxels = (total - done).min(BLOCK as u64);
            let bytes = &mut buffer[..voxels as usize * source.datatype().bytes()];
            data.fill(bytes)?;
            let (mut at, mut infinite) = (done, None);
            source.datatype().decode(source.header().order(), bytes, |value| {
                if value.is_finite() {
                    survey.histogram.add(value);
                    survey.count += 1;
                    survey.sum += value;
                    survey.range = (survey.range.0.min(value), survey.range.1.max(value));
                    for (most, at) in survey.most.iter_mut().zip(indices) {
                        most[at] = most[at].max(value);
                    }
                } else if value.is_nan() {
                    survey.nan += 1;
                } else {
                    infinite = infinite.or(Some(at));
                }
                at += 1;
                advance(&mut indices, source.shape());
            });
            if let Some(at) = infinite {
                return Err(wrong(format!(
                    "voxel {} is infinite: expected numbers or NaN",
                    place(at, source.shape())
                )));
            }
            done += voxels;
        }
        survey.warning = data.finish()?;
        if survey.count == 0 {
            return Err(wrong("all voxels are NaN: expected numbers"));
        }
        Ok(survey)
    }

    /// The mean of all finite values.
    pub fn mean(&self) -> f64 {
        self.sum / self.count as f64
    }
}

/// The values that are black and white for the network. Values outside are not clipped, but enlarged apart and added.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// The value that is black.
    pub low: f64,
    /// The value that is white.
    pub high: f64,
}

impl Window {
    /// The window of a whole file, whatever its number of volumes.
    pub fn of(survey: &Survey) -> Self {
        let (low, high) = (survey.histogram.percentile(WINDOW.0), survey.histogram.percentile(WINDOW.1));
        if high > low {
            return Self { low, high };
        }
        // Nearly all voxels are the same.
        let (low, high) = survey.range;
        Self { low, high: if high > low { high } else { low + 1.0 } }
    }

    /// Whether a stored value is (nearly) black.
    pub fn is_air(&self, value: f64) -> bool {
        value <= self.restored(f64::from(FLAT))
    }

    /// A stored value in the network's units.
    pub fn normalized(&self, value: f64) -> f32 {
        ((value - self.low) / (self.high - self.low)) as f32
    }

    /// The stored value of one in the network's units.
    pub fn restored(&self, value: f64) -> f64 {
        self.low + value * (self.high - self.low)
    }
}

/// A slice in the network's units, split into the part for the network and the rest.
#[derive(Clone, Debug)]
pub struct Slice {
    /// Clamped to black and white, for the network; without holes.
    pub inside: Raster,
    /// What clamping took away, if anything.
    outside: Option<Raster>,
    /// Where voxels are NaN, if any are.
    holes: Option<Vec<bool>>,
}

impl Slice {
    /// From values in the network's units, row by row.
    pub fn new(mut values: Vec<f32>, height: usize, width: usize) -> Self {
        let holes = values.iter().any(|value| value.is_nan()).then(|| {
            let holes: Vec<bool> = values.iter().map(|value| value.is_nan()).collect();
            fill(&mut values, width);
            holes
        });
        let mut inside = Raster::from_vec(1, height, width, values);
        let outside = take_outside(&mut inside, 0.0);
        Self { inside, outside, holes }
    }

    /// Adds what lies outside the window to the enlarged inside.
    pub fn add_outside(&self, enlarged: &mut Raster) {
        if let Some(outside) = &self.outside {
            add_outside(outside, (enlarged.height(), enlarged.width()), 0, enlarged);
        }
    }

    /// Inside and outside together, holes filled.
    pub fn whole(&self) -> Raster {
        let mut whole = self.inside.clone();
        self.add_outside(&mut whole);
        whole
    }

    /// Puts holes back: voxels whose centre lies in one.
    pub fn cut_holes(&self, enlarged: &mut Raster) {
        let Some(holes) = &self.holes else { return };
        let (height, width) = (self.inside.height(), self.inside.width());
        let (new_height, new_width) = (enlarged.height(), enlarged.width());
        for y in 0..new_height {
            let from = (2 * y + 1) * height / (2 * new_height) * width;
            for (x, value) in enlarged.row_mut(0, y).iter_mut().enumerate() {
                if holes[from + (2 * x + 1) * width / (2 * new_width)] {
                    *value = f32::NAN;
                }
            }
        }
    }

    /// The values of the slice; `None` in holes.
    pub fn values(&self) -> impl Iterator<Item = Option<f32>> {
        self.inside.data().iter().enumerate().map(|(at, inside)| {
            let is_hole = self.holes.as_ref().is_some_and(|holes| holes[at]);
            (!is_hole).then(|| inside + self.outside.as_ref().map_or(0.0, |outside| outside.data()[at]))
        })
    }
}

/// Whether `inside` has so little contrast that the network would add nothing.
pub fn is_flat(inside: &Raster) -> bool {
    let (low, high) = inside.range();
    high - low <= FLAT
}

/// Fills holes from their edges inwards with the mean of known neighbours; far inside, with black.
fn fill(values: &mut [f32], width: usize) {
    let height = values.len() / width;
    for _ in 0..FILLED {
        let known = values.to_vec();
        for y in 0..height {
            for x in 0..width {
                if !known[y * width + x].is_nan() {
                    continue;
                }
                let (mut sum, mut count) = (0.0, 0.0);
                for near in y.saturating_sub(1)..height.min(y + 2) {
                    for value in &known[near * width + x.saturating_sub(1)..near * width + width.min(x + 2)] {
                        if !value.is_nan() {
                            (sum, count) = (sum + value, count + 1.0);
                        }
                    }
                }
                if count > 0.0 {
                    values[y * width + x] = sum / count;
                }
            }
        }
    }
    values.iter_mut().filter(|value| value.is_nan()).for_each(|value| *value = 0.0);
}

/// Goes on to the next voxel of the file.
fn advance(indices: &mut [usize; 3], shape: [usize; 4]) {
    for (at, side) in indices.iter_mut().zip(shape) {
        *at += 1;
        if *at < side {
            return;
        }
        *at = 0;
    }
}

/// A voxel by its indices, from its number in the file.
fn place(mut at: u64, shape: [usize; 4]) -> String {
    let indices = shape.map(|side| {
        let index = at % side as u64;
        at /= side as u64;
        index.to_string()
    });
    format!("({})", indices.join(", "))
}

fn wrong(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Input, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn survey(values: impl IntoIterator<Item = f64>) -> Survey {
        let mut survey = Survey { range: (f64::INFINITY, f64::NEG_INFINITY), ..Survey::default() };
        for value in values {
            survey.histogram.add(value);
            survey.range = (survey.range.0.min(value), survey.range.1.max(value));
        }
        survey
    }

    #[test]
    fn the_window_is_robust_and_exactly_undone() {
        let window = Window::of(&survey((0..10_000).map(|i| f64::from(i % 500)).chain([60_000.0])));
        assert_eq!((window.low, window.high), (0.0, 499.0));
        for value in [-300.0, 0.0, 17.0, 60_000.0] {
            assert!((window.restored(window.normalized(value).into()) - value).abs() < 1e-6 * 60_000.0);
        }
        let sparse = Window::of(&survey((0..10_000).map(|i| f64::from(i == 3))));
        assert_eq!((sparse.low, sparse.high), (0.0, 1.0));
        let constant = Window::of(&survey([5.0; 9]));
        assert_eq!((constant.low, constant.high), (5.0, 6.0));
    }

    #[test]
    fn what_lies_outside_is_carried() {
        let slice = Slice::new(vec![0.5, 3.0, -1.0, 1.0], 2, 2);
        assert_eq!(slice.inside.data(), [0.5, 1.0, 0.0, 1.0]);
        let mut same = slice.inside.clone();
        slice.add_outside(&mut same);
        assert_eq!(same.data(), [0.5, 3.0, -1.0, 1.0]);
        assert!(slice.values().eq([0.5, 3.0, -1.0, 1.0].map(Some)));
    }

    #[test]
    fn holes_stay_where_they_are() {
        let slice = Slice::new(vec![0.5, 0.5, f32::NAN, 0.7], 2, 2);
        assert!(slice.inside.data().iter().all(|value| (0.5..=0.7).contains(value)));
        let mut enlarged = Raster::from_vec(1, 4, 6, vec![0.5; 24]);
        slice.cut_holes(&mut enlarged);
        for y in 0..4 {
            for x in 0..6 {
                assert_eq!(enlarged.row(0, y)[x].is_nan(), y >= 2 && x < 3, "{x} {y}");
            }
        }
        assert_eq!(slice.values().filter(Option::is_none).count(), 1);
    }

    #[test]
    fn voxels_are_named_by_their_indices() {
        assert_eq!(place(3 + 5 * (2 + 7 * (1 + 4 * 6)), [5, 7, 4, 9]), "(3, 2, 1, 6)");
    }
}
