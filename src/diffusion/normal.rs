//! Standard normals from random bits, by basic f32 operations alone so that every platform agrees.
//!
//! Loops run over arrays of lanes and hold no branches, so that compilers vectorise them. The polynomials are
//! those of the Cephes library (S. Moshier, logf, sinf, cosf); no fused multiply-add, whose rounding differs.

use std::f32::consts::TAU;

/// ln 2 in two parts, the first with so few bits that its products with exponents are exact.
const LN_2_HIGH: f32 = 355.0 / 512.0;
const LN_2_LOW: f32 = -2.121_944_4e-4;

/// The Box-Muller transform of four words of bits for each lane: words 0 and 1 make normals 0 and 1, words 2
/// and 3 make normals 2 and 3.
#[inline(always)]
pub(super) fn box_muller<const N: usize>(bits: &[[u32; N]; 4]) -> [[f32; N]; 4] {
    let [mut a, mut b, mut c, mut d] = [[0.0; N]; 4];
    for i in 0..N {
        (a[i], b[i]) = pair(bits[0][i], bits[1][i]);
        (c[i], d[i]) = pair(bits[2][i], bits[3][i]);
    }
    [a, b, c, d]
}

#[inline(always)]
fn pair(radius_bits: u32, angle_bits: u32) -> (f32, f32) {
    // Signed conversion is one instruction everywhere. In [2^-32, 1]: the logarithm is finite and at most 0.
    let uniform = ((radius_bits >> 1) as i32 as f32 + 0.5) * (1.0 / 2_147_483_648.0);
    let radius = (-2.0 * ln(uniform)).max(0.0).sqrt();
    let (sin, cos) = sin_cos_turn(angle_bits);
    (radius * cos, radius * sin)
}

/// Natural logarithm of a positive normal number.
#[inline(always)]
fn ln(value: f32) -> f32 {
    // Split into m 2^e with m in [sqrt(1/2), sqrt(2)).
    let bits = value.to_bits() as i32;
    let exponent = (bits - 0x3f35_04f3) >> 23;
    let x = f32::from_bits((bits - (exponent << 23)) as u32) - 1.0;
    let e = exponent as f32;
    let square = x * x;
    let mut y = 7.037_683_6e-2;
    y = y * x - 1.151_461e-1;
    y = y * x + 1.167_699_9e-1;
    y = y * x - 1.242_014_1e-1;
    y = y * x + 1.424_932_3e-1;
    y = y * x - 1.666_805_7e-1;
    y = y * x + 2.000_071_4e-1;
    y = y * x - 2.499_999_4e-1;
    y = y * x + 3.333_333e-1;
    y = y * x * square;
    y += e * LN_2_LOW;
    y -= 0.5 * square;
    (x + y) + e * LN_2_HIGH
}

/// Sine and cosine of `bits / 2^32` of a full turn.
#[inline(always)]
fn sin_cos_turn(bits: u32) -> (f32, f32) {
    // Quarter turns around the nearest axis, so that the angle stays within an eighth of a turn.
    let shifted = bits.wrapping_add(1 << 29);
    let quarter = shifted >> 30;
    let x = ((shifted & 0x3fff_ffff) as i32 - (1 << 29)) as f32 * (TAU / 4_294_967_296.0);
    let z = x * x;
    let sin = ((-1.951_529_6e-4 * z + 8.332_161e-3) * z - 1.666_665_5e-1) * z * x + x;
    let cos = ((2.443_315_7e-5 * z - 1.388_731_6e-3) * z + 4.166_664_6e-2) * z * z - 0.5 * z + 1.0;
    // Selection and signs by bits: (s, c), (c, -s), (-s, -c), (-c, s).
    let swap = 0u32.wrapping_sub(quarter & 1);
    let (s, c) = (sin.to_bits(), cos.to_bits());
    let sin = ((s & !swap) | (c & swap)) ^ ((quarter >> 1) << 31);
    let cos = ((c & !swap) | (s & swap)) ^ (((quarter + 1) >> 1 & 1) << 31);
    (f32::from_bits(sin), f32::from_bits(cos))
}

#[cfg(test)]
mod tests {
    use std::f32::consts::FRAC_1_SQRT_2;

    use super::*;

    #[test]
    fn logarithm_is_accurate_over_the_uniform_range() {
        let ends = [1.0 / 4_294_967_296.0, 1.0f32.next_down(), FRAC_1_SQRT_2, FRAC_1_SQRT_2.next_down(), 0.5];
        let many = (0..2_000_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 1) as f32 / 2_147_483_648.0);
        for value in ends.into_iter().chain(many.filter(|&value| value > 0.0)) {
            let exact = f64::from(value).ln();
            let error = (f64::from(ln(value)) - exact).abs();
            assert!(error <= 1.5e-7 * exact.abs(), "ln {value}: {error}");
        }
        assert_eq!(ln(1.0), 0.0);
    }

    #[test]
    fn sine_and_cosine_are_accurate_over_the_turn() {
        let eighths = (0..8u32).flat_map(|i| [i << 29, (i << 29).wrapping_sub(1)]);
        for bits in eighths.chain((0..2_000_000u32).map(|i| i.wrapping_mul(2_654_435_761))) {
            let (sin, cos) = sin_cos_turn(bits);
            let (exact_sin, exact_cos) =
                (f64::from(bits) / 4_294_967_296.0 * std::f64::consts::TAU).sin_cos();
            let error = (f64::from(sin) - exact_sin).abs().max((f64::from(cos) - exact_cos).abs());
            assert!(error < 1.5e-7, "{bits:#x}: {error}");
        }
    }

    #[test]
    fn extreme_bits_stay_finite() {
        let words = [0, 1, u32::MAX, u32::MAX - 1, 1 << 31, 1 << 30, 1 << 29];
        for radius_bits in words {
            for angle_bits in words {
                let (a, b) = pair(radius_bits, angle_bits);
                assert!(a.hypot(b) < 6.7, "{radius_bits:#x} {angle_bits:#x}: {a} {b}");
            }
        }
    }
}
