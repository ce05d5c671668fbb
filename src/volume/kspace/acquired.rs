//! What of a volume's grid was measured, by its k-space.
//!
//! Scanners often store more pixels than they measured, with zeros for the frequencies in between (zero-filling).

use std::ops::RangeInclusive;

use rustfft::FftPlanner;
use rustfft::num_complex::Complex;

use crate::error::Result;
use crate::progress::CancelToken;
use crate::volume::source::Source;

/// Lines along each axis that are examined.
const LINES: usize = 2048;

/// Voxels of an axis whose k-space tells something, and is examined.
const EXAMINED: RangeInclusive<usize> = 32..=1 << 14;

/// How much steeper, in dB over the whole axis, power must fall before the end of what was measured than after it. Full
/// resolution with noise, or rounded to integers, stays below 60 (`docs/mri.md`).
const KINK: f64 = 70.0;

/// By how many dB power must fall there, beyond its fall before.
const STEP: f64 = 3.0;

/// Shares of an axis at which its measured part may end.
const ENDS: (f64, f64) = (0.3, 0.95);

/// The measured number of voxels along each axis, where k-space says that it is less than the stored one; from lines of
/// the first volume.
///
/// # Errors
/// `Input` where voxels cannot be read; `Cancelled`.
pub fn acquired(source: &Source, cancel: &CancelToken) -> Result<[Option<usize>; 3]> {
    let [i, j, k, _] = source.shape();
    let sides = [i, j, k];
    // Lines of an axis are numbered by the other two, the faster one first.
    let step = |axis: usize| {
        let (width, all) = (if axis == 0 { j } else { i }, i * j * k / sides[axis]);
        let mut step = (all / LINES).max(1);
        // Not the same columns in every row.
        while width > 1 && gcd(step, width) > 1 {
            step += 1;
        }
        step
    };
    let steps = [step(0), step(1), step(2)];
    let count = |axis: usize| (i * j * k / sides[axis]).div_ceil(steps[axis]);
    let is_examined = |axis: usize| EXAMINED.contains(&sides[axis]);
    let mut lines: [Vec<Vec<f64>>; 3] =
        std::array::from_fn(
            |axis| if is_examined(axis) { vec![Vec::new(); count(axis)] } else { Vec::new() },
        );
    let mut data = source.data()?;
    let mut bytes = vec![0; i * source.datatype().bytes()];
    let mut row = Vec::with_capacity(i);
    for (z, y) in (0..k).flat_map(|z| (0..j).map(move |y| (z, y))) {
        cancel.check()?;
        data.fill(&mut bytes)?;
        row.clear();
        source.datatype().decode(source.header().order(), &bytes, |value| {
            row.push(if value.is_finite() { value } else { 0.0 });
        });
        if is_examined(0) && (z * j + y) % steps[0] == 0 {
            lines[0][(z * j + y) / steps[0]].extend(&row);
        }
        // Of the lines that this row crosses, whose numbers begin with `first`, every `step`th.
        for (axis, first) in [(1, z * i), (2, y * i)].into_iter().filter(|(axis, _)| is_examined(*axis)) {
            let step = steps[axis];
            for line in first.div_ceil(step)..(first + i).div_ceil(step) {
                lines[axis][line].push(row[line * step - first]);
            }
        }
    }
    let measured = |axis: usize| {
        let share = end_of_signal(&power(&lines[axis]))?;
        Some((share * sides[axis] as f64).round() as usize)
    };
    Ok([measured(0), measured(1), measured(2)])
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Mean power of `lines` at the frequencies 1, 2 and so on, to the highest.
fn power(lines: &[Vec<f64>]) -> Vec<f64> {
    let Some(length) = lines.first().map(Vec::len) else { return Vec::new() };
    let transform = FftPlanner::new().plan_fft_forward(length);
    let mut sums = vec![0.0; length / 2];
    for line in lines {
        let mut line: Vec<_> = line.iter().map(|value| Complex::new(*value, 0.0)).collect();
        transform.process(&mut line);
        sums.iter_mut().zip(&line[1..]).for_each(|(sum, value)| *sum += value.norm_sqr());
    }
    sums
}

/// The share of frequencies at which what was measured ends, and a floor of much less power begins; `None` where there is
/// no such place.
///
/// There power falls steeply and then stays nearly level, and before it nothing announced the fall. A floor of noise alone
/// begins without a fall, and smoothing makes power fall ever faster.
fn end_of_signal(power: &[f64]) -> Option<f64> {
    let half = power.len();
    if half < EXAMINED.start() / 2 {
        return None;
    }
    let reach = (half / 40).max(1);
    let most = power.iter().copied().fold(0.0, f64::max);
    let level = |at: usize| {
        let near = &power[at.saturating_sub(reach / 2)..(at + reach.div_ceil(2)).min(half)];
        10.0 * (near.iter().sum::<f64>() / near.len() as f64 + 1e-14 * most).log10()
    };
    if most <= 0.0 {
        return None;
    }
    let db: Vec<f64> = (0..half).map(level).collect();
    let at = |share: f64| (share * half as f64) as usize;
    let window = at(0.08).max(3);
    let kink = |end: &usize| {
        let (before, after) = (fit(&db, end - window, *end).1, fit(&db, *end, end + window).1);
        (after - before) * half as f64
    };
    let mut end = (at(ENDS.0).max(window)..half - window).max_by(|a, b| kink(a).total_cmp(&kink(b)))?;
    if kink(&end) < KINK {
        return None;
    }
    let floor = db[end..end + window].iter().sum::<f64>() / window as f64;
    while end > 1 && db[end - 1] <= floor + 3.0 {
        end -= 1;
    }
    let share = end as f64 / half as f64;
    // A line through what lies well before the end says how power falls without one.
    let (first, last) = (end / 4, (end * 3 / 5).max(end / 4 + 3));
    let (start, slope) = fit(&db, first, last);
    let expected = |place: usize| start + slope * (place as f64 - first as f64);
    let (from, to) = (end.saturating_sub(at(0.12)), end.saturating_sub(at(0.06)).max(1));
    let before = db[from..to].iter().sum::<f64>() / (to - from) as f64;
    // As power fell just before, so it may go on falling.
    let usual = fit(&db, end.saturating_sub(at(0.25)), to).1.min(0.0) * 0.13 * half as f64;
    let step = before - floor + usual;
    let early = end * 17 / 20;
    let announced = expected(early) - db[early];
    (step >= STEP && announced <= 0.3 * step && (ENDS.0..=ENDS.1).contains(&share)).then_some(share)
}

/// Value at `first` and slope of the line through the values from `first` to before `last` (least squares).
fn fit(values: &[f64], first: usize, last: usize) -> (f64, f64) {
    let values = &values[first..last];
    let count = values.len() as f64;
    let middle = (count - 1.0) / 2.0;
    let mean = values.iter().sum::<f64>() / count;
    let (mut products, mut squares) = (0.0, 0.0);
    for (at, value) in values.iter().enumerate() {
        let x = at as f64 - middle;
        products += x * (value - mean);
        squares += x * x;
    }
    let slope = products / squares;
    (mean - slope * middle, slope)
}

#[cfg(test)]
mod tests {
    use super::super::Resizer;
    use super::*;

    /// Lines as of a head: edges at random places, and noise.
    fn lines(length: usize, noise: f64) -> Vec<Vec<f64>> {
        let mut seed = 7u64;
        let mut random = || {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) as f64 / (1u64 << 31) as f64
        };
        let mut line = || {
            let mut line = vec![0.0; length];
            for _ in 0..12 {
                let (first, last, more) =
                    (random() * 0.6 + 0.1, random() * 0.3 + 0.02, 200.0 * random() - 60.0);
                // The edge's voxels are partly covered.
                for (at, value) in line.iter_mut().enumerate() {
                    let (from, to) = (at as f64 / length as f64, (at + 1) as f64 / length as f64);
                    let covered = (to.min(first + last) - from.max(first)).max(0.0);
                    *value += more * covered * length as f64;
                }
            }
            let mut sum = || noise * ((0..12).map(|_| random()).sum::<f64>() - 6.0);
            line.iter_mut().for_each(|value| *value += sum());
            line
        };
        (0..400).map(|_| line()).collect()
    }

    /// The same, stored as magnitudes in whole numbers.
    fn stored(lines: &[Vec<f64>], to: usize) -> Vec<Vec<f64>> {
        let resizer = Resizer::new((1, lines[0].len()), (1, to));
        let resize = |line: &Vec<f64>| {
            let line: Vec<f32> = line.iter().map(|value| *value as f32).collect();
            resizer.resize(&line).into_iter().map(|value| f64::from(value).abs().round()).collect()
        };
        lines.iter().map(resize).collect()
    }

    #[test]
    fn zero_filling_is_found_where_it_begins() {
        for acquired in [128, 154, 192] {
            for noise in [0.0, 2.0, 6.0] {
                let found = end_of_signal(&power(&stored(&lines(acquired, noise), 256)));
                let share = acquired as f64 / 256.0;
                assert!(
                    found.is_some_and(|found| (found - share).abs() < 0.05),
                    "{acquired}, {noise}: {found:?}"
                );
            }
        }
    }

    #[test]
    fn full_resolution_is_left_alone() {
        for noise in [0.0, 1.0, 4.0, 15.0, 60.0] {
            assert_eq!(end_of_signal(&power(&stored(&lines(256, noise), 256))), None, "{noise}");
        }
        // Smoothed.
        for deviation in [0.7, 1.0, 1.5, 2.5f64] {
            let weights: Vec<f64> =
                (-9..=9).map(|at| (-f64::from(at * at) / (2.0 * deviation * deviation)).exp()).collect();
            let smooth = |line: Vec<f64>| -> Vec<f64> {
                let at = |x: usize, d: usize| line[(x + 256 + d - 9) % 256] * weights[d];
                (0..256)
                    .map(|x| (0..19).map(|d| at(x, d)).sum::<f64>() / weights.iter().sum::<f64>())
                    .collect()
            };
            let smoothed: Vec<_> = lines(256, 4.0).into_iter().map(smooth).collect();
            assert_eq!(end_of_signal(&power(&smoothed)), None, "{deviation}");
            let rounded: Vec<_> =
                smoothed.iter().map(|line| line.iter().map(|value| value.abs().round()).collect()).collect();
            assert_eq!(end_of_signal(&power(&rounded)), None, "{deviation}, rounded");
        }
    }
}
