//! What is told of one file while it is made.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::job::Job;
use super::maker::Maker;
use crate::batch::page::Page;
use crate::batch::planned_page::PlannedPage;
use crate::batch::processor::Observer;
use crate::error::{Error, ErrorKind, Result};
use crate::html::thumbnail::thumbnail;
use crate::image::Raster;
use crate::progress::{Progress, ProgressEvent};
use crate::report::event::{Event, Files};
use crate::report::shown::Thumbnails;
use crate::volume::Listener;

/// Hears how one file gets on.
pub struct FileObserver<'a> {
    maker: &'a Maker<'a>,
    job: &'a Job,
    output: &'a Path,
    /// What was last told of the progress, to tell it at most once per percent and step.
    told: AtomicUsize,
    /// For the report, if one was asked for.
    thumbnails: Option<Mutex<Thumbnails>>,
}

impl<'a> FileObserver<'a> {
    /// Of the file that `maker` makes for `job` at `output`.
    pub fn new(maker: &'a Maker<'a>, job: &'a Job, output: &'a Path) -> Self {
        let thumbnails = maker.request.report.as_ref().map(|_| Mutex::default());
        Self { maker, job, output, told: AtomicUsize::new(usize::MAX), thumbnails }
    }

    /// The thumbnails, if they are wanted.
    pub fn thumbnails(self) -> Option<Thumbnails> {
        self.thumbnails.map(|made| made.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether `message` is new for the input.
    fn tell_once(&self, message: &str) -> bool {
        let mut told = self.maker.told.lock().unwrap_or_else(PoisonError::into_inner);
        let input = &self.job.input;
        told.insert((input.path.clone(), input.suffix().map(str::to_owned), message.to_owned()))
    }

    /// Tells each warning once per input.
    pub fn tell_warning(&self, message: &str) {
        if self.tell_once(message) {
            let files = Files::new(&self.job.input.path, None);
            self.maker.reporter.tell(&Event::Warning { files, message });
        }
    }

    /// Adds to the thumbnails, if they are wanted, which are of the first page.
    fn show(&self, index: usize, add: impl FnOnce(&mut Thumbnails)) {
        if let Some(thumbnails) = self.thumbnails.as_ref().filter(|_| index == 0) {
            add(&mut thumbnails.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Tells that `fraction` of the whole file is done; `part` is the part of it that is at work.
    fn tell_progress(&self, part: usize, fraction: f64, event: ProgressEvent) {
        let place = (part * 1000 + event.step) * 1000 + (event.fraction * 100.0) as usize;
        if self.told.swap(place, Ordering::Relaxed) != place {
            let ProgressEvent { step, steps, .. } = event;
            let files = Files::new(&self.job.input.path, Some(self.output));
            self.maker.reporter.tell(&Event::Progress { files, fraction, step, steps });
        }
    }
}

impl Progress for FileObserver<'_> {
    /// Of a volume, of all its slices.
    fn report(&self, event: ProgressEvent) -> bool {
        // Slices are at different steps: only the whole goes forward.
        self.tell_progress(0, event.fraction, ProgressEvent { step: event.steps, ..event });
        true
    }
}

impl Listener for FileObserver<'_> {
    fn warn(&self, message: &str) {
        self.tell_warning(message);
    }
}

impl Observer for FileObserver<'_> {
    fn begin(&self, index: usize, page: &Page) -> Result<()> {
        if page.rest().animated && self.job.in_place {
            let message = "is an animation: in place, all but its first frame would be lost";
            return Err(Error::new(ErrorKind::Input, message));
        }
        self.show(index, |shown| shown.before = thumbnail(page.color()));
        Ok(())
    }

    fn made(&self, index: usize, color: &Raster) {
        self.show(index, |shown| shown.after = thumbnail(color));
    }

    fn progress(&self, index: usize, event: ProgressEvent) -> bool {
        let whole = self.job.megapixels();
        let before: f64 = self.job.pages[..index].iter().map(PlannedPage::megapixels).sum();
        let fraction = (before + self.job.pages[index].megapixels() * event.fraction) / whole;
        self.tell_progress(index, fraction, event);
        true
    }

    fn damaged(&self, message: &str) -> Result<()> {
        if self.job.in_place && self.job.backup.is_none() {
            let message = format!(
                "{message}; not replaced without a backup, as another program may recover more of it"
            );
            return Err(Error::new(ErrorKind::Input, message));
        }
        let input = &self.job.input.path;
        if self.tell_once(message) {
            self.maker.reporter.tell(&Event::Damaged { files: Files::new(input, None), message });
        }
        Ok(())
    }

    fn warn(&self, message: &str) {
        self.tell_warning(message);
    }

    fn uncertainty(&self, map: Raster) -> Result<()> {
        let Some(path) = &self.maker.request.uncertainty else { return Ok(()) };
        if map.data().iter().all(|&deviation| deviation == 0.0) {
            self.tell_warning(
                "the results of all seeds are the same, so the uncertainty map is black; with more --steps they differ",
            );
        }
        self.maker.write_map(path, map)
    }
}
