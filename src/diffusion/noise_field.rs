//! Gaussian noise addressed by place: any part of it can be made at any time, in any order, on any machine.

use super::normal::box_muller;

/// Normals per Philox block, so pixels per counter.
const PER_BLOCK: usize = 4;

/// Channels of a plane.
const CHANNELS: u32 = 4;

/// Philox4x32 multipliers and key increments (Salmon et al. 2011, "Parallel random numbers: as easy as
/// 1, 2, 3").
const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const KEY_STEPS: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
const ROUNDS: usize = 10;

/// An endless field of independent standard normals, one for each (step, plane, channel, y, x).
///
/// Philox4x32-10 keyed by the seed gives the bits for the counter (x / 4, y, channel + 4 plane, step), the Box-Muller
/// transform their normals. Only basic f32 operations are used, so every platform makes the same values. They
/// are finite and within 6.7 of zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoiseField {
    key: [u32; 2],
    /// The plane, times the number of channels that there may be.
    plane: u32,
}

impl NoiseField {
    /// The field of a seed, in plane 0.
    pub fn new(seed: u64) -> Self {
        Self { key: [seed as u32, (seed >> 32) as u32], plane: 0 }
    }

    /// The same field in another plane, below 2^30, for images that lie one above the other.
    #[must_use]
    pub fn in_plane(self, plane: u32) -> Self {
        Self { plane: plane * CHANNELS, ..self }
    }

    /// Writes the normals of the pixels `x0, x0 + 1, ...` of a row into `out`.
    ///
    /// A pixel's value depends on its place alone, not on where a segment begins or ends.
    ///
    /// # Panics
    /// Where the segment ends above `u32::MAX` pixels, or `channel` is 4 or more.
    pub fn fill(&self, step: u32, channel: u32, y: u32, x0: u32, out: &mut [f32]) {
        assert!(out.len() as u64 <= u64::from(u32::MAX - x0), "a noise row ends within u32");
        assert!(channel < CHANNELS, "channels are 0 to 3");
        let place = [step, self.plane + channel, y, x0];
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2, as just checked.
            return unsafe { fill_avx2(self.key, place, out) };
        }
        fill_lanes::<8>(self.key, place, out);
    }
}

/// The same operations on wider registers, so the same values, in well under half the time.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn fill_avx2(key: [u32; 2], place: [u32; 4], out: &mut [f32]) {
    fill_lanes::<16>(key, place, out);
}

/// Fills a row with `LANES` Philox blocks at once. Inlined, so that it is compiled for its caller's features.
#[inline(always)]
fn fill_lanes<const LANES: usize>(key: [u32; 2], [step, channel, y, x0]: [u32; 4], mut rest: &mut [f32]) {
    let mut group = x0 / PER_BLOCK as u32;
    let mut skip = x0 as usize % PER_BLOCK;
    while !rest.is_empty() {
        let mut groups = [group; LANES];
        for (lane, value) in groups.iter_mut().enumerate() {
            // Lanes past the row's end may wrap around; they are not used.
            *value = value.wrapping_add(lane as u32);
        }
        let bits = philox([groups, [y; LANES], [channel; LANES], [step; LANES]], key);
        let normals = interleave(&box_muller(&bits));
        let normals = &normals.as_flattened()[skip..];
        let (now, later) = rest.split_at_mut(rest.len().min(normals.len()));
        now.copy_from_slice(&normals[..now.len()]);
        rest = later;
        skip = 0;
        group = group.wrapping_add(LANES as u32);
    }
}

/// Philox4x32-10 of `N` counters, word by word.
#[inline(always)]
fn philox<const N: usize>(mut counter: [[u32; N]; 4], mut key: [u32; 2]) -> [[u32; N]; 4] {
    for _ in 0..ROUNDS {
        let [a, b, c, d] = counter;
        for i in 0..N {
            let first = u64::from(MULTIPLIERS[0]) * u64::from(a[i]);
            let second = u64::from(MULTIPLIERS[1]) * u64::from(c[i]);
            counter[0][i] = (second >> 32) as u32 ^ b[i] ^ key[0];
            counter[1][i] = second as u32;
            counter[2][i] = (first >> 32) as u32 ^ d[i] ^ key[1];
            counter[3][i] = first as u32;
        }
        key = [key[0].wrapping_add(KEY_STEPS[0]), key[1].wrapping_add(KEY_STEPS[1])];
    }
    counter
}

