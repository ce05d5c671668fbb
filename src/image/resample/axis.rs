//! The weights of one axis.

use std::ops::Range;

use super::Kernel;

/// For every output position of one axis: where its taps begin in the input, and their weights.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    input: usize,
    starts: Vec<usize>,
    counts: Vec<usize>,
    stride: usize,
    weights: Vec<f32>,
}

impl Axis {
    /// Weights that map `input` samples to `output` samples on the half-pixel grid.
    ///
    /// Taps outside the image are left out and the rest scaled to sum 1, so borders need no padding.
    pub fn new(kernel: Kernel, input: usize, output: usize) -> Self {
        if input == output {
            // Equal grids: exact copies, whatever the kernel's rounding at whole distances.
            return Self {
                input,
                starts: (0..output).collect(),
                counts: vec![1; output],
                stride: 1,
                weights: vec![1.0; output],
            };
        }
        let step = input as f64 / output as f64;
        // Shrinking widens the kernel to the output's pixels, which removes aliases.
        let stretch = step.max(1.0);
        let support = kernel.radius() * stretch;
        let taps: Vec<(usize, Vec<f64>)> = (0..output)
            .map(|i| {
                let center = (i as f64 + 0.5) * step;
                let start = (center - support + 0.5).max(0.0) as usize;
                let end = ((center + support + 0.5) as usize).min(input);
                let raw: Vec<f64> =
                    (start..end).map(|k| kernel.value((k as f64 - center + 0.5) / stretch)).collect();
                let sum: f64 = raw.iter().sum();
                (start, raw.into_iter().map(|weight| weight / sum).collect())
            })
            .collect();
        let stride = taps.iter().map(|(_, weights)| weights.len()).max().unwrap_or(0);
        let mut axis = Self {
            input,
            starts: Vec::with_capacity(output),
            counts: Vec::with_capacity(output),
            stride,
            weights: vec![0.0; stride * output],
        };
        for (i, (start, weights)) in taps.into_iter().enumerate() {
            axis.starts.push(start);
            axis.counts.push(weights.len());
            for (slot, weight) in axis.weights[i * stride..].iter_mut().zip(weights) {
                *slot = weight as f32;
            }
        }
        axis
    }

    /// Input samples.
    pub fn input(&self) -> usize {
        self.input
    }

    /// Output samples.
    pub fn output(&self) -> usize {
        self.starts.len()
    }

    /// First input sample and the weights of output sample `i`.
    pub fn taps(&self, i: usize) -> (usize, &[f32]) {
        let first = i * self.stride;
        (self.starts[i], &self.weights[first..first + self.counts[i]])
    }

    /// The input samples that the output samples in `range` read; empty for an empty range.
    pub fn source(&self, range: &Range<usize>) -> Range<usize> {
        if range.is_empty() {
            return 0..0;
        }
        let last = range.end - 1;
        self.starts[range.start]..self.starts[last] + self.counts[last]
    }
}
