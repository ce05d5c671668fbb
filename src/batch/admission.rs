//! How many files are at work at the same time, and how many bytes they may take outside the engine.

use std::sync::{Condvar, Mutex, PoisonError};

use super::planned_page::PlannedPage;
use crate::engine::{Plan, RuntimeOptions, UpscaleOptions, Upscaler};
use crate::error::Result;
use crate::tiling::available_memory::available_memory;

/// Files beside one for each thread: while some are read or written, others keep the networks busy.
const SPARE_FILES: u64 = 2;

/// How much more work for the networks is accepted, in order to make several files at a time.
const ACCEPTED_WORK: f64 = 1.05;

/// What an image takes outside the engine while it is decoded and encoded, as a multiple of its decoded size. Measured.
const OUTSIDE: u64 = 2;

/// Files whose tiles keep all networks busy; more of them at a time would only wait.
const MAX_TILED_FILES: u64 = 3;

/// A limit on the files at work, and on their bytes outside the engine.
#[derive(Debug)]
pub struct Admission {
    limit: Share,
    /// Files that there are in all, if that is known.
    total: Option<usize>,
    taken: Mutex<Share>,
    freed: Condvar,
}

/// What a file takes of the limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Share {
    /// Of the files at work; those that are cut into tiles count as several.
    files: u64,
    bytes: u64,
}

/// A file at work; dropping it admits others.
#[derive(Debug)]
pub struct Permit<'a> {
    admission: &'a Admission,
    share: Share,
}

impl Admission {
    /// For `runtime`'s threads, `memory` bytes of engine and images (what is free if absent), and `total` files, if their
    /// number is known. A single file, or a single thread, means one file at a time.
    pub fn new(runtime: &RuntimeOptions, memory: Option<u64>, total: Option<usize>) -> Self {
        let threads = runtime.cpu_threads() as u64;
        let files = if total == Some(1) || threads == 1 { 1 } else { threads + SPARE_FILES };
        Self { total, ..Self::of(Share { files, bytes: memory.unwrap_or_else(available_memory) / 4 }) }
    }

    fn of(limit: Share) -> Self {
        Self { limit, total: None, taken: Mutex::default(), freed: Condvar::new() }
    }

    /// Waits until a file of `pages` and `file_bytes` may begin, and tells what it may ask of the engine: `options`, or
    /// less where it shares the memory with others. A file that would suffer from sharing is made alone.
    pub fn admit(
        &self,
        upscaler: &Upscaler,
        options: &UpscaleOptions,
        pages: &[PlannedPage],
        file_bytes: u64,
    ) -> (Permit<'_>, UpscaleOptions) {
        match self.concurrent(upscaler, options, pages, file_bytes) {
            Some((share, options)) => (self.enter(share), options),
            None => (self.exclusive(), options.clone()),
        }
    }

    /// Waits until no file is at work.
    pub fn exclusive(&self) -> Permit<'_> {
        self.enter(Share { files: self.limit.files, bytes: u64::MAX })
    }

    /// The share and the options of a file that is made at the same time as others; `None` where it must be made alone.
    fn concurrent(
        &self,
        upscaler: &Upscaler,
        options: &UpscaleOptions,
        pages: &[PlannedPage],
        file_bytes: u64,
    ) -> Option<(Share, UpscaleOptions)> {
        if self.limit.files == 1 {
            return None;
        }
        // Where files are few, even small images are cut into tiles, so that all networks have work.
        let among_others = self.total.is_none_or(|total| total >= upscaler.networks());
        let concurrent = UpscaleOptions { memory: shared_memory(options), among_others, ..options.clone() };
        let plans =
            |options| pages.iter().map(|page| page.plan(upscaler, options)).collect::<Result<Vec<_>>>();
        let (shared, alone) = (plans(&concurrent).ok()?, plans(options));
        if alone.is_ok_and(|alone| work(&shared) > ACCEPTED_WORK * work(&alone)) {
            return None;
        }
        let tiled = pages.iter().zip(&shared).any(|(page, plan)| is_tiled(page, plan));
        let files = if tiled { (upscaler.networks() as u64 / MAX_TILED_FILES).max(1) } else { 1 };
        let decoded = pages.iter().map(PlannedPage::decoded_bytes).max().unwrap_or(0);
        let bytes = OUTSIDE.saturating_mul(decoded).saturating_add(file_bytes);
        // Where not even a second one like it had room, it may as well have all the memory.
        (bytes <= self.limit.bytes / 2).then_some((Share { files, bytes }, concurrent))
    }

    /// Waits until `share` fits beside what is taken, or nothing is.
    fn enter(&self, share: Share) -> Permit<'_> {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = |taken: &mut Share| {
            taken.files > 0
                && (taken.files + share.files > self.limit.files
                    || taken.bytes.saturating_add(share.bytes) > self.limit.bytes)
        };
        let mut taken = self.freed.wait_while(taken, is_full).unwrap_or_else(PoisonError::into_inner);
        taken.files += share.files;
        taken.bytes = taken.bytes.saturating_add(share.bytes);
        Permit { admission: self, share }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut taken = self.admission.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.files -= self.share.files;
        taken.bytes = taken.bytes.saturating_sub(self.share.bytes);
        self.admission.freed.notify_all();
    }
}

