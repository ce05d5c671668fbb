//! Rows that advance together through all denoising steps.

use std::ops::Range;
use std::sync::Mutex;

use crate::diffusion::{PlanStep, combine};
use crate::engine::pass::ModelPass;
use crate::engine::tile::{TileConditions, predict_tile};
use crate::engine::workers::{Worker, Workers};
use crate::error::Result;
use crate::image::Raster;
use crate::model::{Conditioning, TilingKind};
use crate::runtime::is_out_of_memory;
use crate::tiling::{Area, MIN_TILE, blend_window, extend, relative, scaled, tiles};

/// A band of a pass. Its latents reach beyond its rows by the halo of all steps still to come.
pub(crate) struct Band<'a> {
    pass: &'a ModelPass<'a>,
    rows: Range<usize>,
}

impl<'a> Band<'a> {
    pub(crate) fn new(pass: &'a ModelPass<'a>, rows: Range<usize>) -> Self {
        Self { pass, rows }
    }

    /// The final prediction for the band's rows, [C, s rows, s w], from the [`conditions`](Self::conditions) of the
    /// same rows.
    pub(crate) fn run(&self, workers: &Workers, conditions: &TileConditions) -> Result<Raster> {
        let steps = self.pass.sampling.steps();
        let scale = self.pass.work.scale;
        let held = self.reach(steps.len());
        let mut latent = (steps.len() > 1).then(|| {
            let mut latent =
                Raster::new(self.pass.lr.channels(), held.len() * scale, self.pass.lr.width() * scale);
            self.start(&mut latent, held.start * scale);
            latent
        });
        let predicted = self.reach(steps.len() - 1);
        let mut target = self.empty_prediction(&predicted);
        let mut previous = self.pass.work.keeps_previous.then(|| self.empty_prediction(&predicted));
        for (index, step) in steps.iter().enumerate() {
            let rows = self.reach(steps.len() - 1 - index);
            let held = latent.as_ref().map(|latent| (latent, held.start));
            let target_rows = Mutex::new((&mut target, predicted.start));
            self.predict(workers, index, &rows, held, conditions, &target_rows)?;
            if let (Some(latent), true) = (&mut latent, step.s > 0) {
                let held = self.reach(steps.len());
                self.advance(step, latent, held.start, &rows, (&target, previous.as_ref(), predicted.start));
            }
            if let Some(previous) = &mut previous {
                std::mem::swap(previous, &mut target);
            }
        }
        // The last prediction was swapped away with the others.
        let target = previous.unwrap_or(target);
        if predicted == self.rows {
            return Ok(target);
        }
        Ok(target.crop(scaled(&relative(&self.rows, &predicted), scale), 0..target.width()))
    }

    /// The rows needed while `remaining` steps are still to come after this one's prediction.
    fn reach(&self, remaining: usize) -> Range<usize> {
        extend(&self.rows, remaining * self.pass.work.denoiser_halo, &self.pass.bounds().rows)
    }

    fn empty_prediction(&self, rows: &Range<usize>) -> Raster {
        let scale = self.pass.work.scale;
        Raster::new(self.pass.lr.channels(), rows.len() * scale, self.pass.lr.width() * scale)
    }

    fn cut(&self, rows: &Range<usize>) -> Vec<Area> {
        let area = Area { rows: rows.clone(), columns: self.pass.bounds().columns };
        tiles(&area, self.pass.cut.tile_height, self.pass.cut.tile_width, self.pass.work.multiple)
    }

