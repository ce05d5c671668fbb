//! Through the plane: the 2-D model over both families of slices that contain the coarse axis.
//!
//! Every slice is enlarged along both of its axes and shrunk back along the fine one; both families are averaged. The
//! mean over the thickness of an acquired slice, which is taken to be the distance of slices, must be that slice: the
//! difference is added.

use super::intensity::Slice;
use super::slices::{Outcome, Progress, Slices, at_once, enlarge};
use super::task::Listener;
use crate::engine::{Target, UpscaleOptions, Upscaler};
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

    /// Calls `each` for the voxels of the slice at `index` along the axis that is neither `rows` nor `columns`, row by row.
    fn each(&mut self, (rows, columns): (usize, usize), index: usize, mut each: impl FnMut(&mut f32)) {
        let first = index * self.stride(3 - rows - columns);
        let (row, column) = (self.stride(rows), self.stride(columns));
        for y in 0..self.sides[rows] {
            for x in 0..self.sides[columns] {
                each(&mut self.values[first + y * row + x * column]);
            }
        }
    }

    fn slice(&mut self, axes: (usize, usize), index: usize) -> Vec<f32> {
        let mut values = Vec::with_capacity(self.sides[axes.0] * self.sides[axes.1]);
        self.each(axes, index, |value| values.push(*value));
        values
    }
}

impl Slices<'_> {
    /// As [`Slices::make`], with the axis through the plane enlarged.
    pub(super) fn make_through(
        &self,
        upscaler: &Upscaler,
        listener: &dyn Listener,
        cancel: &CancelToken,
        mut take: impl FnMut(Vec<u8>) -> Result<()>,
    ) -> Result<Outcome> {
        let plan = self.plan;
        let (a, b, through) = plan.plane;
        let (own, order, old) = (plan.nifti.datatype, plan.nifti.header.order(), plan.geometry.sides);
        let mut data = plan.nifti.data()?;
        let progress = Progress::new(listener, plan.runs().len());
        let mut outcome = Outcome::default();
        let stored = plan.stored();
        let mut bytes = vec![0; stored.iter().product::<usize>() * own.bytes()];
        for time in 0..plan.nifti.shape[3] {
            data.fill(&mut bytes)?;
            let mut input = Grid { sides: stored, values: Vec::with_capacity(stored.iter().product()) };
            own.decode(order, &bytes, |value| input.values.push(self.window.normalized(value)));
            if let Some(resizer) = &self.resizer {
                let mut reduced = Grid { sides: old, values: vec![0.0; old.iter().product()] };
                for index in 0..old[through] {
                    let mut values = resizer.resize(&input.slice((b, a), index)).into_iter();
                    reduced.each((b, a), index, |value| *value = values.next().unwrap_or(0.0));
                }
                input = reduced;
            }
            let mut result = Grid { sides: plan.sides, values: vec![0.0; plan.sides.iter().product()] };
            let families = plan.families();
            let share = 1.0 / families.len() as f32;
            for &axis in &families {
                let (axes, across) = ((through, axis), a + b - axis);
                // One axis is the coarse one, the rows.
                let size = (plan.sides[through], old[axis]);
                let count = upscaler.networks().max(2);
                for first in (0..old[across]).step_by(count) {
                    let indices = first..old[across].min(first + count);
                    let slices: Vec<_> = indices
                        .map(|index| Slice::new(input.slice(axes, index), old[through], old[axis]))
                        .collect();
                    let target = Target::Size { width: size.1 as u32, height: size.0 as u32 };
                    let made = at_once(slices, |at, slice| {
                        let seed = (time * old[across] + first + at) as u64;
                        let seed = self.options.seed.wrapping_add(seed);
                        let options =
                            UpscaleOptions { target, seed, among_others: true, ..self.options.clone() };
                        enlarge(&slice, upscaler, &options, size, &progress, cancel)
                    })?;
                    for (at, (enlarged, report)) in made.into_iter().enumerate() {
                        outcome.count(report);
                        let mut values = enlarged.data().iter();
                        result.each(axes, first + at, |sum| {
                            *sum += share * values.next().copied().unwrap_or(0.0)
                        });
                    }
                }
            }
            let axes = (through, families[0]);
            for index in 0..old[3 - axes.0 - axes.1] {
                cancel.check()?;
                let slice = Slice::new(input.slice(axes, index), old[through], old[axes.1]);
                let size = (plan.sides[through], old[axes.1]);
                let mut made = Raster::from_vec(1, size.0, size.1, result.slice(axes, index));
                let shrunk = project(&slice, &mut made);
                outcome.figures.add(&slice, &shrunk);
                slice.cut_holes(&mut made);
                let mut values = made.data().iter();
                result.each(axes, index, |value| *value = values.next().copied().unwrap_or(0.0));
            }
            for block in result.values.chunks(BLOCK) {
                let mut bytes = Vec::with_capacity(block.len() * plan.datatype.bytes());
                let values = block.iter().map(|value| self.window.restored((*value).into()));
                plan.datatype.encode(order, values, &mut bytes);
                take(bytes)?;
            }
        }
        Ok(outcome)
    }
}

/// Corrects `result` so that its means over the acquired slices are those of `slice`. Returns the means.
fn project(slice: &Slice, result: &mut Raster) -> Raster {
    let (height, width) = (slice.inside.height(), slice.inside.width());
    for round in 0.. {
        let means = resize(result, height, width, Kernel::Box);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_over_the_acquired_slices_are_those_of_the_input() {
        for height in [24, 20] {
            let values = (0..48).map(|at| 0.5 + 0.4 * (at as f32 * 1.7).sin()).collect();
            let slice = Slice::new(values, 6, 8);
            let mut result = Raster::from_vec(1, height, 8, vec![0.3; height * 8]);
            let means = project(&slice, &mut result);
            for (mean, value) in means.data().iter().zip(slice.inside.data()) {
                assert!((mean - value).abs() < 0.01, "{mean} {value}");
            }
        }
    }

    #[test]
    fn slices_of_a_grid_go_along_any_axes() {
        let mut grid = Grid { sides: [2, 3, 4], values: (0..24u8).map(f32::from).collect() };
        assert_eq!(grid.slice((2, 0), 1), [2.0, 3.0, 8.0, 9.0, 14.0, 15.0, 20.0, 21.0]);
        assert_eq!(grid.slice((0, 1), 3), [18.0, 20.0, 22.0, 19.0, 21.0, 23.0]);
    }
}
