//! Pixels as they are stored.

use super::series::{Sample, Series};
use crate::error::{Error, Result};

/// Fewer steps of stored values than this between the darkest and the brightest lose what a volume shows.
const FEWEST_STEPS: f64 = 64.0;

/// Whether values from `low` to `high`, which mean what rescaled pixels do, can be stored as those of `series`.
///
/// # Errors
/// `InvalidOption` where they are too large, or too close together.
pub fn check_storable(series: &Series, (low, high): (f64, f64)) -> Result<()> {
    let (slope, intercept) = series.frames[0].scaling;
    let (a, b) = ((low - intercept) / slope, (high - intercept) / slope);
    let (least, most) = series.sample.range();
    let wrong = |what: String| Err(Error::invalid_option(what));
    if a.min(b) < least as f64 - 0.5 || a.max(b) > most as f64 + 0.5 {
        return wrong(format!(
            "voxels are {low} to {high}, which do not fit the {} bits of the series that --like names: expected {} to {}",
            series.sample.stored,
            least as f64 * slope + intercept,
            most as f64 * slope + intercept
        ));
    }
    let steps = (a - b).abs();
    if steps > 0.0 && steps < FEWEST_STEPS {
        return wrong(format!(
            "voxels are {low} to {high}, which is {steps:.1} steps of the whole numbers of the series that --like names, too \
             few to tell them apart: expected at least {FEWEST_STEPS}"
        ));
    }
    Ok(())
}

impl Sample {
    /// The smallest and the largest value that fits into the stored bits.
    pub fn range(self) -> (i64, i64) {
        let bits = self.stored.clamp(1, 32);
        if self.signed { (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) } else { (0, (1 << bits) - 1) }
    }

    /// Appends `value` to `bytes` in little-endian order, its highest bit being `high`.
    pub fn push(self, value: i64, high: u16, bytes: &mut Vec<u8>) {
        // Usually 0: the value is at the low end, and its sign reaches up to the allocated bits.
        let shift = (high + 1).saturating_sub(self.stored);
        let length = usize::from(self.allocated.div_ceil(8)).min(8);
        bytes.extend_from_slice(&(value << shift).to_le_bytes()[..length]);
    }

    /// `value` rounded, ties to even, and limited to what can be stored.
    pub fn nearest(self, value: f64) -> i64 {
        let (least, most) = self.range();
        // A cast limits values, and makes 0 of NaN.
        (value.round_ties_even() as i64).clamp(least, most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_saturate_to_the_stored_bits() {
        let sample = |allocated, stored, signed| Sample { allocated, stored, signed };
        let twelve = sample(16, 12, false);
        assert_eq!(
            [-3.0, 4095.4, 4096.0, 1e9, 2.5].map(|value| twelve.nearest(value)),
            [0, 4095, 4095, 4095, 2]
        );
        let signed = sample(16, 12, true);
        assert_eq!([-3.4, 2047.6, -1e9, f64::NAN].map(|value| signed.nearest(value)), [-3, 2047, -2048, 0]);
        assert_eq!(sample(32, 32, true).range(), (i32::MIN.into(), i32::MAX.into()));
        assert_eq!(sample(8, 8, false).nearest(300.0), 255);
    }

    #[test]
    fn bits_lie_where_the_highest_one_is() {
        let bytes = |sample: Sample, value, high| {
            let mut bytes = Vec::new();
            sample.push(value, high, &mut bytes);
            bytes
        };
        let signed = Sample { allocated: 16, stored: 12, signed: true };
        assert_eq!(bytes(signed, -2, 11), [0xfe, 0xff]);
        assert_eq!(bytes(Sample { signed: false, ..signed }, 0xabc, 15), [0xc0, 0xab]);
        assert_eq!(bytes(Sample { allocated: 8, stored: 8, signed: false }, 200, 7), [200]);
    }
}