    /// Runs the encoder once over everything that the steps will look at.
    pub(crate) fn conditions(&self, workers: &Workers) -> Result<TileConditions> {
        let pass = self.pass;
        match pass.manifest.conditioning {
            Conditioning::Lr => return Ok(TileConditions::Lr),
            Conditioning::Upsampled => return Ok(TileConditions::Upsampled),
            Conditioning::Features => {}
        }
        let rows = self.reach(pass.sampling.steps().len());
        let encode = |worker: &Worker<'_>, input: &Area| {
            let lr = pass.lr.crop(input.rows.clone(), input.columns.clone());
            let features = worker.run(|network| pass.counts.timed(|| network.encode(&lr, pass.cleanup)))?;
            pass.meter.add(input.size() as f64 * pass.work.encoder_cost, 0, pass.sampling.steps().len());
            Ok(features)
        };
        if let TilingKind::Blend { .. } = pass.manifest.tiling {
            let areas: Vec<_> = self
                .cut(&rows)
                .iter()
                .map(|tile| tile.extended(pass.work.denoiser_halo, &pass.bounds()))
                .collect();
            let slots: Vec<Mutex<Option<Raster>>> = areas.iter().map(|_| Mutex::new(None)).collect();
            workers.for_each(&areas, pass.meter, |worker, index, area| {
                *slots[index].lock().expect("no panic while held") = Some(encode(worker, area)?);
                Ok(())
            })?;
            let features =
                slots.into_iter().filter_map(|slot| slot.into_inner().expect("no panic while held"));
            return Ok(TileConditions::PerTile(features.collect()));
        }
        let map = Mutex::new(Raster::new(pass.work.features, rows.len(), pass.lr.width()));
        workers.for_each(&self.cut(&rows), pass.meter, |worker, _, core| {
            in_parts(core, pass.work.multiple, &|core| {
                let input = core.extended(pass.work.encoder_halo, &pass.bounds());
                let features = encode(worker, &input)?;
                map.lock().expect("no panic while held").paste(
                    &features,
                    relative(&core.rows, &input.rows),
                    relative(&core.columns, &input.columns),
                    core.rows.start - rows.start,
                    core.columns.start,
                );
                Ok(())
            })
        })?;
        let features = map.into_inner().expect("no panic while held");
        Ok(TileConditions::Map { features, top: rows.start })
    }

    /// Fills the first latent, whose first row is row `top` of the result.
    fn start(&self, latent: &mut Raster, top: usize) {
        let plan = self.pass.sampling;
        let (signal, noise) = (plan.start_signal() as f32, plan.start_noise() as f32);
        let width = latent.width();
        self.pass.strips(latent, top, signal != 0.0, |channel, y, values, u| {
            for (index, row) in values.chunks_mut(width).enumerate() {
                self.pass.noise.fill(plan.steps()[0].t as u32, channel as u32, (y + index) as u32, 0, row);
            }
            combine(values, noise, &[(signal, u)]);
        });
    }

    /// Predicts the target of every tile of `rows` into `target` (with the row where it begins).
    fn predict(
        &self,
        workers: &Workers,
        step: usize,
        rows: &Range<usize>,
        latent: Option<(&Raster, usize)>,
        conditions: &TileConditions,
        target: &Mutex<(&mut Raster, usize)>,
    ) -> Result<()> {
        let pass = self.pass;
        let cores = self.cut(rows);
        let halo = pass.work.denoiser_halo;
        let count = |input: &Area| {
            pass.meter.add(input.size() as f64, step + 1, pass.sampling.steps().len());
        };
        let scale = pass.work.scale;
        if let TilingKind::Exact = pass.manifest.tiling {
            return workers.for_each(&cores, pass.meter, |worker, index, core| {
                in_parts(core, pass.work.multiple, &|core| {
                    let input = core.extended(halo, &pass.bounds());
                    let tile =
                        predict_tile(pass, worker, step, index, core, &input, core, latent, conditions)?;
                    let mut target = target.lock().expect("no panic while held");
                    let top = (core.rows.start - target.1) * scale;
                    let left = core.columns.start * scale;
                    target.0.paste_all(&tile, top, left);
                    drop(target);
                    count(&input);
                    Ok(())
                })
            });
        }
        let slots: Vec<Mutex<Option<Raster>>> = cores.iter().map(|_| Mutex::new(None)).collect();
        workers.for_each(&cores, pass.meter, |worker, index, core| {
            let input = core.extended(halo, &pass.bounds());
            let tile = predict_tile(pass, worker, step, index, core, &input, &input, latent, conditions)?;
            *slots[index].lock().expect("no panic while held") = Some(tile);
            count(&input);
            Ok(())
        })?;
        let tiles: Vec<_> =
            slots.into_iter().filter_map(|slot| slot.into_inner().expect("no panic while held")).collect();
        blend(target.lock().expect("no panic while held").0, &tiles, &cores, halo, scale, &pass.bounds());
        Ok(())
    }

    /// Replaces the latent by that of the step's end, over `rows`.
    fn advance(
        &self,
        step: &PlanStep,
        latent: &mut Raster,
        latent_top: usize,
        rows: &Range<usize>,
        (target, previous, target_top): (&Raster, Option<&Raster>, usize),
    ) {
        let scale = self.pass.work.scale;
        let coefficients = &step.step;
        let own = coefficients.latent as f32;
        let (top, width) = (latent_top * scale, latent.width());
        let wanted = scaled(rows, scale);
        let height = target.height();
        self.pass.strips(latent, top, coefficients.upsampled != 0.0, |channel, y, values, u| {
            let mut noise = vec![0.0; if coefficients.noise == 0.0 { 0 } else { width }];
            for (index, row) in values.chunks_mut(width).enumerate() {
                let y = y + index;
                if !wanted.contains(&y) {
                    continue;
                }
                let below = y - target_top * scale;
                debug_assert!(below < height);
                self.pass.noise.fill(step.s as u32, channel as u32, y as u32, 0, &mut noise);
                let u = if u.is_empty() { u } else { &u[index * width..(index + 1) * width] };
                let previous = previous.map_or(&[][..], |previous| previous.row(channel, below));
                combine(
                    row,
                    own,
                    &[
                        (coefficients.prediction as f32, target.row(channel, below)),
                        (coefficients.previous_prediction as f32, previous),
                        (coefficients.upsampled as f32, u),
                        (coefficients.noise as f32, &noise),
                    ],
                );
            }
        });
    }
}

