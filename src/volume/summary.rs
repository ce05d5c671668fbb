//! Numbers that describe the result of a volume.

use serde::Serialize;

use super::histogram::Histogram;
use super::intensity::{Slice, Survey, Window};
use super::plan::Plan;
use crate::image::Raster;

/// The numbers of a volume's result. None comes from texts of the header, which may name the patient.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The enlarged axes, such as `ij`.
    pub plane: String,
    /// Type of the result's voxels.
    pub datatype: &'static str,
    /// Slices that went through the network.
    pub slices: usize,
    /// Slices of air, which were interpolated.
    pub flat_slices: usize,
    /// The input.
    pub input: Side,
    /// The result; its intensities are those of the result shrunk to the size of the input.
    pub output: Side,
    /// Sides along i, j and k that were acquired, where the file stores more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acquired: Option<[usize; 3]>,
    /// Whether slices were reduced to that first.
    pub native: bool,
    /// Whether the k-space of slices was put back into the result.
    pub kspace: bool,
    /// Pearson's correlation of the input with the shrunk result; absent where the input is constant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation: Option<f64>,
}

/// Input or result.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Side {
    /// Sides along i, j, k and t.
    pub shape: [usize; 4],
    /// Distances of voxels along i, j and k in millimetres.
    pub voxel_mm: [f64; 3],
    /// Mean intensity, with the file's slope and intercept.
    pub mean: f64,
    /// The 1st percentile.
    pub p1: f64,
    /// The median.
    pub p50: f64,
    /// The 99th percentile.
    pub p99: f64,
}

/// Sums over the voxels of the input and of the shrunk result.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    count: u64,
    /// Of input, result, their squares, and their product.
    sums: [f64; 5],
    shrunk: Histogram,
}

impl Figures {
    /// Adds a slice and the result of it, shrunk to its size; values in the network's units.
    pub fn add(&mut self, slice: &Slice, shrunk: &Raster) {
        for (input, result) in slice.values().zip(shrunk.data()) {
            let Some(input) = input else { continue };
            let (x, y) = (f64::from(input), f64::from(*result));
            self.count += 1;
            for (sum, more) in self.sums.iter_mut().zip([x, y, x * x, y * y, x * y]) {
                *sum += more;
            }
            self.shrunk.add(y);
        }
    }

    fn correlation(&self) -> Option<f64> {
        let [x, y, xx, yy, xy] = self.sums.map(|sum| sum / self.count as f64);
        let spread = ((xx - x * x) * (yy - y * y)).sqrt();
        (spread > 1e-12).then(|| (xy - x * y) / spread)
    }
}

impl Summary {
    /// Of a volume whose voxels were copied, or of one with `figures`, which were seen through a window.
    pub fn new(
        plan: &Plan,
        survey: &Survey,
        (slices, flat_slices): (usize, usize),
        figures: Option<(&Figures, &Window)>,
    ) -> Self {
        let (slope, inter) = plan.source.header().scaling().unwrap_or((1.0, 0.0));
        let scaled = |stored: f64| stored * slope + inter;
        let [i, j, k] = plan.sides;
        let (own, stored) = (plan.geometry.voxel_mm(), plan.stored());
        let voxel_mm =
            std::array::from_fn(|axis| own[axis] * plan.geometry.sides[axis] as f64 / stored[axis] as f64);
        let histogram = &survey.histogram;
        let input = Side {
            shape: plan.source.shape(),
            voxel_mm,
            mean: scaled(survey.mean()),
            p1: scaled(histogram.percentile(1.0)),
            p50: scaled(histogram.percentile(50.0)),
            p99: scaled(histogram.percentile(99.0)),
        };
        let mut output =
            Side { shape: [i, j, k, plan.source.shape()[3]], voxel_mm: plan.voxel_mm(), ..input.clone() };
        let mut correlation = (survey.range.0 < survey.range.1).then_some(1.0);
        if let Some((figures, window)) = figures {
            let value = |normalized: f64| scaled(window.restored(normalized));
            let percentile = |percent: f64| value(figures.shrunk.percentile(percent));
            output.mean = value(figures.sums[1] / figures.count as f64);
            (output.p1, output.p50, output.p99) = (percentile(1.0), percentile(50.0), percentile(99.0));
            correlation = figures.correlation();
        }
        let datatype = plan.datatype.name();
        Self {
            plane: plan.plane_name(),
            datatype,
            slices,
            flat_slices,
            input,
            output,
            acquired: None,
            native: plan.is_native(),
            kspace: false,
            correlation,
        }
    }

    /// Notes the `acquired` sides, of which none are those that are stored.
    pub fn note_acquired(&mut self, acquired: [Option<usize>; 3]) {
        let sides = std::array::from_fn(|axis| acquired[axis].unwrap_or(self.input.shape[axis]));
        self.acquired = acquired.iter().any(Option::is_some).then_some(sides);
    }

    /// Whether the result has the size of the input.
    pub fn is_copy(&self) -> bool {
        self.input.shape == self.output.shape
    }

    /// How many times as far apart slices are as pixels of the result, where that is a multiple worth telling.
    pub fn thickness(&self) -> Option<f64> {
        let (a, b) = (self.output.voxel_mm[axis(&self.plane, 0)], self.output.voxel_mm[axis(&self.plane, 1)]);
        let through = 3 - axis(&self.plane, 0) - axis(&self.plane, 1);
        let times = self.output.voxel_mm[through] / a.max(b);
        let only_plane = self.output.shape[through] == self.input.shape[through] && !self.is_copy();
        (times > 2.0 && only_plane && self.output.shape[through] > 1).then_some(times)
    }
}

fn axis(plane: &str, at: usize) -> usize {
    usize::from(plane.as_bytes()[at] - b'i')
}
