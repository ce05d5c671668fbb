//! Through the plane: the 2-D model over both families of slices that contain the coarse axis.
//!
//! Every slice is shrunk along its fine axis until its voxels have equal sides, as in the images that the model knows (at
//! most by the model's factor), and enlarged once. What that adds to interpolation is added to the interpolated slice,
//! averaged over both families. The mean over the thickness of an acquired slice must be that slice: the difference is
//! added.

use std::cell::RefCell;

use super::enlarge::{Enlarged, enlarge, mixed};
use super::intensity::Slice;
use super::region::Part;
use super::slices::{Block, Outcome, Progress, Slices, in_order};
use super::task::Listener;
use crate::engine::{Spread, Target, UpscaleOptions, Upscaler};
use crate::error::Result;
use crate::image::{Kernel, Raster, resize};
use crate::progress::CancelToken;

/// Rounds of correction toward the acquired means; each leaves a fraction of the difference.
const ROUNDS: usize = 8;

/// Voxels that are encoded at once.
const BLOCK: usize = 1 << 22;

/// A grid of values in the order of a file.
struct Grid {
    sides: [usize; 3],
    values: Vec<f32>,
}

impl Grid {
    fn stride(&self, axis: usize) -> usize {
        self.sides[..axis].iter().product()
    }

    /// Where the voxels lie of the slice at `index` along the axis that is neither `rows` nor `columns`, row by row.
    fn places(&self, (rows, columns): (usize, usize), index: usize) -> impl Iterator<Item = usize> + use<> {
        let first = index * self.stride(3 - rows - columns);
        let (row, column) = (self.stride(rows), self.stride(columns));
        let (height, width) = (self.sides[rows], self.sides[columns]);
        (0..height).flat_map(move |y| (0..width).map(move |x| first + y * row + x * column))
    }

    fn slice(&self, axes: (usize, usize), index: usize) -> Vec<f32> {
        self.places(axes, index).map(|place| self.values[place]).collect()
    }

    fn put(&mut self, axes: (usize, usize), index: usize, slice: &[f32]) {
        self.places(axes, index).zip(slice).for_each(|(place, value)| self.values[place] = *value);
    }
}

