//! What a run would do: sizes, cuts, memory and time.

use std::time::Duration;

use super::upscaler::Upscaler;
use crate::engine::meter::Meter;
use crate::engine::options::{UpscaleOptions, check_deblur};
use crate::engine::probe::probe;
use crate::engine::sampling::Sampling;
use crate::engine::workload::workload;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Manifest, TilingKind};
use crate::progress::{CancelToken, NoProgress};
use crate::tiling::available_memory::available_memory;
use crate::tiling::{MemoryPlan, Workload};

/// Pixels, of the smaller image, that the kernels of upsamplers reach.
const UPSAMPLED: usize = 3;

/// What a run would do.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Width of the result.
    pub width: usize,
    /// Height of the result.
    pub height: usize,
    /// Sampling settings.
    pub sampling: Sampling,
    /// The factor by which the image is made smaller first, against blur; 1: not at all.
    pub deblur: usize,
    /// The cut of every model pass; there is more than one where the factor exceeds the bundle's, and none where the
    /// image is only shrunk.
    pub passes: Vec<MemoryPlan>,
    /// Whether what the last pass makes is handed on in strips and never held as a whole.
    pub streamed: bool,
    /// Expected peak in bytes of what the engine holds.
    pub bytes: u64,
    /// Channels that run through the model one after another (a greyscale bundle on a colour image).
    pub repeats: usize,
}

impl Plan {
    /// The time of an encoder and of a denoiser step for a pixel -> the time of all passes.
    pub(crate) fn cost(&self, encoder: f64, denoiser: f64) -> f64 {
        let cost = |p: &MemoryPlan| p.encoder_pixels as f64 * encoder + p.denoiser_pixels as f64 * denoiser;
        self.passes.iter().map(cost).sum::<f64>() * self.repeats as f64
    }
}

/// How a result is handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// As one raster.
    Whole,
    /// In strips, where the options allow it.
    Strips,
}

impl Upscaler {
    /// What upscaling an image of `width` x `height` pixels and `channels` (1 or 3) would do.
    ///
    /// # Errors
    /// As [`upscale`](Self::upscale), before any work.
    pub fn plan(
        &self,
        width: usize,
        height: usize,
        channels: usize,
        options: &UpscaleOptions,
    ) -> Result<Plan> {
        self.planned((width, height, channels), options, budget(options), Delivery::Whole)
    }

    /// Whether the result for an image of that size may leave out damage: the model enlarges it, and it need not agree with the
    /// image.
    ///
    /// # Errors
    /// `InvalidOption` for an unknown preset or an impossible size.
    pub fn may_repair(&self, width: usize, height: usize, options: &UpscaleOptions) -> Result<bool> {
        let plain = UpscaleOptions { cleanup: 0.0, deblur: 1, ..options.clone() };
        let sampling = Sampling::resolve(self.manifest(), &plain)?;
        let size = options.target.resolve(width, height, self.manifest().scale)?;
        Ok(sampling.consistency == 0 && !is_no_larger(size, (width, height)))
    }

    /// As [`plan`](Self::plan), within `budget` bytes.
    pub(super) fn planned(
        &self,
        (width, height, channels): (usize, usize, usize),
        options: &UpscaleOptions,
        budget: u64,
        delivery: Delivery,
    ) -> Result<Plan> {
        options.validate()?;
        if width == 0 || height == 0 {
            return Err(Error::new(
                ErrorKind::Input,
                format!("the image is {width}x{height}: expected at least 1x1 pixels"),
            ));
        }
        if !matches!(channels, 1 | 3) {
            return Err(Error::new(
                ErrorKind::Input,
                format!("the image has {channels} channels: expected 1 or 3"),
            ));
        }
        let manifest = self.manifest();
        let sampling = Sampling::resolve(manifest, options)?;
        sampling.plan(manifest, &self.trajectory)?;
        let target = options.target.resolve(width, height, manifest.scale)?;
        let deblur = options.deblur;
        check_deblur(deblur, manifest)?;
        let raster = |(width, height): (usize, usize)| (4 * channels * width * height) as u64;
        // The image itself is held beside a smaller one.
        let beside = if deblur > 1 { raster((width, height)) } else { 0 };
        let streams = self.streams(&sampling, channels, options);
        let (mut w, mut h) = (width.div_ceil(deblur), height.div_ceil(deblur));
        let mut passes = Vec::new();
        let mut streamed = false;
        // Such a result needs no model, unless damage is to be left out.
        let mut enough = is_no_larger(target, (width, height)) && !options.repairs();
        while !enough {
            let work = self.workload(w, h, &sampling, options);
            (h, w) = self.size_after((height, width), deblur, passes.len() + 1);
            enough = w >= target.0 && h >= target.1 || manifest.scale == 1;
            let streams = streams && enough;
            let work = Workload { corrected: work.corrected && enough, beside, ..work };
            let pass;
            (pass, streamed) = match delivery {
                Delivery::Whole if streams && (w, h) != target => {
                    choose_for_a_smaller_result(work, budget, raster(target))?
                }
                _ => {
                    let streamed = streams && delivery == Delivery::Strips;
                    (MemoryPlan::choose(&Workload { streamed, ..work }, budget)?, streamed)
                }
            };
            passes.push(pass);
        }
        if options.uncertainty.is_some() && passes.len() != 1 {
            return Err(Error::invalid_option(format!(
                "uncertainty is measured over one pass of the model: the result must be larger than the image, \
                 and at most {} times as large",
                manifest.scale / deblur
            )));
        }
        let rasters = raster((width, height)) + raster(target);
        let bytes = passes.iter().map(|pass| pass.bytes).max().unwrap_or(rasters);
        let repeats = if channels > manifest.channels { channels } else { 1 };
        let (width, height) = target;
        Ok(Plan { width, height, sampling, deblur, passes, streamed, bytes, repeats })
    }

