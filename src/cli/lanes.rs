//! Several files at the same time, so that no network waits while a file is read, put together or written.

use std::fs;

use super::args::upscale_request::UpscaleRequest;
use super::job::{Job, Page};
use crate::batch::byte_budget::{Room, SPARE_LANES, Ticket, weight};
use crate::engine::Plan;
use crate::engine::Upscaler;
use crate::engine::options::UpscaleOptions;
use crate::error::Result;
use crate::tiling::available_memory::available_memory;

/// How much more work for the networks company is worth.
const WORTHWHILE: f64 = 1.05;

/// How much a picture takes outside the engine, of its decoded size: it is encoded there, and the allocator keeps some of
/// what earlier ones took. Measured.
const OUTSIDE: u64 = 2;

/// Files whose tiles occupy all networks; more of them at a time would only wait.
const CUT: u64 = 3;

/// How many files may be under way, and how large they may be.
pub struct Lanes<'a> {
    request: &'a UpscaleRequest,
    upscaler: &'a Upscaler,
    files: Room,
    /// Bytes of pictures outside the engine.
    pictures: Room,
    /// What files ask of the engine that are made beside others.
    beside: UpscaleOptions,
}

/// A file's place among those under way; dropping it lets others in.
pub struct Lane<'a> {
    _file: Ticket<'a>,
    _pictures: Ticket<'a>,
    /// What the file may ask of the engine.
    pub options: &'a UpscaleOptions,
}

impl<'a> Lanes<'a> {
    /// Lanes for what `request` asks of `upscaler`, in `total` files.
    pub fn new(request: &'a UpscaleRequest, upscaler: &'a Upscaler, total: usize) -> Self {
        let threads = request.runtime.cpu_threads() as u64;
        let memory = request.options.memory.unwrap_or_else(available_memory);
        // Of few pictures even small ones are cut, for all networks to have work.
        let beside =
            UpscaleOptions { among_others: total >= upscaler.networks(), ..request.options.beside_others() };
        Self {
            request,
            upscaler,
            files: Room::new(if total == 1 || threads == 1 { 1 } else { threads + SPARE_LANES }),
            pictures: Room::new(memory / 4),
            beside,
        }
    }

    /// Waits for a place for `job`. What needs all the memory goes alone.
    pub fn enter(&self, job: &Job) -> Lane<'_> {
        let (files, bytes, options) = match self.needs(job) {
            Some((files, bytes)) => (files, bytes, &self.beside),
            None => (self.files.total(), u64::MAX, &self.request.options),
        };
        Lane { _file: self.files.enter(files), _pictures: self.pictures.enter(bytes), options }
    }

    /// The shares of `files` and `pictures` that `job` takes beside others; `None` where it must go alone.
    fn needs(&self, job: &Job) -> Option<(u64, u64)> {
        if self.files.total() == 1 {
            return None;
        }
        let plans = |options| {
            job.pages.iter().map(|page| page.plan(self.upscaler, options)).collect::<Result<Vec<_>>>()
        };
        let (beside, alone) = (plans(&self.beside), plans(&self.request.options));
        let beside = beside.ok()?;
        if alone.is_ok_and(|alone| work(&beside) > WORTHWHILE * work(&alone)) {
            return None;
        }
        let cut = job.pages.iter().zip(&beside).any(|(page, plan)| is_cut(page, plan));
        let files = if cut { (self.upscaler.networks() as u64 / CUT).max(1) } else { 1 };
        let decoded = job.pages.iter().map(|page| weight(page.size, page.target, page.channels + 1)).max();
        let file = fs::metadata(&job.input.path).map_or(0, |file| file.len());
        let bytes = OUTSIDE.saturating_mul(decoded.unwrap_or(0)).saturating_add(file);
        // Where not even a second one like it had room, it may as well have all the memory.
        (bytes <= self.pictures.total() / 2).then_some((files, bytes))
    }
}

/// Pixels that run through the networks.
fn work(plans: &[Plan]) -> f64 {
    let passes = plans.iter().flat_map(|plan| &plan.passes);
    passes.map(|pass| (pass.encoder_pixels + pass.denoiser_pixels) as f64).sum()
}

/// Whether a page is more than one tile.
fn is_cut(page: &Page, plan: &Plan) -> bool {
    let (width, height) = page.size;
    plan.passes.len() > 1
        || plan.passes.iter().any(|pass| pass.tile_width < width || pass.tile_height < height)
}
