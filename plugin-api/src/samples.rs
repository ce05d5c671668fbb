//! Stored samples: bytes of the host to values of 0 to 1 and back.

use half::f16;
use partdiff::image::Sample;

/// A sample in bytes that need not be aligned.
pub trait Stored: 'static {
    /// Bytes of a sample.
    const BYTES: usize;
    /// The value in the first [`Self::BYTES`] of `bytes`.
    fn load(bytes: &[u8]) -> f32;
    /// Stores `value` there; integers clip and round.
    fn store(value: f32, bytes: &mut [u8]);
}

macro_rules! stored {
    ($($type:ty: $to:expr, $from:expr;)+) => {$(
        impl Stored for $type {
            const BYTES: usize = size_of::<$type>();
            fn load(bytes: &[u8]) -> f32 {
                let mut raw = [0; Self::BYTES];
                raw.copy_from_slice(&bytes[..Self::BYTES]);
                $to(<$type>::from_ne_bytes(raw))
            }
            fn store(value: f32, bytes: &mut [u8]) {
                let stored: $type = $from(value);
                bytes[..Self::BYTES].copy_from_slice(&stored.to_ne_bytes());
            }
        }
    )+};
}

stored! {
    u8: Sample::to_unit, Sample::from_unit;
    u16: Sample::to_unit, Sample::from_unit;
    f16: f16::to_f32, f16::from_f32;
    f32: Sample::to_unit, Sample::from_unit;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_sixteen_bit_values_come_back() {
        let mut bytes = [0; 2];
        for bits in 0..=u16::MAX {
            u16::store(u16::load(&bits.to_ne_bytes()), &mut bytes);
            assert_eq!(u16::from_ne_bytes(bytes), bits);
            let value = f16::load(&bits.to_ne_bytes());
            f16::store(value, &mut bytes);
            assert!(value.is_nan() || u16::from_ne_bytes(bytes) == bits);
        }
        f16::store(0.25, &mut bytes);
        assert_eq!(u16::from_ne_bytes(bytes), 0x3400);
    }
}
