//! The slices of a volume through the engine, several at a time, in their order.

use std::collections::VecDeque;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ScopedJoinHandle};

use super::enlarge::{Enlarged, enlarge};
use super::intensity::{Slice, Window};
use super::kspace::{self, Resizer};
use super::layout::{Scratch, slice};
use super::nifti::Datatype;
use super::plan::Plan;
use super::region::Region;
use super::source::Data;
use super::summary::Figures;
use super::task::Listener;
use crate::engine::{Report, UpscaleOptions, Upscaler};
use crate::error::Result;
use crate::image::{Kernel, Raster, resize};
use crate::progress::{CancelToken, ProgressEvent};

/// Type of the voxels of a map of uncertainty.
pub const MAP: Datatype = Datatype::F32;

/// Voxels that are copied at once.
const COPIED: usize = 1 << 20;

/// Parts of a slice's work, for progress.
const PARTS: f64 = 1e6;

/// How the slices of a volume are made.
pub struct Slices<'a> {
    pub plan: &'a Plan,
    pub window: Window,
    pub region: Region,
    pub options: UpscaleOptions,
    /// For a temporary file, where slices do not lie in the order of the file.
    pub folder: &'a Path,
    /// What reduces slices to what was acquired, if that was asked for.
    pub resizer: Option<Resizer>,
    /// Whether the k-space of slices is put back.
    pub is_put_back: bool,
    /// The value of no signal in the network's units, where voxels are magnitudes.
    pub zero: Option<f32>,
    /// A slice that is enlarged already, with its number.
    pub made_before: Mutex<Option<(usize, Enlarged)>>,
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

/// Voxels in the order of a file.
pub enum Block {
    /// Of the result.
    Result(Vec<u8>),
    /// Of the map of uncertainty, which come somewhere between those of the result.
    Map(Vec<u8>),
}

/// A finished slice.
struct Finished {
    bytes: Vec<u8>,
    /// Of the map of uncertainty, if there is one.
    map: Option<Vec<u8>>,
    slice: Slice,
    /// The result in the size of the input.
    shrunk: Raster,
    report: Option<Report>,
}

/// Hands what `work` makes of each of `items` to `take`, in their order, with up to `at_once` of them in work.
pub(super) fn in_order<T: Send, R: Send>(
    items: impl Iterator<Item = Result<T>>,
    at_once: usize,
    work: impl Fn(T) -> Result<R> + Sync,
    mut take: impl FnMut(R) -> Result<()>,
) -> Result<()> {
    let work = &work;
    thread::scope(|scope| {
        let mut in_work = VecDeque::new();
        let mut end = |first: ScopedJoinHandle<'_, Result<R>>| {
            first.join().unwrap_or_else(|panic| resume_unwind(panic)).and_then(&mut take)
        };
        for item in items {
            let item = item?;
            if in_work.len() == at_once {
                in_work.pop_front().map_or(Ok(()), &mut end)?;
            }
            in_work.push_back(scope.spawn(move || work(item)));
        }
        in_work.into_iter().try_for_each(end)
    })
}

/// How far all slices are.
pub(super) struct Progress<'a> {
    listener: &'a dyn Listener,
    slices: usize,
    /// In [`PARTS`] of a slice.
    done: AtomicU64,
}