/// Pixels that run through the networks.
fn work(plans: &[Plan]) -> f64 {
    plans.iter().map(|plan| plan.cost(1.0, 1.0)).sum()
}

/// Whether a page is more than one tile.
fn is_tiled(page: &PlannedPage, plan: &Plan) -> bool {
    let (width, height) = page.size;
    let small = |side: usize| side.div_ceil(plan.deblur);
    plan.passes.len() > 1
        || plan.passes.iter().any(|pass| pass.tile_width < small(width) || pass.tile_height < small(height))
}

/// The engine's memory where several files are at work: a quarter is left to those outside the engine.
fn shared_memory(options: &UpscaleOptions) -> Option<u64> {
    options.memory.map(|bytes| bytes / 4 * 3)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::settings::Settings;
    use crate::tiling::available_memory::PROGRAM_BYTES;

    #[test]
    fn small_files_share_and_large_ones_are_made_alone() {
        let admission = Admission::of(Share { files: 3, bytes: 10 });
        let (sender, receiver) = channel();
        let enter = |bytes| admission.enter(Share { files: 1, bytes });
        let (a, b) = (enter(5), enter(5));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let large = enter(99);
                sender.send(*admission.taken.lock().unwrap()).unwrap();
                drop(large);
            });
            drop(a);
            drop(b);
            assert_eq!(receiver.recv(), Ok(Share { files: 1, bytes: 99 }));
        });
        let (_a, alone) = (enter(1), || admission.exclusive());
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| drop(alone()));
            drop(_a);
            waiting.join().unwrap();
        });
        assert_eq!(*admission.taken.lock().unwrap(), Share::default());
    }

    #[test]
    fn the_memory_is_shared_by_the_program_the_engine_and_images_outside_it() {
        let memory = Some("1G".parse().unwrap());
        let options = Settings { memory, ..Settings::default() }.options().unwrap();
        let admission = Admission::new(&RuntimeOptions::default(), options.memory, None);
        let engine = shared_memory(&options).unwrap();
        assert_eq!(engine + admission.limit.bytes + PROGRAM_BYTES, 1 << 30);
    }

    #[test]
    fn little_memory_means_few_threads() {
        let threads = |memory: Option<u64>| {
            RuntimeOptions { threads: Some(16), memory, ..RuntimeOptions::default() }.cpu_threads()
        };
        assert_eq!([None, Some(64 << 30)].map(threads), [16, 16]);
        assert_eq!([Some(1 << 20), Some(512 << 20)].map(threads), [1, 2]);
    }

    #[test]
    fn the_number_of_files_is_limited_too() {
        let admission = Admission::of(Share { files: 2, bytes: 100 });
        let first = admission.enter(Share { files: 2, bytes: 1 });
        let entered = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                drop(admission.enter(Share { files: 1, bytes: 1 }));
                entered.store(true, std::sync::atomic::Ordering::SeqCst);
            });
            std::thread::yield_now();
            assert!(!entered.load(std::sync::atomic::Ordering::SeqCst));
            drop(first);
            waiting.join().unwrap();
        });
        assert!(entered.into_inner());
    }
}
