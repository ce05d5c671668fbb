//! Converting the bytes of strips and tiles to samples of 8, 16 or 32 bits.

use super::layout::{Layout, SampleKind};
use crate::image::interleave::Sample;
use crate::image::metadata::ifd::Order;

/// Where the visible part of a strip or tile goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    /// Its first column in the image.
    pub left: usize,
    /// Columns of it that lie in the image.
    pub columns: usize,
    /// Which of the kept channels it holds, where each is stored alone.
    pub plane: Option<usize>,
}

/// A sample that strips can be turned into.
pub(super) trait Stored: Sample {
    /// Spreads rows of a strip or tile into `out`, rows of the image with the kept channels interleaved.
    fn spread(layout: &Layout, bytes: &[u8], target: Target, out: &mut [Self]);
}

impl Stored for u8 {
    fn spread(layout: &Layout, bytes: &[u8], target: Target, out: &mut [Self]) {
        if let (Some(ycbcr), true) = (&layout.ycbcr, layout.sampling() != (1, 1)) {
            return ycbcr.spread(layout, bytes, target, out);
        }
        if layout.bits == 8 {
            return layout.whole_bytes::<Self, 1>(bytes, target, out, |[byte]| byte);
        }
        let most = (1u32 << layout.bits) - 1;
        let scaled: Vec<Self> = (0..=most).map(|value| ((value * 255 + most / 2) / most) as Self).collect();
        layout.bit_fields(bytes, target, out, |value| scaled[value as usize]);
    }
}

impl Stored for u16 {
    fn spread(layout: &Layout, bytes: &[u8], target: Target, out: &mut [Self]) {
        let most = (1u32 << layout.bits) - 1;
        match (layout.bits, layout.order) {
            (16, Order::Little) => layout.whole_bytes(bytes, target, out, Self::from_le_bytes),
            (16, Order::Big) => layout.whole_bytes(bytes, target, out, Self::from_be_bytes),
            // Indices of colours stay as they are.
            _ if layout.palette.is_some() => layout.bit_fields(bytes, target, out, |value| value as Self),
            _ => layout.bit_fields(bytes, target, out, |value| ((value * 65535 + most / 2) / most) as Self),
        }
    }
}

impl Stored for f32 {
    fn spread(layout: &Layout, bytes: &[u8], target: Target, out: &mut [Self]) {
        use SampleKind::{Float, Signed, Unsigned};
        let little = layout.order == Order::Little;
        let u32_of = |bytes| if little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) };
        let u24_of = |[a, b, c]: [u8; 3]| u32_of(if little { [a, b, c, 0] } else { [0, a, b, c] });
        let u16_of = |bytes| if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) };
        let u64_of = |bytes| if little { u64::from_le_bytes(bytes) } else { u64::from_be_bytes(bytes) };
        let unit = |value: u32, most: u32| (f64::from(value) / f64::from(most)) as Self;
        match (layout.sample_kind, layout.bits) {
            // Signed integers are measured numbers, and keep their values.
            (Signed, 8) => layout.whole_bytes(bytes, target, out, |[byte]| (byte as i8).into()),
            (Signed, 16) => layout.whole_bytes(bytes, target, out, |bytes| (u16_of(bytes) as i16).into()),
            (Signed, _) => layout.whole_bytes(bytes, target, out, |bytes| u32_of(bytes) as i32 as Self),
            (Unsigned, 24) => layout.whole_bytes(bytes, target, out, |bytes| unit(u24_of(bytes), 0xff_ffff)),
            (Unsigned, _) => layout.whole_bytes(bytes, target, out, |bytes| unit(u32_of(bytes), u32::MAX)),
            (Float, 16) => {
                layout.whole_bytes(bytes, target, out, |bytes| small_float(u16_of(bytes).into(), 5, 10))
            }
            (Float, 24) => layout.whole_bytes(bytes, target, out, |bytes| small_float(u24_of(bytes), 7, 16)),
            (Float, 64) => {
                layout.whole_bytes(bytes, target, out, |bytes| f64::from_bits(u64_of(bytes)) as Self);
            }
            (Float, _) => layout.whole_bytes(bytes, target, out, |bytes| Self::from_bits(u32_of(bytes))),
        }
    }
}

