//! The slices of a volume through the engine, several at a time, in their order.

use std::panic::resume_unwind;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::intensity::{Slice, Window};
use super::kspace::Resizer;
use super::layout::{Scratch, slice};
use super::nifti::Data;
use super::plan::Plan;
use super::summary::Figures;
use super::task::Listener;
use crate::engine::{Report, UpscaleOptions, Upscaled, Upscaler};
use crate::error::Result;
use crate::image::{Kernel, Raster, resize};
use crate::progress::{CancelToken, ProgressEvent};

/// Voxels that are copied at once.
const COPIED: usize = 1 << 20;

/// Parts of a slice's work, for progress.
const PARTS: f64 = 1e6;

/// How the slices of a volume are made.
pub struct Slices<'a> {
    pub plan: &'a Plan,
    pub window: Window,
    pub options: UpscaleOptions,
    /// For a temporary file, where slices do not lie in the order of the file.
    pub folder: &'a Path,
    /// What reduces slices to what was acquired, if that was asked for.
    pub resizer: Option<Resizer>,
}

/// The result of all slices.
#[derive(Default)]
pub struct Outcome {
    /// Slices that went through the network.
    pub made: usize,
    /// Slices of air.
    pub flat: usize,
    /// Input against result.
    pub figures: Figures,
    /// Of all slices together.
    pub report: Option<Report>,
}

/// A finished slice.
struct Finished {
    bytes: Vec<u8>,
    slice: Slice,
    /// The result in the size of the input.
    shrunk: Raster,
    report: Option<Report>,
}

/// What `work` makes of each of `items`, all at the same time, in their order.
pub(super) fn at_once<T: Send, R: Send>(
    items: Vec<T>,
    work: impl Fn(usize, T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let work = &work;
    thread::scope(|scope| {
        let items = items.into_iter().enumerate();
        let workers: Vec<_> = items.map(|(at, item)| scope.spawn(move || work(at, item))).collect();
        let ended =
            workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic)));
        // All have to end, also after a failure.
        ended.collect::<Vec<_>>().into_iter().collect()
    })
}

/// A slice enlarged to `height` x `width`, the size that `options` ask for; one of air without the network.
pub(super) fn enlarge(
    slice: &Slice,
    upscaler: &Upscaler,
    options: &UpscaleOptions,
    (height, width): (usize, usize),
    progress: &Progress<'_>,
    cancel: &CancelToken,
) -> Result<(Raster, Option<Report>)> {
    cancel.check()?;
    let part = progress.part();
    let (mut result, report) = if slice.is_flat() {
        part.tell(ProgressEvent { fraction: 1.0, step: 0, steps: 0 });
        (resize(&slice.inside, height, width, Kernel::Linear), None)
    } else {
        let report = |event: ProgressEvent| part.tell(event);
        let Upscaled { image, report, .. } = upscaler.upscale(&slice.inside, options, &report, cancel)?;
        (image, Some(report))
    };
    slice.add_outside(&mut result);
    Ok((result, report))
}

/// How far all slices are.
pub(super) struct Progress<'a> {
    listener: &'a dyn Listener,
    slices: usize,
    /// In [`PARTS`] of a slice.
    done: AtomicU64,
}