/// From planes of lanes to pixel order.
#[inline(always)]
fn interleave<const N: usize>(planes: &[[f32; N]; PER_BLOCK]) -> [[f32; PER_BLOCK]; N] {
    let mut pixels = [[0.0; PER_BLOCK]; N];
    for (lane, pixel) in pixels.iter_mut().enumerate() {
        *pixel = [planes[0][lane], planes[1][lane], planes[2][lane], planes[3][lane]];
    }
    pixels
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(seed: u64, step: u32, channel: u32, y: u32, x0: u32, length: usize) -> Vec<f32> {
        let mut out = vec![f32::NAN; length];
        NoiseField::new(seed).fill(step, channel, y, x0, &mut out);
        out
    }

    fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
        let count = values.len() as f64;
        values.sum::<f64>() / count
    }

    fn correlation(a: &[f32], b: &[f32]) -> f64 {
        mean(a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)))
    }

    /// The published known answers (Random123, `kat_vectors`, philox4x32 10).
    #[test]
    fn philox_gives_the_known_answers() {
        let cases = [
            ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            ([u32::MAX; 4], [u32::MAX; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ];
        for (counter, key, expected) in cases {
            assert_eq!(philox(counter.map(|word| [word]), key).map(|[word]| word), expected);
        }
    }

    #[test]
    fn every_width_of_lanes_gives_the_same_values() {
        let (field, place) = (NoiseField::new(7), [3, 1, 11, 5]);
        let [mut chosen, mut narrow, mut wide] = [[0.0; 301]; 3];
        field.fill(3, 1, 11, 5, &mut chosen);
        fill_lanes::<1>(field.key, place, &mut narrow);
        fill_lanes::<32>(field.key, place, &mut wide);
        assert_eq!((chosen, chosen), (narrow, wide));
    }

    #[test]
    fn values_do_not_depend_on_how_a_row_is_split() {
        let whole = row(7, 3, 1, 11, 0, 300);
        for x0 in 0..70 {
            for length in [0, 1, 2, 3, 4, 5, 31, 32, 33, 63, 64, 65, 200] {
                assert_eq!(row(7, 3, 1, 11, x0, length), whole[x0 as usize..][..length], "{x0} {length}");
            }
        }
        let end = row(7, 3, 1, 11, u32::MAX - 40, 40);
        assert_eq!(row(7, 3, 1, 11, u32::MAX - 9, 9), end[31..]);
    }

    /// Frozen: a change here changes every image made with a recorded seed.
    #[test]
    fn a_seed_keeps_its_values() {
        let found: Vec<u32> = row(42, 5, 2, 9, 1021, 6).iter().map(|value| value.to_bits()).collect();
        assert_eq!(found, FROZEN);
    }

    const FROZEN: [u32; 6] = [0xbf39_3f03, 0xbfe9_6f59, 0x3f1b_53cb, 0xbcdc_fc18, 0xbf8d_408e, 0x3f08_82f8];

    #[test]
    fn moments_are_those_of_a_standard_normal() {
        let values: Vec<f32> = (0..1000).flat_map(|y| row(1, 0, 0, y, 0, 1000)).collect();
        let moment = |power| mean(values.iter().map(|&value| f64::from(value).powi(power)));
        // Five standard errors of a million samples.
        assert!(moment(1).abs() < 0.005, "mean {}", moment(1));
        assert!((moment(2) - 1.0).abs() < 0.0071, "variance {}", moment(2));
        assert!(moment(3).abs() < 0.0194, "third moment {}", moment(3));
        assert!((moment(4) - 3.0).abs() < 0.049, "fourth moment {}", moment(4));
        for (limit, share) in [(1.0, 0.158_655), (2.0, 0.022_750), (3.0, 0.001_350)] {
            for sign in [1.0, -1.0] {
                let found = mean(values.iter().map(|&value| f64::from(u8::from(value * sign > limit))));
                let error: f64 = share * (1.0 - share) / 1e6;
                assert!((found - share).abs() < 5.0 * error.sqrt(), "tail {sign} {limit}: {found}");
            }
        }
    }

    #[test]
    fn neighbours_rows_channels_steps_and_seeds_are_uncorrelated() {
        let length = 100_000;
        let base = row(3, 4, 1, 6, 0, length);
        let in_plane = |plane: u32| {
            let mut out = vec![f32::NAN; length];
            NoiseField::new(3).in_plane(plane).fill(4, 1, 6, 0, &mut out);
            out
        };
        let others = [
            ("x + 1", row(3, 4, 1, 6, 1, length)),
            ("x + 2", row(3, 4, 1, 6, 2, length)),
            ("x + 3", row(3, 4, 1, 6, 3, length)),
            ("x + 4", row(3, 4, 1, 6, 4, length)),
            ("y + 1", row(3, 4, 1, 7, 0, length)),
            ("channel + 1", row(3, 4, 2, 6, 0, length)),
            ("step + 1", row(3, 5, 1, 6, 0, length)),
            ("plane + 1", in_plane(1)),
            ("plane 2^29", in_plane(1 << 29)),
            ("seed + 1", row(4, 4, 1, 6, 0, length)),
            ("seed with a high bit", row(3 | 1 << 40, 4, 1, 6, 0, length)),
        ];
        // Five standard errors; squares too, which see a shared radius.
        let squares =
            |values: &[f32]| values.iter().map(|value| (value * value - 1.0) / 2f32.sqrt()).collect();
        let base_squares: Vec<f32> = squares(&base);
        for (name, other) in &others {
            let other_squares: Vec<f32> = squares(other);
            for found in [correlation(&base, other), correlation(&base_squares, &other_squares)] {
                assert!(found.abs() < 5.0 / (length as f64).sqrt(), "{name}: {found}");
            }
        }
    }
}