impl Slices<'_> {
    /// As [`Slices::make`], with the axis through the plane enlarged.
    pub(super) fn make_through(
        &self,
        upscaler: &Upscaler,
        listener: &dyn Listener,
        cancel: &CancelToken,
        mut take: impl FnMut(Block) -> Result<()>,
    ) -> Result<Outcome> {
        let plan = self.plan;
        let (own, order, sides) = (plan.source.datatype(), plan.source.header().order(), plan.geometry.sides);
        let mut data = plan.source.data()?;
        let samples = self.options.uncertainty.unwrap_or(1);
        let progress = Progress::new(listener, plan.runs().len() * samples);
        let mut outcome = Outcome::default();
        let ((a, b, through), stored) = (plan.plane, plan.stored());
        let mut bytes = vec![0; stored.iter().product::<usize>() * own.bytes()];
        for time in 0..plan.source.shape()[3] {
            data.fill(&mut bytes)?;
            let mut input = Grid { sides: stored, values: Vec::with_capacity(stored.iter().product()) };
            own.decode(order, &bytes, |value| input.values.push(self.window.normalized(value)));
            if let Some(resizer) = &self.resizer {
                let mut reduced = Grid { sides, values: vec![0.0; sides.iter().product()] };
                for index in 0..sides[through] {
                    reduced.put((b, a), index, &resizer.resize(&input.slice((b, a), index)));
                }
                input = reduced;
            }
            let made = |sample: usize, outcome: &mut Outcome| {
                let seed = self.options.seed.wrapping_add(sample as u64);
                let mut result = self.averaged(&input, time, seed, upscaler, &progress, outcome, cancel)?;
                self.corrected(&input, &mut result, upscaler.networks() + 1, outcome, cancel)?;
                Ok(Raster::from_vec(1, 1, result.values.len(), result.values))
            };
            let result = made(0, &mut outcome)?;
            if samples > 1 {
                let mut spread = Spread::new(&result, false);
                for sample in 1..samples {
                    spread.add(&made(sample, &mut Outcome::default())?);
                }
                let mut map = spread.variance();
                for (value, result) in map.data_mut().iter_mut().zip(result.data()) {
                    *value = if result.is_nan() { f32::NAN } else { value.sqrt() };
                }
                map.data().chunks(BLOCK).try_for_each(|block| take(Block::Map(self.encoded_map(block))))?;
            }
            result.data().chunks(BLOCK).try_for_each(|block| take(Block::Result(self.encoded(block))))?;
        }
        Ok(outcome)
    }

    /// The mean of both families of slices, each enlarged.
    #[allow(clippy::too_many_arguments, reason = "they belong to different owners")]
    fn averaged(
        &self,
        input: &Grid,
        time: usize,
        seed: u64,
        upscaler: &Upscaler,
        progress: &Progress<'_>,
        outcome: &mut Outcome,
        cancel: &CancelToken,
    ) -> Result<Grid> {
        let plan = self.plan;
        let (a, b, through) = plan.plane;
        let old = plan.geometry.sides;
        let mut result = Grid { sides: plan.sides, values: vec![0.0; plan.sides.iter().product()] };
        let families = plan.families();
        let share = 1.0 / families.len() as f32;
        for &axis in &families {
            let (axes, across) = ((through, axis), a + b - axis);
            // One axis is the coarse one, the rows.
            let (height, width) = (old[through], plan.narrowed(axis));
            let scale = upscaler.manifest().scale;
            let size = (scale * height, scale * width);
            let target = Target::Size { width: size.1 as u32, height: size.0 as u32 };
            let options = UpscaleOptions {
                target,
                seed,
                uncertainty: None,
                among_others: true,
                ..self.options.clone()
            };
            let slices = (0..old[across]).map(|index| Ok((index, input.slice(axes, index))));
            let work = |(index, values): (usize, Vec<f32>)| {
                let slice = Slice::new(values, old[through], old[axis]);
                let narrow = resize(&slice.inside, height, width, Kernel::BICUBIC);
                let narrow = Slice::new(narrow.data().to_vec(), height, width);
                let options = UpscaleOptions { place: plan.noise(time, across, index), ..options.clone() };
                let part = self.region.part(axes, index);
                let seen = part.as_ref().map(|part| part.narrowed(old[axis], width));
                let Enlarged { image, report, .. } =
                    enlarge(&narrow, seen.as_ref(), upscaler, &options, size, progress, cancel)?;
                let plain = interpolated(&slice, plan.sides[through], old[axis]);
                let image = match part.filter(|_| report.is_some()) {
                    None => plain,
                    Some(part) => {
                        let shares = part.shares((height, old[axis]), (plan.sides[through], old[axis]));
                        let refined = refined(&plain, &narrow, &image);
                        mixed(plain, &refined, shares)
                    }
                };
                Ok((index, image, report))
            };
            // One more than there are networks, to be prepared or added meanwhile.
            in_order(slices, upscaler.networks() + 1, work, |(index, image, report)| {
                outcome.count(report);
                let places = result.places(axes, index).zip(image.data());
                places.for_each(|(place, value)| result.values[place] += share * value);
                Ok(())
            })?;
        }
        Ok(result)
    }

    /// Corrects `result` so that its means over acquired slices are those of `input`, `at_once` slices at a time; holes
    /// come back.
    fn corrected(
        &self,
        input: &Grid,
        result: &mut Grid,
        at_once: usize,
        outcome: &mut Outcome,
        cancel: &CancelToken,
    ) -> Result<()> {
        let (through, old) = (self.plan.plane.2, self.plan.geometry.sides);
        let axes = (through, self.plan.families()[0]);
        let size = (self.plan.sides[through], old[axes.1]);
        let share = self.plan.thickness / self.plan.geometry.voxel_mm()[through];
        let profile = Profile::new(old[through], size.0, share);
        let result = RefCell::new(result);
        let read = |index| {
            cancel.check()?;
            let slice = Slice::new(input.slice(axes, index), old[through], old[axes.1]);
            Ok((index, slice, Raster::from_vec(1, size.0, size.1, result.borrow().slice(axes, index))))
        };
        let work = |(index, slice, mut made): (usize, Slice, Raster)| {
            let shrunk = profile.project(&slice, &mut made);
            if let Some(mask) = self.region.part(axes, index).as_ref().and_then(Part::mask) {
                // Correction carries the network's values across borders of the mask.
                let mut plain = interpolated(&slice, size.0, size.1);
                profile.project(&slice, &mut plain);
                take_outside_of(mask, &plain, &mut made);
            }
            slice.cut_holes(&mut made);
            Ok((index, slice, made, shrunk))
        };
        let slices = (0..old[3 - axes.0 - axes.1]).map(read);
        in_order(slices, at_once, work, |(index, slice, made, shrunk)| {
            outcome.figures.add(&slice, &shrunk);
            result.borrow_mut().put(axes, index, made.data());
            Ok(())
        })
    }
}