    /// Whether a result can leave before all of it is there.
    fn streams(&self, sampling: &Sampling, channels: usize, options: &UpscaleOptions) -> bool {
        let exact = self.manifest().tiling == TilingKind::Exact;
        let colours = channels <= self.manifest().channels;
        exact && colours && sampling.consistency == 0 && options.uncertainty.is_none()
    }

    /// The workload of one pass over an image of `width` x `height` pixels.
    pub(super) fn workload(
        &self,
        width: usize,
        height: usize,
        sampling: &Sampling,
        options: &UpscaleOptions,
    ) -> Workload {
        workload(self.manifest(), width, height, sampling, options, self.networks(), self.encoder_cost)
    }

    /// How many pixels of the image around a pixel have a part in its result, at most, as in `plan`. Of networks that see
    /// everything, as many as overlap.
    pub fn reach(&self, plan: &Plan) -> usize {
        let Manifest { encoder, denoiser, tiling, size_multiple, scale, .. } = self.manifest();
        let denoiser = match tiling {
            TilingKind::Exact => denoiser.halo,
            TilingKind::Blend { overlap } => *overlap,
        };
        let encoder = encoder.as_ref().map_or(0, |encoder| encoder.halo).next_multiple_of(*size_multiple);
        let steps = plan.sampling.steps * denoiser.next_multiple_of(*size_multiple);
        // A later pass sees finer pixels.
        let passes = (0..plan.passes.len() as i32)
            .map(|pass| (encoder + steps + UPSAMPLED) as f64 / (*scale as f64).powi(pass));
        let smaller = if plan.deblur > 1 { UPSAMPLED as f64 } else { 0.0 };
        ((passes.sum::<f64>() + smaller) * plan.deblur as f64).ceil() as usize
    }

    /// How long `plan` takes here, from running the networks on a small square.
    ///
    /// # Errors
    /// As the networks fail.
    pub fn estimate(&self, plan: &Plan) -> Result<Duration> {
        let cancel = CancelToken::new();
        let meter = Meter::new(&NoProgress, &cancel, 1.0, self.admission.order());
        let (encoder, denoiser) = self.workers.lend(&meter, |network| probe(self.manifest(), network))?;
        Ok(Duration::from_secs_f64(plan.cost(encoder, denoiser) / self.networks() as f64))
    }
}

/// The cut of a last pass that makes more pixels than the result of `result` bytes has, and whether they are handed on
/// in strips: where holding all of them would leave less room for tiles.
fn choose_for_a_smaller_result(work: Workload, budget: u64, result: u64) -> Result<(MemoryPlan, bool)> {
    let whole = MemoryPlan::choose(&work, budget);
    let beside = work.beside + result;
    let streamed = MemoryPlan::choose(&Workload { streamed: true, beside, ..work }, budget);
    match (whole, streamed) {
        (Ok(whole), Ok(streamed)) if whole.overhead > streamed.overhead => Ok((streamed, true)),
        (Ok(whole), _) => Ok((whole, false)),
        (Err(_), streamed) => Ok((streamed?, true)),
    }
}

/// Whether a result of `size` (width, height) is no larger than an image of `image`.
fn is_no_larger(size: (usize, usize), image: (usize, usize)) -> bool {
    size.0 <= image.0 && size.1 <= image.1
}

/// Bytes that a call may take.
pub(super) fn budget(options: &UpscaleOptions) -> u64 {
    options.memory.unwrap_or_else(|| available_memory() / 2)
}
