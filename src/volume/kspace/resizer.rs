//! Slices resized in k-space.

use std::f64::consts::PI;
use std::sync::Arc;

use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};

/// Resizes slices in k-space: the outer faces stay where they are, and so does the mean.
pub struct Resizer {
    rows: Line,
    columns: Line,
}

/// One axis.
struct Line {
    from: usize,
    to: usize,
    forward: Arc<dyn Fft<f64>>,
    back: Arc<dyn Fft<f64>>,
}

impl Resizer {
    /// From slices of `old` to slices of `new`, both height and width.
    pub fn new(old: (usize, usize), new: (usize, usize)) -> Self {
        let mut planner = FftPlanner::new();
        let mut line = |from, to| {
            let (forward, back) = (planner.plan_fft_forward(from), planner.plan_fft_inverse(to));
            Line { from, to, forward, back }
        };
        Self { columns: line(old.0, new.0), rows: line(old.1, new.1) }
    }

    /// `slice`, row by row, resized.
    pub fn resize(&self, slice: &[f32]) -> Vec<f32> {
        let (rows, columns) = (&self.rows, &self.columns);
        let mut wide = Vec::with_capacity(columns.from * rows.to);
        for row in slice.chunks_exact(rows.from) {
            wide.extend(rows.resize(row.iter().copied()));
        }
        let mut result = vec![0.0; columns.to * rows.to];
        for x in 0..rows.to {
            let column = columns.resize(wide.iter().skip(x).step_by(rows.to).copied());
            result.iter_mut().skip(x).step_by(rows.to).zip(column).for_each(|(value, new)| *value = new);
        }
        result
    }
}

impl Line {
    /// The values of one line, resized. A value lies in the middle of its voxel, which is half a voxel from the outer face:
    /// frequency f has the phase pi f / n there, which is taken off and put on.
    fn resize(&self, values: impl Iterator<Item = f32>) -> Vec<f32> {
        let (from, to) = (self.from, self.to);
        if from == to {
            return values.collect();
        }
        let mut old: Vec<_> = values.map(|value| Complex::new(f64::from(value), 0.0)).collect();
        self.forward.process(&mut old);
        let mut new = vec![Complex::new(0.0, 0.0); to];
        let kept = from.min(to);
        let highest = (kept / 2) as isize;
        let index = |frequency: isize, length: usize| frequency.rem_euclid(length as isize) as usize;
        for frequency in -highest..=highest {
            // Both signs of the highest frequency share its place on the smaller grid.
            let share = if 2 * highest == kept as isize && frequency.abs() == highest { 0.5 } else { 1.0 };
            let phase = PI * frequency as f64 * (1.0 / to as f64 - 1.0 / from as f64);
            let moved = old[index(frequency, from)] * Complex::from_polar(share / from as f64, phase);
            new[index(frequency, to)] += moved;
        }
        self.back.process(&mut new);
        new.into_iter().map(|value| value.re as f32).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cosine of `waves` in all, as voxels of a line see it.
    fn wave(length: usize, waves: f64) -> Vec<f32> {
        (0..length)
            .map(|at| (2.0 * PI * waves * (at as f64 + 0.5) / length as f64 + 0.4).cos() as f32)
            .collect()
    }

    #[test]
    fn what_both_grids_hold_stays_where_it_is() {
        for (from, to) in [(24, 16), (16, 24), (17, 12), (12, 17), (15, 30), (30, 15), (8, 8)] {
            for waves in [0.0, 1.0, 3.0] {
                let resizer = Resizer::new((1, from), (1, to));
                for (found, expected) in resizer.resize(&wave(from, waves)).iter().zip(wave(to, waves)) {
                    assert!((found - expected).abs() < 1e-5, "{from} to {to}, {waves}: {found} {expected}");
                }
            }
        }
        // Rows and columns each by themselves.
        let slice: Vec<f32> =
            wave(12, 2.0).iter().flat_map(|y| wave(10, 1.0).into_iter().map(move |x| x * y)).collect();
        let found = Resizer::new((12, 10), (9, 14)).resize(&slice);
        let expected = wave(9, 2.0).into_iter().flat_map(|y| wave(14, 1.0).into_iter().map(move |x| x * y));
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5));
    }
}
