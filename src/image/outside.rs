//! What of an image lies below black or above white. Models have never seen such values, and answer them with a coloured
//! pattern: they are interpolated beside the model, and added to its result.

use super::Raster;
use super::resample::{Kernel, Resampler};

/// Rows that are enlarged at a time.
const ROWS: usize = 64;

/// Brings `raster` into 0..1, and returns what that takes from it, if any value is farther outside than `rounding`.
pub(crate) fn take_outside(raster: &mut Raster, rounding: f32) -> Option<Raster> {
    if raster.data().iter().all(|value| (0.0..=1.0).contains(value)) {
        return None;
    }
    let (low, high) = raster.range();
    let within = |value: f32| value.clamp(0.0, 1.0);
    let outside = (low < -rounding || high > 1.0 + rounding).then(|| {
        let mut outside = raster.clone();
        outside.data_mut().iter_mut().for_each(|value| *value -= within(*value));
        outside
    });
    raster.data_mut().iter_mut().for_each(|value| *value = within(*value));
    outside
}

/// Adds the rows from `top` on of `outside`, enlarged to `size` (height, width), to `raster`, which has these rows.
pub(crate) fn add_outside(outside: &Raster, size: (usize, usize), top: usize, raster: &mut Raster) {
    // A kernel with lobes overshoots: it would take colours out of the gamut that are in it, and put dark rims around
    // bright vessels.
    let resampler = Resampler::new(Kernel::Linear, (outside.height(), outside.width()), size);
    let (height, width) = (raster.height(), raster.width());
    for start in (0..height).step_by(ROWS) {
        let rows = start..(start + ROWS).min(height);
        let part = resampler.resample_region(outside, top + rows.start..top + rows.end, 0..width);
        for channel in 0..raster.channels() {
            let here = &mut raster.plane_mut(channel)[rows.start * width..rows.end * width];
            here.iter_mut().zip(part.plane(channel)).for_each(|(value, more)| *value += more);
        }
    }
}