/// A floating-point number with the given bits of exponent and fraction, by the rules of IEEE 754.
fn small_float(bits: u32, exponent_bits: u32, fraction_bits: u32) -> f32 {
    let fraction = bits & ((1 << fraction_bits) - 1);
    let exponent = bits >> fraction_bits & ((1 << exponent_bits) - 1);
    let bias = (1 << (exponent_bits - 1)) - 1;
    let part = f64::from(fraction) / f64::from(1u32 << fraction_bits);
    let value = match exponent {
        0 => part * f64::from(1 - bias).exp2(),
        _ if exponent == (1 << exponent_bits) - 1 => {
            if fraction == 0 {
                f64::INFINITY
            } else {
                f64::NAN
            }
        }
        _ => (1.0 + part) * f64::from(exponent as i32 - bias).exp2(),
    };
    (if bits >> (exponent_bits + fraction_bits) & 1 == 1 { -value } else { value }) as f32
}

impl Layout {
    /// Spreads samples of `N` whole bytes.
    fn whole_bytes<S: Copy, const N: usize>(
        &self,
        bytes: &[u8],
        target: Target,
        out: &mut [S],
        value: impl Fn([u8; N]) -> S,
    ) {
        let sample = |row: &[u8], index: usize| {
            let mut bytes = [0; N];
            bytes.copy_from_slice(&row[index * N..(index + 1) * N]);
            value(bytes)
        };
        // All channels as they come.
        if target.plane.is_none() && self.kept.len() == self.samples {
            return self.rows(bytes, target, out, |row, out| {
                let (samples, _) = row.as_chunks::<N>();
                out.iter_mut().zip(samples).for_each(|(slot, sample)| *slot = value(*sample));
            });
        }
        self.pick(bytes, target, out, sample);
    }

    /// Spreads samples of up to 16 bits, the first in the highest bits of a byte.
    fn bit_fields<S: Copy>(&self, bytes: &[u8], target: Target, out: &mut [S], value: impl Fn(u32) -> S) {
        let bits = self.bits;
        self.pick(bytes, target, out, |row, index| {
            let at = index * bits;
            let byte = |i: usize| u32::from(row.get(at / 8 + i).copied().unwrap_or(0));
            let window = byte(0) << 24 | byte(1) << 16 | byte(2) << 8;
            value(window << (at % 8) >> (32 - bits))
        });
    }

    /// Spreads the kept channels; `sample` reads one by its number in the row.
    fn pick<S: Copy>(&self, bytes: &[u8], target: Target, out: &mut [S], sample: impl Fn(&[u8], usize) -> S) {
        let (stored, kept) = (self.stored(), self.kept.len());
        self.rows(bytes, target, out, |row, out| match target.plane {
            Some(plane) => {
                let slots = out[plane..].iter_mut().step_by(kept);
                slots.enumerate().for_each(|(x, slot)| *slot = sample(row, x));
            }
            None => {
                for (x, pixel) in out.chunks_exact_mut(kept).enumerate() {
                    for (slot, channel) in pixel.iter_mut().zip(&self.kept) {
                        *slot = sample(row, x * stored + channel);
                    }
                }
            }
        });
    }

    /// Goes through rows of a strip or tile and the part of the image that each fills.
    fn rows<S>(&self, bytes: &[u8], target: Target, out: &mut [S], mut spread: impl FnMut(&[u8], &mut [S])) {
        let kept = self.kept.len();
        let Some(row_bytes) = self.row_bytes() else { return };
        let rows = out.chunks_exact_mut(self.width * kept);
        for (row, out) in bytes.chunks_exact(row_bytes).zip(rows) {
            spread(row, &mut out[target.left * kept..(target.left + target.columns) * kept]);
        }
    }
}