/// `slice` of another size, by interpolation alone.
fn interpolated(slice: &Slice, height: usize, width: usize) -> Raster {
    let mut result = resize(&slice.inside, height, width, Kernel::BICUBIC);
    slice.add_outside(&mut result);
    result
}

/// `plain`, an interpolated slice, with what the network added to `narrow` when it made `enlarged` of it.
fn refined(plain: &Raster, narrow: &Slice, enlarged: &Raster) -> Raster {
    let (height, width) = (plain.height(), plain.width());
    let (before, after) =
        (interpolated(narrow, height, width), resize(enlarged, height, width, Kernel::Lanczos3));
    let mut result = plain.clone();
    let added = after.data().iter().zip(before.data()).map(|(after, before)| after - before);
    result.data_mut().iter_mut().zip(added).for_each(|(value, added)| *value += added);
    result
}

/// Over what of the result each acquired slice is the mean.
struct Profile {
    /// For each slice, rows of the result with their shares.
    slices: Vec<Vec<(usize, f32)>>,
}

impl Profile {
    /// For `old` slices that become `new`; they are `thickness` times as thick as far apart.
    fn new(old: usize, new: usize, thickness: f64) -> Self {
        let factor = new as f64 / old as f64;
        let slice = |index: usize| {
            let (centre, half) = ((index as f64 + 0.5) * factor, thickness * factor / 2.0);
            let (from, to) = ((centre - half).max(0.0), (centre + half).min(new as f64));
            let share = |row: usize| (to.min(row as f64 + 1.0) - from.max(row as f64)) / (to - from);
            (from as usize..new)
                .take_while(|row| (*row as f64) < to)
                .map(|row| (row, share(row) as f32))
                .collect()
        };
        Self { slices: (0..old).map(slice).collect() }
    }

    /// The means of `result` over the slices.
    fn means(&self, result: &Raster) -> Raster {
        let mut means = Raster::new(1, self.slices.len(), result.width());
        for (index, rows) in self.slices.iter().enumerate() {
            for (row, share) in rows {
                let values = result.row(0, *row).iter();
                means
                    .row_mut(0, index)
                    .iter_mut()
                    .zip(values)
                    .for_each(|(mean, value)| *mean += share * value);
            }
        }
        means
    }

    /// Corrects `result` so that its means over the acquired slices are those of `slice`. Returns the means.
    fn project(&self, slice: &Slice, result: &mut Raster) -> Raster {
        let (height, width) = (slice.inside.height(), slice.inside.width());
        for round in 0.. {
            let means = self.means(result);
            if round == ROUNDS {
                return means;
            }
            let lacking =
                slice.values().zip(means.data()).map(|(value, mean)| value.map_or(0.0, |value| value - mean));
            let lacking = Raster::from_vec(1, height, width, lacking.collect());
            let more = resize(&lacking, result.height(), width, Kernel::Linear);
            result.data_mut().iter_mut().zip(more.data()).for_each(|(value, more)| *value += more);
        }
        unreachable!("rounds end")
    }
}