impl Slices<'_> {
    /// Hands the voxels of the result to `take`, block by block in the order of the file.
    ///
    /// # Errors
    /// As the input cannot be read or the engine fails; what `take` returns; `Cancelled`.
    pub fn make(
        &self,
        upscaler: &Upscaler,
        listener: &dyn Listener,
        cancel: &CancelToken,
        mut take: impl FnMut(Vec<u8>) -> Result<()>,
    ) -> Result<Outcome> {
        let plan = self.plan;
        let mut data = plan.nifti.data()?;
        if plan.is_copy() {
            self.copy(&mut data, cancel, take)?;
            return Ok(Outcome::default());
        }
        if plan.through {
            return self.make_through(upscaler, listener, cancel, take);
        }
        let (through, voxel) = (plan.plane.2, plan.nifti.datatype.bytes());
        let sides = plan.stored();
        let progress = Progress::new(listener, plan.slices());
        let work =
            |first: usize, slices: Vec<Vec<u8>>| self.group(first, slices, upscaler, &progress, cancel);
        let at_once = upscaler.networks().max(2);
        let mut outcome = Outcome::default();
        if through == 2 {
            // Slices lie in the order of the file.
            let length = sides[0] * sides[1] * voxel;
            for first in (0..plan.slices()).step_by(at_once) {
                let count = at_once.min(plan.slices() - first);
                let mut group = vec![vec![0; length]; count];
                group.iter_mut().try_for_each(|bytes| data.fill(bytes))?;
                for finished in work(first, group)? {
                    take(outcome.add(finished))?;
                }
            }
            return Ok(outcome);
        }
        let mut scratch = Scratch::new(self.folder, plan.sides, through, plan.datatype.bytes())?;
        let mut volume = vec![0; sides.iter().product::<usize>() * voxel];
        for time in 0..plan.nifti.shape[3] {
            data.fill(&mut volume)?;
            scratch.rewind()?;
            for first in (0..sides[through]).step_by(at_once) {
                let indices = first..sides[through].min(first + at_once);
                let group = indices.map(|index| slice(&volume, sides, through, index, voxel)).collect();
                for finished in work(time * sides[through] + first, group)? {
                    scratch.push(&outcome.add(finished))?;
                }
            }
            scratch.ordered(|block| {
                cancel.check()?;
                take(block)
            })?;
        }
        Ok(outcome)
    }

    /// Voxels as they are, or in another type.
    fn copy(
        &self,
        data: &mut Data,
        cancel: &CancelToken,
        mut take: impl FnMut(Vec<u8>) -> Result<()>,
    ) -> Result<()> {
        let (plan, order) = (self.plan, self.plan.nifti.header.order());
        let own = plan.nifti.datatype;
        let mut left: usize = plan.nifti.shape.iter().product();
        while left > 0 {
            cancel.check()?;
            let voxels = left.min(COPIED);
            let mut bytes = vec![0; voxels * own.bytes()];
            data.fill(&mut bytes)?;
            if plan.datatype != own {
                let mut values = Vec::with_capacity(voxels);
                own.decode(order, &bytes, |value| values.push(value));
                bytes.clear();
                plan.datatype.encode(order, values.into_iter(), &mut bytes);
            }
            take(bytes)?;
            left -= voxels;
        }
        Ok(())
    }

    /// Makes slices at the same time; the first has number `first`.
    fn group(
        &self,
        first: usize,
        slices: Vec<Vec<u8>>,
        upscaler: &Upscaler,
        progress: &Progress<'_>,
        cancel: &CancelToken,
    ) -> Result<Vec<Finished>> {
        let among_others = slices.len() > 1;
        at_once(slices, |at, bytes| {
            // Equal noise in all slices would show as columns.
            let seed = self.options.seed.wrapping_add((first + at) as u64);
            let options = UpscaleOptions { seed, among_others, ..self.options.clone() };
            self.slice(&bytes, &options, upscaler, progress, cancel)
        })
    }

    /// One slice of the result.
    fn slice(
        &self,
        bytes: &[u8],
        options: &UpscaleOptions,
        upscaler: &Upscaler,
        progress: &Progress<'_>,
        cancel: &CancelToken,
    ) -> Result<Finished> {
        let (plan, window) = (self.plan, &self.window);
        let ((width, height), (new_width, new_height)) = (plan.size(), plan.target());
        let order = plan.nifti.header.order();
        let mut values = Vec::with_capacity(width * height);
        plan.nifti.datatype.decode(order, bytes, |value| values.push(window.normalized(value)));
        if let Some(resizer) = &self.resizer {
            values = resizer.resize(&values);
        }
        let slice = Slice::new(values, height, width);
        let (mut result, report) =
            enlarge(&slice, upscaler, options, (new_height, new_width), progress, cancel)?;
        let shrunk = resize(&result, height, width, Kernel::BICUBIC);
        slice.cut_holes(&mut result);
        let mut bytes = Vec::with_capacity(result.data().len() * plan.datatype.bytes());
        plan.datatype.encode(
            order,
            result.data().iter().map(|value| window.restored((*value).into())),
            &mut bytes,
        );
        Ok(Finished { bytes, slice, shrunk, report })
    }
}

impl Outcome {
    /// Counts a slice, and returns its voxels.
    fn add(&mut self, finished: Finished) -> Vec<u8> {
        let Finished { bytes, slice, shrunk, report } = finished;
        self.figures.add(&slice, &shrunk);
        self.count(report);
        bytes
    }

    /// Counts a slice: one of air has no report.
    pub(super) fn count(&mut self, report: Option<Report>) {
        match report {
            None => self.flat += 1,
            Some(report) => {
                self.made += 1;
                self.report = Some(self.report.take().map_or(report.clone(), |all| all.and(&report)));
            }
        }
    }
}

/// How far one slice is.
pub(super) struct Part<'a> {
    all: &'a Progress<'a>,
    told: AtomicU64,
}

impl<'a> Progress<'a> {
    pub(super) fn new(listener: &'a dyn Listener, slices: usize) -> Self {
        Self { listener, slices, done: AtomicU64::new(0) }
    }

    /// The progress of another slice.
    pub(super) fn part(&'a self) -> Part<'a> {
        Part { all: self, told: AtomicU64::new(0) }
    }
}

impl Part<'_> {
    /// Tells how far the slice is; false cancels the work.
    pub(super) fn tell(&self, event: ProgressEvent) -> bool {
        let now = (event.fraction.clamp(0.0, 1.0) * PARTS) as u64;
        let more = now.saturating_sub(self.told.fetch_max(now, Ordering::Relaxed));
        let done = self.all.done.fetch_add(more, Ordering::Relaxed) + more;
        let fraction = done as f64 / (PARTS * self.all.slices as f64);
        self.all.listener.report(ProgressEvent { fraction, ..event })
    }
}
