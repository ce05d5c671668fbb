//! Back-projection that knows what a file can hold.

use std::ops::Range;

use rayon::prelude::*;

use super::comparison::{CONSISTENT, Comparison};
use crate::error::Result;
use crate::image::Raster;

/// Rows and columns of the input that are looked at together; no kernel reaches farther than into the next ones.
const BLOCK: usize = 32;

/// What is left of an error that counts as settled, in levels: rounding to 8 bits, which comes later, adds to it.
const SETTLED: f32 = 0.5 * CONSISTENT as f32;

/// What is added per round, times the difference: shrinking what was enlarged keeps between a quarter (the finest
/// diagonal detail) and all of it, and with momentum up to 4/3 is stable.
const GAIN: f32 = 1.2;

/// Rows of the result that one thread corrects at a time.
const STRIP_ROWS: usize = 32;

/// The image nearest to a result, among those within black and white, whose shrunk form is the input.
///
/// That image is the result plus an enlarged correction, held within black and white; the correction has the input's
/// size and is found by gradient ascent with momentum, dropped wherever a sample overshoots (Nesterov 1983; O'Donoghue
/// and Candès 2015). Holding the sum and not each round's result makes a difference: what clipping takes from a round
/// is not lost, but weighs in the next.
pub(super) struct Projection<'a> {
    comparison: &'a Comparison<'a>,
    result: &'a Raster,
    correction: Raster,
    /// The correction before its momentum was added.
    before: Raster,
    /// Rounds since a sample's momentum was dropped.
    ages: Vec<u8>,
}

/// A rectangle of one channel of the input.
#[derive(Clone, Debug)]
struct Block {
    channel: usize,
    y: Range<usize>,
    x: Range<usize>,
}

impl<'a> Projection<'a> {
    /// Of `result`, which must have the comparison's size.
    pub(super) fn new(comparison: &'a Comparison<'a>, result: &'a Raster) -> Self {
        let input = comparison.input;
        let zero = Raster::new(input.channels(), input.height(), input.width());
        let ages = vec![0; zero.data().len()];
        Self { comparison, result, correction: zero.clone(), before: zero, ages }
    }

    /// Works until no sample is off or `rounds` are done: each round on the whole image, but for blocks where nothing
    /// is off any more. Returns the rounds done and the correction.
    ///
    /// # Errors
    /// What `check` returns between rounds.
    pub(super) fn run(mut self, rounds: usize, check: impl Fn() -> Result<()>) -> Result<(usize, Raster)> {
        let grid = Grid::new(&self.correction);
        let mut stale = vec![true; grid.blocks.len()];
        for done in 0..rounds {
            let work: Vec<usize> = (0..stale.len()).filter(|&index| stale[index]).collect();
            let off = |&index: &usize| {
                let lacking = self.lacking(&grid.blocks[index]);
                lacking.iter().any(|value| value.abs() * 255.0 >= SETTLED).then_some((index, lacking))
            };
            let off: Vec<_> = work.par_iter().filter_map(off).collect();
            if off.is_empty() {
                return Ok((done, self.correction));
            }
            check()?;
            stale.fill(false);
            for (index, lacking) in off {
                self.correct(&grid.blocks[index], &lacking);
                grid.around(index).for_each(|near| stale[near] = true);
            }
        }
        Ok((rounds, self.correction))
    }

    /// The input less the shrunk image, in one block.
    fn lacking(&self, block: &Block) -> Vec<f32> {
        let Comparison { input, range: (low, high), shrink, enlarge } = self.comparison;
        let (y, x) = (shrink.source_rows(block.y.clone()), shrink.source_columns(block.x.clone()));
        let mut image = Raster::new(1, y.len(), x.len());
        enlarge.fill(&self.correction, block.channel, y.clone(), x.clone(), image.plane_mut(0));
        for (row, at) in y.clone().enumerate() {
            let own = &self.result.row(block.channel, at)[x.clone()];
            add(image.row_mut(0, row), own, *low, *high);
        }
        let mut lacking = vec![0.0; block.y.len() * block.x.len()];
        shrink.fill_from(&image, (y.start, x.start), 0, block.y.clone(), block.x.clone(), &mut lacking);
        for (row, at) in lacking.chunks_exact_mut(block.x.len()).zip(block.y.clone()) {
            let wanted = &input.row(block.channel, at)[block.x.clone()];
            row.iter_mut().zip(wanted).for_each(|(value, wanted)| *value = wanted - *value);
        }
        lacking
    }