/// Replaces what lies outside `mask`, whose pixels are higher than those of `made`, by `plain`.
fn take_outside_of(mask: &[bool], plain: &Raster, made: &mut Raster) {
    let (height, width) = (made.height(), made.width());
    for y in 0..height {
        let from = (2 * y + 1) * (mask.len() / width) / (2 * height) * width;
        let row = made.row_mut(0, y).iter_mut().zip(plain.row(0, y)).zip(&mask[from..from + width]);
        row.filter(|(_, inside)| !**inside).for_each(|((value, plain), _)| *value = *plain);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_over_the_acquired_slices_are_those_of_the_input() {
        for (height, thickness) in [(24, 1.0), (20, 1.0), (24, 0.8), (20, 0.3), (24, 1.3)] {
            let values = (0..48).map(|at| 0.5 + 0.4 * (at as f32 * 1.7).sin()).collect();
            let slice = Slice::new(values, 6, 8);
            let mut result = Raster::from_vec(1, height, 8, vec![0.3; height * 8]);
            let means = Profile::new(6, height, thickness).project(&slice, &mut result);
            for (mean, value) in means.data().iter().zip(slice.inside.data()) {
                assert!((mean - value).abs() < 0.02, "{height} {thickness}: {mean} {value}");
            }
        }
    }

    #[test]
    fn a_slice_is_the_mean_over_its_thickness_without_the_gaps() {
        // Slices of 4 mm, 5 mm apart, in rows of 1 mm: half a millimetre of gap on either side.
        let profile = Profile::new(3, 15, 0.8);
        assert_eq!(profile.slices[1], [(5, 0.125), (6, 0.25), (7, 0.25), (8, 0.25), (9, 0.125)]);
        // As thick as they are far apart, they are what shrinking by the mean gives.
        let result = Raster::from_vec(1, 15, 2, (0..30).map(|at| (at as f32).sin()).collect());
        let (means, shrunk) = (Profile::new(3, 15, 1.0).means(&result), resize(&result, 3, 2, Kernel::Box));
        means.data().iter().zip(shrunk.data()).for_each(|(a, b)| assert!((a - b).abs() < 1e-6));
    }

    #[test]
    fn only_what_the_network_adds_comes_on_top_of_interpolation() {
        let value = |at: usize| 0.5 + 0.7 * (at as f32 * 0.3).sin();
        let slice = Slice::new((0..6 * 24).map(value).collect(), 6, 24);
        let narrow = resize(&slice.inside, 6, 8, Kernel::BICUBIC);
        let narrow = Slice::new(narrow.data().to_vec(), 6, 8);
        let expected = interpolated(&slice, 24, 24);
        // As a network that adds nothing, and one that makes everything brighter.
        let plain = interpolated(&narrow, 24, 32);
        for added in [0.0, 0.125] {
            let enlarged = plain.data().iter().map(|value| value + added).collect();
            let enlarged = Raster::from_vec(1, 24, 32, enlarged);
            let result = refined(&expected, &narrow, &enlarged);
            let apart = |(a, b): (&f32, &f32)| (a - b - added).abs();
            let most = result.data().iter().zip(expected.data()).map(apart).fold(0.0, f32::max);
            assert!(most < 0.03, "{most}");
        }
    }

    #[test]
    fn slices_of_a_grid_go_along_any_axes() {
        let grid = Grid { sides: [2, 3, 4], values: (0..24u8).map(f32::from).collect() };
        assert_eq!(grid.slice((2, 0), 1), [2.0, 3.0, 8.0, 9.0, 14.0, 15.0, 20.0, 21.0]);
        assert_eq!(grid.slice((0, 1), 3), [18.0, 20.0, 22.0, 19.0, 21.0, 23.0]);
    }
}
