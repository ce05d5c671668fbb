//! The output guard: no broken tile is passed off as an image.

use crate::error::{Error, ErrorKind, Result};
use crate::image::Raster;
use crate::tiling::Area;

/// Largest shift between the mean of a tile and of the image below it, as a share of black to white.
const MAX_DRIFT: f64 = 0.1;

/// Below this range (black to white being 1) a tile of the input counts as flat, and a flat result is right.
const FLAT: f32 = 0.02;

/// What is wrong with a tile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    NotFinite,
    Constant,
    Drifted(f64),
}

impl Fault {
    pub(crate) fn error(self, tile: &Area) -> Error {
        let what = match self {
            Self::NotFinite => "not a number".to_owned(),
            Self::Constant => "one constant value".to_owned(),
            Self::Drifted(by) => format!("{:.0} % brighter or darker than the input", by * 100.0),
        };
        Error::new(
            ErrorKind::Quality,
            format!(
                "the model's output is {what} for input rows {} to {}, columns {} to {}; a second run did not help",
                tile.rows.start, tile.rows.end, tile.columns.start, tile.columns.end,
            ),
        )
    }
}

/// Judges the raw network output for a tile of `lr` (the input below it, in the bundle's value range).
pub(crate) fn check_output(output: &Raster, lr: &Raster, white_to_black: f32) -> Result<(), Fault> {
    if !is_finite(output.data()) {
        return Err(Fault::NotFinite);
    }
    let structured = (0..lr.channels()).any(|channel| {
        let (low, high) = range(lr.plane(channel));
        high - low > FLAT * white_to_black
    });
    let (low, high) = range(output.data());
    if structured && low == high { Err(Fault::Constant) } else { Ok(()) }
}

/// Samples that are looked at side by side, in vector registers.
const LANES: usize = 16;

fn is_finite(samples: &[f32]) -> bool {
    // Zero times a number is zero, and NaN times anything else.
    let (blocks, rest) = samples.as_chunks::<LANES>();
    let mut sums = [0.0f32; LANES];
    for block in blocks {
        sums.iter_mut().zip(block).for_each(|(sum, value)| *sum += value * 0.0);
    }
    sums.iter().chain(rest).all(|value| value.is_finite())
}

/// The smallest and the largest of finite samples.
fn range(samples: &[f32]) -> (f32, f32) {
    let (blocks, rest) = samples.as_chunks::<LANES>();
    let (mut low, mut high) = ([f32::INFINITY; LANES], [f32::NEG_INFINITY; LANES]);
    for block in blocks {
        low.iter_mut().zip(block).for_each(|(low, &value)| *low = if value < *low { value } else { *low });
        high.iter_mut()
            .zip(block)
            .for_each(|(high, &value)| *high = if value > *high { value } else { *high });
    }
    let least = low.iter().chain(rest).fold(f32::INFINITY, |low, &value| low.min(value));
    (least, high.iter().chain(rest).fold(f32::NEG_INFINITY, |high, &value| high.max(value)))
}

/// Judges the mean shift `drift` of each channel of a finished tile, in units of the value range.
pub(crate) fn check_drift(drift: impl IntoIterator<Item = f64>) -> Result<(), Fault> {
    match drift.into_iter().find(|drift| drift.abs() > MAX_DRIFT) {
        Some(drift) => Err(Fault::Drifted(drift.abs())),
        None => Ok(()),
    }
}

/// Mean of samples.
pub(crate) fn mean(samples: impl ExactSizeIterator<Item = f32>) -> f64 {
    let count = samples.len().max(1);
    samples.map(f64::from).sum::<f64>() / count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_is_told_apart() {
        let textured = Raster::from_vec(1, 1, 4, vec![0.0, 0.5, 1.0, 0.2]);
        let flat = Raster::from_vec(1, 1, 4, vec![0.5; 4]);
        let constant = Raster::from_vec(1, 1, 4, vec![0.1; 4]);
        assert_eq!(check_output(&textured, &textured, 1.0), Ok(()));
        assert_eq!(check_output(&constant, &flat, 1.0), Ok(()));
        assert_eq!(check_output(&constant, &textured, 1.0), Err(Fault::Constant));
        for length in [1, 16, 37] {
            let samples: Vec<f32> = (0..length).map(|i| (i * 7 % length) as f32 - 3.0).collect();
            assert_eq!(range(&samples), (-3.0, length as f32 - 4.0));
            for place in 0..length {
                let mut broken = samples.clone();
                broken[place] = f32::NAN;
                assert!(is_finite(&samples) && !is_finite(&broken), "{place} of {length}");
            }
        }
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let broken = Raster::from_vec(1, 1, 4, vec![0.1, bad, 0.3, 0.2]);
            assert_eq!(check_output(&broken, &textured, 1.0), Err(Fault::NotFinite));
        }
        assert_eq!(check_drift([0.01, -0.05]), Ok(()));
        assert_eq!(check_drift([0.01, -0.3]), Err(Fault::Drifted(0.3)));
    }
}
