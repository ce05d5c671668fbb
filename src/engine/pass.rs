//! A whole picture through the model once.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use rayon::prelude::*;

use crate::diffusion::{LatentForm, NoiseField, SamplingPlan, combine};
use crate::engine::band::Band;
use crate::engine::spread::Spread;
use crate::engine::{Meter, Workers};
use crate::error::Result;
use crate::image::{Raster, Resampler};
use crate::model::Manifest;
use crate::tiling::{Area, MemoryPlan, Workload, cut, scaled};

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

/// One model pass over a picture.
#[derive(Clone, Copy)]
pub(crate) struct ModelPass<'a> {
    pub(crate) manifest: &'a Manifest,
    pub(crate) sampling: &'a SamplingPlan,
    /// One entry per step of `sampling`.
    pub(crate) inputs: &'a [StepInput],
    pub(crate) work: &'a Workload,
    pub(crate) cut: &'a MemoryPlan,
    /// The picture [C, h, w] in the bundle's value range; sides are multiples of the manifest's.
    pub(crate) lr: &'a Raster,
    /// From `lr` to the size of the result.
    pub(crate) upsampler: &'a Resampler,
    pub(crate) noise: NoiseField,
    /// Noise of further samples, over which the result's variance is measured.
    pub(crate) others: &'a [NoiseField],
    /// Whether all channels are alike, and the result is their mean.
    pub(crate) grey: bool,
    pub(crate) cleanup: f32,
    pub(crate) meter: &'a Meter<'a>,
    pub(crate) counts: &'a Counts,
}

/// What a pass makes.
pub(crate) struct Enlarged {
    /// The result [C, s h, s w], black 0 and white 1, not clipped.
    pub(crate) picture: Raster,
    /// The variance of each pixel over the samples [1, s h, s w], if there are others than the result.
    pub(crate) variance: Option<Raster>,
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
    pub(crate) fn timed<T>(&self, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        self.network_nanos.fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
        self.tiles.fetch_add(1, Ordering::Relaxed);
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
    /// The whole picture's result.
    pub(crate) fn run(&self, workers: &Workers) -> Result<Enlarged> {
        let bands = self.bands();
        if let [rows] = &bands[..] {
            return self.band(workers, rows.clone());
        }
        let scale = self.work.scale;
        let (height, width) = (self.lr.height() * scale, self.lr.width() * scale);
        let mut picture = Raster::new(self.lr.channels(), height, width);
        let mut variance = (!self.others.is_empty()).then(|| Raster::new(1, height, width));
        for rows in bands {
            let top = rows.start * scale;
            let band = self.band(workers, rows)?;
            let whole = |raster: &Raster| (0..raster.height(), 0..raster.width());
            let (y, x) = whole(&band.picture);
            picture.paste(&band.picture, y.clone(), x.clone(), top, 0);
            if let (Some(variance), Some(part)) = (&mut variance, &band.variance) {
                variance.paste(part, y, x, top, 0);
            }
        }
        Ok(Enlarged { picture, variance })
    }

    /// The rows that go through all steps together, from top to bottom.
    pub(crate) fn bands(&self) -> Vec<Range<usize>> {
        let rows = 0..self.lr.height();
        cut(&rows, rows.len().div_ceil(self.cut.band_rows), self.work.multiple)
    }

    /// The result of some rows.
    pub(crate) fn band(&self, workers: &Workers, rows: Range<usize>) -> Result<Enlarged> {
        let target = scaled(&rows, self.work.scale);
        let band = Band::new(self, rows.clone());
        let conditions = band.conditions(workers)?;
        let mut picture = band.run(workers, &conditions)?;
        self.finish(&mut picture, &target);
        if self.others.is_empty() {
            return Ok(Enlarged { picture, variance: None });
        }
        let mut spread = Spread::new(&picture, self.grey);
        for &noise in self.others {
            let pass = Self { noise, ..*self };
            let mut sample = Band::new(&pass, rows.clone()).run(workers, &conditions)?;
            self.finish(&mut sample, &target);
            spread.add(&sample);
        }
        let variance = Some(spread.variance());
        Ok(Enlarged { picture, variance })
    }

    /// The picture's low-resolution rectangle.
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
    /// row `top` of the result; `u` are the same rows of the upsampled picture, empty unless `with_u`.
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

    /// Turns the last prediction into the picture, black 0 and white 1.
    fn finish(&self, prediction: &mut Raster, rows: &Range<usize>) {
        let residual = self.sampling.form() == LatentForm::Residual;
        let [black, white] = self.manifest.value_range;
        let factor = 1.0 / (white - black);
        self.strips(prediction, rows.start, residual, |_, _, values, u| {
            if residual {
                combine(values, 1.0, &[(1.0, u)]);
            }
            values.iter_mut().for_each(|value| *value = (*value - black) * factor);
        });
    }
}