impl Slices<'_> {
    /// Hands the voxels of the result, and of the map of uncertainty if options ask for it, to `take`, block by block in the
    /// order of the file.
    ///
    /// # Errors
    /// As the input cannot be read or the engine fails; what `take` returns; `Cancelled`.
    pub fn make(
        &self,
        upscaler: &Upscaler,
        listener: &dyn Listener,
        cancel: &CancelToken,
        mut take: impl FnMut(Block) -> Result<()>,
    ) -> Result<Outcome> {
        let plan = self.plan;
        let mut data = plan.source.data()?;
        if plan.is_copy() {
            self.copy(&mut data, cancel, take)?;
            return Ok(Outcome::default());
        }
        if plan.is_through() {
            return self.make_through(upscaler, listener, cancel, take);
        }
        let (through, voxel) = (plan.plane.2, plan.source.datatype().bytes());
        let sides = plan.stored();
        let progress = Progress::new(listener, plan.slices()).after(self.count_made());
        let among_others = if through == 2 { plan.slices() > 1 } else { sides[through] > 1 };
        let options = UpscaleOptions { among_others, ..self.options.clone() };
        let work = |(number, bytes): (usize, Vec<u8>)| {
            self.slice(&bytes, number, options.clone(), upscaler, &progress, cancel)
        };
        // Results are large, so that there are no more of them than networks.
        let at_once = upscaler.networks().max(2);
        let mut outcome = Outcome::default();
        if through == 2 {
            // Slices lie in the order of the file.
            let read = |number: usize| {
                let mut bytes = vec![0; sides[0] * sides[1] * voxel];
                data.fill(&mut bytes).map(|()| (number, bytes))
            };
            in_order((0..plan.slices()).map(read), at_once, work, |finished| {
                let (result, map) = outcome.add(finished);
                take(Block::Result(result))?;
                map.map_or(Ok(()), |map| take(Block::Map(map)))
            })?;
            return Ok(outcome);
        }
        let scratch = |datatype: Datatype| Scratch::new(self.folder, plan.sides, through, datatype.bytes());
        let mut results = scratch(plan.datatype)?;
        let mut maps = self.options.uncertainty.map(|_| scratch(MAP)).transpose()?;
        let mut volume = vec![0; sides.iter().product::<usize>() * voxel];
        for time in 0..plan.source.shape()[3] {
            data.fill(&mut volume)?;
            results.rewind()?;
            maps.as_mut().map_or(Ok(()), Scratch::rewind)?;
            let read = |index: usize| {
                Ok((time * sides[through] + index, slice(&volume, sides, through, index, voxel)))
            };
            in_order((0..sides[through]).map(read), at_once, work, |finished| {
                let (result, map) = outcome.add(finished);
                results.push(&result)?;
                match (&mut maps, map) {
                    (Some(maps), Some(map)) => maps.push(&map),
                    _ => Ok(()),
                }
            })?;
            let mut checked = |block: Block| cancel.check().and_then(|()| take(block));
            results.ordered(|block| checked(Block::Result(block)))?;
            if let Some(maps) = &mut maps {
                maps.ordered(|block| checked(Block::Map(block)))?;
            }
        }
        Ok(outcome)
    }

    /// Voxels as they are, or in another type.
    fn copy(
        &self,
        data: &mut Data,
        cancel: &CancelToken,
        mut take: impl FnMut(Block) -> Result<()>,
    ) -> Result<()> {
        let (plan, order) = (self.plan, self.plan.source.header().order());
        let own = plan.source.datatype();
        let mut left: usize = plan.source.shape().iter().product();
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
            take(Block::Result(bytes))?;
            left -= voxels;
        }
        Ok(())
    }

    /// What is stored of a slice, as the network sees it.
    pub(super) fn seen(&self, bytes: &[u8]) -> Slice {
        let (plan, window) = (self.plan, &self.window);
        let (width, height) = plan.size();
        let mut values = Vec::with_capacity(width * height);
        let order = plan.source.header().order();
        plan.source.datatype().decode(order, bytes, |value| values.push(window.normalized(value)));
        if let Some(resizer) = &self.resizer {
            values = resizer.resize(&values);
        }
        Slice::new(values, height, width)
    }

    /// `slice` enlarged, by its number among those of all volumes.
    pub(super) fn enlarged(
        &self,
        slice: &Slice,
        number: usize,
        mut options: UpscaleOptions,
        upscaler: &Upscaler,
        progress: &Progress<'_>,
        cancel: &CancelToken,
    ) -> Result<Enlarged> {
        let plan = self.plan;
        let ((a, b, through), (width, height)) = (plan.plane, plan.target());
        let (time, index) = (number / plan.geometry.sides[through], number % plan.geometry.sides[through]);
        options.place = plan.noise(time, through, index);
        let part = self.region.part((b, a), index);
        enlarge(slice, part.as_ref(), upscaler, &options, (height, width), progress, cancel)
    }

    /// The slice with this number, if it is enlarged already.
    fn made_before(&self, number: usize) -> Option<Enlarged> {
        let mut made = self.made_before.lock().unwrap_or_else(PoisonError::into_inner);
        made.take_if(|(made, _)| *made == number).map(|(_, enlarged)| enlarged)
    }

    /// How many slices are enlarged already.
    fn count_made(&self) -> usize {
        usize::from(self.made_before.lock().unwrap_or_else(PoisonError::into_inner).is_some())
    }

    /// One slice of the result, by its number among those of all volumes.
    fn slice(
        &self,
        bytes: &[u8],
        number: usize,
        options: UpscaleOptions,
        upscaler: &Upscaler,
        progress: &Progress<'_>,
        cancel: &CancelToken,
    ) -> Result<Finished> {
        let ((width, height), (new_width, new_height)) = (self.plan.size(), self.plan.target());
        let has_map = options.uncertainty.is_some();
        let slice = self.seen(bytes);
        let made = self.made_before(number);
        let made =
            made.map_or_else(|| self.enlarged(&slice, number, options, upscaler, progress, cancel), Ok);
        let Enlarged { image: mut result, deviation, report } = made?;
        if self.is_put_back {
            kspace::put_back(&mut result, &slice.whole(), self.zero);
        }
        let shrunk = resize(&result, height, width, Kernel::BICUBIC);
        slice.cut_holes(&mut result);
        let bytes = self.encoded(result.data());
        let map = has_map.then(|| {
            let mut map = deviation.unwrap_or_else(|| Raster::new(1, new_height, new_width));
            slice.cut_holes(&mut map);
            self.encoded_map(map.data())
        });
        Ok(Finished { bytes, map, slice, shrunk, report })
    }

    /// Voxels of the result, from values in the network's units.
    pub(super) fn encoded(&self, values: &[f32]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(values.len() * self.plan.datatype.bytes());
        let voxels = values.iter().map(|value| self.window.restored((*value).into()));
        self.plan.datatype.encode(self.plan.source.header().order(), voxels, &mut bytes);
        bytes
    }

    /// Voxels of the map, in the file's units with its slope, from deviations in the network's units.
    pub(super) fn encoded_map(&self, values: &[f32]) -> Vec<u8> {
        let header = self.plan.source.header();
        let slope = header.scaling().map_or(1.0, |(slope, _)| slope.abs());
        let unit = (self.window.high - self.window.low) * slope;
        let mut bytes = Vec::with_capacity(values.len() * MAP.bytes());
        MAP.encode(header.order(), values.iter().map(|value| f64::from(*value) * unit), &mut bytes);
        bytes
    }
}

impl Outcome {
    /// Counts a slice, and returns its voxels, and those of the map.
    fn add(&mut self, finished: Finished) -> (Vec<u8>, Option<Vec<u8>>) {
        let Finished { bytes, map, slice, shrunk, report } = finished;
        self.figures.add(&slice, &shrunk);
        self.count(report);
        (bytes, map)
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

    /// The same, `slices` of them made already.
    fn after(self, slices: usize) -> Self {
        Self { done: AtomicU64::new(slices as u64 * PARTS as u64), ..self }
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