/// Does `work` for a tile, or for parts of it where the device has no memory for more at a time.
fn in_parts(tile: &Area, multiple: usize, work: &dyn Fn(&Area) -> Result<()>) -> Result<()> {
    let done = work(tile);
    let halves = match &done {
        Err(error) if is_out_of_memory(error) => tile.halves(MIN_TILE, multiple),
        _ => None,
    };
    halves.map_or(done, |halves| halves.iter().try_for_each(|half| in_parts(half, multiple, work)))
}

/// Mixes overlapping tiles into `target`. In the tiles' order, so that the sum never depends on threads.
fn blend(target: &mut Raster, tiles: &[Raster], cores: &[Area], halo: usize, scale: usize, bounds: &Area) {
    target.data_mut().fill(0.0);
    let mut sum = vec![0.0f32; target.height() * target.width()];
    let width = target.width();
    for (tile, core) in tiles.iter().zip(cores) {
        let input = core.extended(halo, bounds).scaled(scale);
        let core = core.scaled(scale);
        let vertical = blend_window::weights(&input.rows, &core.rows);
        let horizontal = blend_window::weights(&input.columns, &core.columns);
        for (index, y) in input.rows.clone().enumerate() {
            let row_weight = vertical[index];
            for channel in 0..tile.channels() {
                let to = &mut target.row_mut(channel, y)[input.columns.clone()];
                for ((to, from), weight) in to.iter_mut().zip(tile.row(channel, index)).zip(&horizontal) {
                    *to += from * weight * row_weight;
                }
            }
            let total = &mut sum[y * width..][input.columns.clone()];
            for (total, weight) in total.iter_mut().zip(&horizontal) {
                *total += weight * row_weight;
            }
        }
    }
    for channel in 0..target.channels() {
        for (value, total) in target.plane_mut(channel).iter_mut().zip(&sum) {
            *value /= total;
        }
    }
}
