//! A model pass over an image: what it works on, its rows and its latents.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use rayon::prelude::*;

use crate::diffusion::{NoiseSource, SamplingPlan, combine};
use crate::engine::meter::Meter;
use crate::error::Result;
use crate::image::{Raster, Resampler};
use crate::model::Manifest;
use crate::tiling::{Area, MemoryPlan, Workload, cut};

/// Rows of pixels that one thread updates at a time.
const STRIP_ROWS: usize = 32;

/// Samples of a plane that the calling thread updates alone: to wake others would take as long.
const ALONE: usize = 1 << 16;

/// What the network is told in one step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StepInput {
    /// The timestep in the form that the manifest names.
    pub(crate) timestep: f32,
    /// Factor of the latent.
    pub(crate) scale: f32,
}

/// One model pass over an image.
#[derive(Clone, Copy)]
pub(crate) struct ModelPass<'a> {
    pub(crate) manifest: &'a Manifest,
    pub(crate) sampling: &'a SamplingPlan,
    /// One entry per step of `sampling`.
    pub(crate) inputs: &'a [StepInput],
    pub(crate) work: &'a Workload,
    pub(crate) cut: &'a MemoryPlan,
    /// The image [C, h, w] in the bundle's value range; sides are multiples of the manifest's.
    pub(crate) lr: &'a Raster,
    /// From `lr` to the size of the result.
    pub(crate) upsampler: &'a Resampler,
    pub(crate) noise: NoiseSource,
    /// Noise of further samples, over which the result's variance is measured.
    pub(crate) others: &'a [NoiseSource],
    /// Whether all channels are alike, and the result is their mean.
    pub(crate) grey: bool,
    pub(crate) cleanup: f32,
    pub(crate) meter: &'a Meter<'a>,
    pub(crate) counts: &'a Counts,
}

/// What happened in a pass, counted by its threads.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    tiles: AtomicUsize,
    retries: AtomicUsize,
    network_nanos: AtomicU64,
}

/// What happened in a pass.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct PassReport {
    /// Network calls that gave a tile.
    pub(crate) tiles: usize,
    /// Tiles that the output guard had run again.
    pub(crate) retries: usize,
    /// Seconds inside the networks, summed over threads.
    pub(crate) network_seconds: f64,
}

impl Counts {
    pub(crate) fn timed<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let start = Instant::now();
        let result = work();
        self.network_nanos.fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
        self.tiles.fetch_add(usize::from(result.is_ok()), Ordering::Relaxed);
        result
    }

    pub(crate) fn retried(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn report(&self) -> PassReport {
        PassReport {
            tiles: self.tiles.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
            network_seconds: self.network_nanos.load(Ordering::Relaxed) as f64 * 1e-9,
        }
    }
}

impl ModelPass<'_> {
    /// The rows that go through all steps together, from top to bottom.
    pub(crate) fn bands(&self) -> Vec<Range<usize>> {
        let rows = 0..self.lr.height();
        cut(&rows, rows.len().div_ceil(self.cut.band_rows), self.work.multiple)
    }

    /// The image's low-resolution rectangle.
    pub(crate) fn bounds(&self) -> Area {
        Area { rows: 0..self.lr.height(), columns: 0..self.lr.width() }
    }

    /// The first latent of the rectangle of `rows` by `columns` at high resolution, times `factor`.
    pub(crate) fn start_latent(&self, rows: Range<usize>, columns: Range<usize>, factor: f32) -> Raster {
        let signal = self.sampling.start_signal() as f32 * factor;
        let noise = self.sampling.start_noise() as f32 * factor;
        let step = self.sampling.steps()[0].t as u32;
        let mut latent = Raster::new(self.lr.channels(), rows.len(), columns.len());
        for channel in 0..latent.channels() {
            for (index, y) in rows.clone().enumerate() {
                let row = latent.row_mut(channel, index);
                self.noise.fill(step, channel as u32, y as u32, columns.start as u32, row);
            }
        }
        if signal == 0.0 {
            latent.data_mut().iter_mut().for_each(|value| *value *= noise);
        } else {
            let upsampled = self.upsampler.resample_region(self.lr, rows, columns);
            combine(latent.data_mut(), noise, &[(signal, upsampled.data())]);
        }
        latent
    }

    /// Calls `work(channel, y, rows, u)` in parallel for strips of every plane of `raster`, whose first row is
    /// row `top` of the result; `u` are the same rows of the upsampled image, empty unless `with_u`.
    pub(crate) fn strips(
        &self,
        raster: &mut Raster,
        top: usize,
        with_u: bool,
        work: impl Fn(usize, usize, &mut [f32], &[f32]) + Sync,
    ) {
        let (width, size) = (raster.width(), raster.height() * raster.width());
        let columns = 0..width;
        for (channel, plane) in raster.data_mut().chunks_mut(size).enumerate() {
            let strip = |(strip, rows): (usize, &mut [f32])| {
                let y = top + strip * STRIP_ROWS;
                let count = rows.len() / width;
                if with_u {
                    let mut u = vec![0.0; rows.len()];
                    self.upsampler.fill(self.lr, channel, y..y + count, columns.clone(), &mut u);
                    work(channel, y, rows, &u);
                } else {
                    work(channel, y, rows, &[]);
                }
            };
            if size <= ALONE {
                plane.chunks_mut(width * STRIP_ROWS).enumerate().for_each(strip);
            } else {
                plane.par_chunks_mut(width * STRIP_ROWS).enumerate().for_each(strip);
            }
        }
    }
}
