//! Several files at the same time, so that no network waits while a file is read, put together or written.

use super::job::{Job, Page};
use super::upscale_request::UpscaleRequest;
use crate::memory::available_memory;
use crate::options::UpscaleOptions;
use crate::room::{Room, SPARE_LANES, Ticket, weight};
use crate::upscaler::Upscaler;

/// How much more work for the networks company is worth.
const WORTH: f64 = 1.05;

/// How much a picture takes outside the engine, of its decoded size: it is encoded there, and the allocator keeps some of
/// what earlier ones took. Measured.
const COPIES: u64 = 2;

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
    /// Lanes for what `request` asks of `upscaler`. With one thread there is one.
    pub fn new(request: &'a UpscaleRequest, upscaler: &'a Upscaler) -> Self {
        let count = match request.runtime.cpu_threads() as u64 {
            1 => 1,
            threads => threads + SPARE_LANES,
        };
        let memory = request.options.memory.unwrap_or_else(available_memory);
        let beside = request.options.beside_others();
        Self { request, upscaler, files: Room::new(count), pictures: Room::new(memory / 4), beside }
    }

    /// Waits for a place for `job`, one of `total`. What needs all the memory goes alone.
    pub fn enter(&self, job: &Job, total: usize) -> Lane<'_> {
        let file = self.files.enter(1);
        let bytes = job.pages.iter().map(|page| weight(page.size, page.target, page.channels + 1)).max();
        let bytes = COPIES * bytes.unwrap_or(0);
        // Where not even a second one like it had room, it may as well have all the memory.
        let alone = total == 1
            || bytes > self.pictures.total() / 2
            || job.pages.iter().any(|page| self.needs_all(page));
        let pictures = self.pictures.enter(if alone { u64::MAX } else { bytes });
        Lane {
            _file: file,
            _pictures: pictures,
            options: if alone { &self.request.options } else { &self.beside },
        }
    }

    /// Whether a page needs all the memory, or smaller tiles without it, whose halos cost more than company gains.
    fn needs_all(&self, page: &Page) -> bool {
        let work = |options| {
            let plan = self.upscaler.plan(page.size.0, page.size.1, page.channels, options).ok()?;
            Some(plan.passes.iter().map(|pass| pass.encoder_pixels + pass.denoiser_pixels).sum::<u64>() as f64)
        };
        match (work(&self.beside), work(&self.request.options)) {
            (Some(beside), Some(alone)) => beside > WORTH * alone,
            _ => true,
        }
    }
}
