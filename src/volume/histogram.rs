//! Percentiles of any number of values in fixed memory.

/// Bits of a float32 that tell bins apart: sign, exponent and 11 of the mantissa, so that a bin is at most 1/2048 wide.
const BITS: u32 = 20;
const SHIFT: u32 = 32 - BITS;

/// Counts of values in bins of equal relative width; each whole number up to 4096 has its own bin.
#[derive(Clone, Debug)]
pub struct Histogram {
    bins: Vec<u64>,
    count: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { bins: vec![0; 1 << BITS], count: 0 }
    }
}

impl Histogram {
    /// Counts a value that is not NaN.
    pub fn add(&mut self, value: f64) {
        // Adding 0 makes -0 one with 0.
        let bits = (value.clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32 + 0.0).to_bits();
        let ordered = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
        self.bins[(ordered >> SHIFT) as usize] += 1;
        self.count += 1;
    }

    /// The value below or at which `percent` of the values lie; 0 where there are none.
    pub fn percentile(&self, percent: f64) -> f64 {
        let wanted = ((self.count as f64 * percent / 100.0).ceil() as u64).max(1);
        let mut below = 0;
        let bin = self.bins.iter().position(|count| {
            below += count;
            below >= wanted
        });
        bin.map_or(0.0, end_nearer_zero)
    }
}

fn end_nearer_zero(bin: usize) -> f64 {
    let ordered = (bin as u32) << SHIFT;
    let bits = if ordered >> 31 == 1 { ordered & !(1 << 31) } else { !(ordered | ((1 << SHIFT) - 1)) };
    f64::from(f32::from_bits(bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_sorted_values() {
        let mut histogram = Histogram::default();
        (-500..=500).rev().for_each(|value| histogram.add(f64::from(value)));
        assert_eq!([0.0, 50.0, 100.0].map(|percent| histogram.percentile(percent)), [-500.0, 0.0, 500.0]);
        assert_eq!(histogram.percentile(99.9), 499.0);
        let mut small = Histogram::default();
        [1e-9, 3.3e-7, 1e9].iter().for_each(|value| small.add(*value));
        assert!((small.percentile(50.0) / 3.3e-7 - 1.0).abs() < 1e-3);
        assert_eq!(Histogram::default().percentile(50.0), 0.0);
    }
}