    /// Takes a step in one block.
    fn correct(&mut self, block: &Block, lacking: &[f32]) {
        let (height, width) = (self.correction.height(), self.correction.width());
        for (lacking, y) in lacking.chunks_exact(block.x.len()).zip(block.y.clone()) {
            let correction = &mut self.correction.row_mut(block.channel, y)[block.x.clone()];
            let before = &mut self.before.row_mut(block.channel, y)[block.x.clone()];
            let first = (block.channel * height + y) * width;
            let ages = &mut self.ages[first + block.x.start..first + block.x.end];
            for (((value, before), age), lacking) in correction.iter_mut().zip(before).zip(ages).zip(lacking)
            {
                let next = *value + GAIN * lacking;
                let step = next - *before;
                if lacking * step < 0.0 {
                    *age = 0;
                }
                let momentum = f32::from(*age) / (f32::from(*age) + 3.0);
                (*before, *value) = (next, next + momentum * step);
                *age = age.saturating_add(1);
            }
        }
    }
}

/// Adds the enlarged `correction` to `result`.
pub(super) fn apply(comparison: &Comparison<'_>, correction: &Raster, result: &mut Raster) {
    let (width, (low, high)) = (result.width(), comparison.range);
    for channel in 0..result.channels() {
        let strips = result.plane_mut(channel).par_chunks_mut(STRIP_ROWS * width).enumerate();
        strips.for_each(|(strip, rows)| {
            let top = strip * STRIP_ROWS;
            let mut sum = vec![0.0; rows.len()];
            comparison.enlarge.fill(correction, channel, top..top + rows.len() / width, 0..width, &mut sum);
            add(&mut sum, rows, low, high);
            rows.copy_from_slice(&sum);
        });
    }
}

/// Adds `own`, held within `low` and `high` before and after, to `sum`.
fn add(sum: &mut [f32], own: &[f32], low: f32, high: f32) {
    sum.iter_mut().zip(own).for_each(|(sum, own)| *sum = (*sum + own.clamp(low, high)).clamp(low, high));
}

/// All blocks of an image: channel by channel, row by row.
struct Grid {
    blocks: Vec<Block>,
    rows: usize,
    columns: usize,
}

impl Grid {
    fn new(image: &Raster) -> Self {
        let (channels, height, width) = (image.channels(), image.height(), image.width());
        let cut = |length: usize| (0..length).step_by(BLOCK).map(move |at| at..length.min(at + BLOCK));
        let blocks = (0..channels)
            .flat_map(|channel| {
                cut(height).flat_map(move |y| cut(width).map(move |x| (channel, y.clone(), x)))
            })
            .map(|(channel, y, x)| Block { channel, y, x })
            .collect();
        Self { blocks, rows: height.div_ceil(BLOCK), columns: width.div_ceil(BLOCK) }
    }

    /// A block and those that touch it, of the same channel.
    fn around(&self, index: usize) -> impl Iterator<Item = usize> {
        let (rows, columns) = (self.rows, self.columns);
        let (line, column) = (index / columns, index % columns);
        let (channel, row) = (line / rows, line % rows);
        let near = |at: usize, count: usize| at.saturating_sub(1)..count.min(at + 2);
        near(row, rows).flat_map(move |row| {
            near(column, columns).map(move |column| (channel * rows + row) * columns + column)
        })
    }
}
