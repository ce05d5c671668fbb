//! One file in the worker process: read, made, written to its temporary; or an earlier result again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::protocol::{Job, Made, Ready, Reply};
use super::serve::say;
use super::volume::VolumeSource;
use crate::batch::naming::{format_and_extension, show_scale};
use crate::batch::page::Page;
use crate::batch::planned_page::PlannedPage;
use crate::batch::probe::{Probed, probe_bytes, read_file};
use crate::batch::processor::{FileTask, Fill, Observer};
use crate::engine::{UpscaleOptions, Upscaler};
use crate::error::{Error, ErrorKind, Result};
use crate::fs::hash::{hash_file, sha256_hex};
use crate::html::thumbnail::thumbnail;
use crate::image::{ImageFormat, Raster};
use crate::progress::{CancelToken, Progress, ProgressEvent};
use crate::report::shown::{Shown, Thumbnails};
use crate::volume::nifti::is_volume;
use crate::volume::{Listener, Plan};

/// How often a busy worker says that it lives.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

/// What to say of a result that cannot be written.
pub(super) const CANNOT_WRITE: &str = "cannot write the result";

/// A file that was read.
pub struct Source {
    pub job: Job,
    contents: Contents,
    start: Instant,
}

enum Contents {
    Image(Arc<Vec<u8>>, Box<Probed>),
    /// It is read slice by slice.
    Volume(VolumeSource),
}

/// What is to be made of a file.
pub enum Work {
    /// Pages of an image.
    Pages(Vec<PlannedPage>),
    /// A volume.
    Volume(Box<Plan>),
}

impl Source {
    /// Reads the file of `job`.
    ///
    /// # Errors
    /// Why it cannot be read; `None` where it is not what the ledger knows.
    pub fn read(job: Job) -> std::result::Result<Self, Option<Error>> {
        let start = Instant::now();
        let limits = job.settings.limits();
        if is_volume(&job.input) {
            let contents = Contents::Volume(VolumeSource::read(&job)?);
            return Ok(Self { job, contents, start });
        }
        let bytes = read_file(&job.input, &limits).map_err(Some)?;
        // The result must belong to the contents that the ledger knows.
        if sha256_hex(&bytes) != job.hash {
            return Err(None);
        }
        let probed = probe_bytes(&bytes, &limits).map_err(Some)?;
        Ok(Self { job, contents: Contents::Image(Arc::new(bytes), Box::new(probed)), start })
    }

    /// What is to be made of it by `upscaler`.
    ///
    /// # Errors
    /// `Limit` where the image is too small for the settings, or the volume does not suit them.
    pub fn plan(&self, upscaler: &Upscaler) -> Result<Work> {
        let scale = upscaler.manifest().scale;
        match &self.contents {
            Contents::Image(_, probed) => {
                let pages = PlannedPage::all(&probed.pages, self.job.settings.target(), scale);
                pages.map(Work::Pages).map_err(fault_of_file)
            }
            Contents::Volume(_) => {
                VolumeSource::plan(&self.job, scale).map(|plan| Work::Volume(Box::new(plan)))
            }
        }
    }

    /// Bytes of the file that are in memory.
    pub fn bytes(&self) -> u64 {
        match &self.contents {
            Contents::Image(bytes, _) => bytes.len() as u64,
            Contents::Volume(_) => 0,
        }
    }

    /// Makes its result, with `options` for the engine, and writes it to the job's temporary, down to the disk.
    ///
    /// # Errors
    /// Whatever keeps the file from being made; `None` where it changed meanwhile. There is no temporary then.
    pub fn make(
        self,
        upscaler: &Upscaler,
        work: &Work,
        options: &UpscaleOptions,
        cancel: &CancelToken,
    ) -> std::result::Result<Made, Option<Error>> {
        let Self { job, contents, start } = self;
        match (contents, work) {
            (Contents::Image(bytes, probed), Work::Pages(pages)) => {
                make_image(job, bytes, probed.format, pages, (upscaler, options, cancel), start).map_err(Some)
            }
            (Contents::Volume(source), Work::Volume(plan)) => {
                source.make(&job, plan, (upscaler, options, cancel), start)
            }
            _ => unreachable!("an image is made by pages, a volume by its plan"),
        }
    }
}

/// Makes the pages of an image.
fn make_image(
    job: Job,
    bytes: Arc<Vec<u8>>,
    own: ImageFormat,
    pages: &[PlannedPage],
    (upscaler, options, cancel): (&Upscaler, &UpscaleOptions, &CancelToken),
    start: Instant,
) -> Result<Made> {
    let settings = &job.settings;
    let (mut format, mut ext) = format_and_extension(settings.format, &job.input, own);
    let mut warnings = Vec::new();
    if pages.len() > 1 && format != ImageFormat::Tiff {
        let reason = "the file has several pages, and";
        warnings.push(format!("{reason} {format} holds one: written as TIFF"));
        (format, ext) = (ImageFormat::Tiff, "tif".into());
    }
    for page in pages {
        format.check_size(page.target.0, page.target.1)?;
    }
    let hash = settings.provenance().then(|| job.hash.clone());
    let task = FileTask { bytes, hash, pages, format, settings, options, cannot_write: CANNOT_WRITE };
    let observer = WorkerObserver::new(warnings);
    let write = |fill: Fill<'_>| with_temporary(&job.temporary, |file| fill(file));
    let ((), report, _) = task.make(upscaler, &observer, cancel, write)?;
    let State { engine_began, warnings, damage, thumbnails, .. } = observer.end();
    let (width, height) = pages[0].target;
    Ok(Made {
        hash: hash_file(&job.temporary).map_err(cannot_write)?,
        width,
        height,
        ext,
        scale: show_scale(width as f64 / pages[0].size.0 as f64),
        model: upscaler.manifest().name.clone(),
        seconds: start.elapsed().as_secs_f64(),
        engine_began,
        engine_seconds: report.seconds,
        network_seconds: report.network_seconds,
        reused: false,
        warnings,
        damage,
        sidecar: None,
        shown: Shown::image(&report, thumbnails),
    })
}

/// An error of settings that were found right at the start: it is this file that does not suit them.
pub(super) fn fault_of_file(error: Error) -> Error {
    let kind = if error.kind() == ErrorKind::InvalidOption { ErrorKind::Limit } else { error.kind() };
    if kind == error.kind() { error } else { Error::new(kind, error.to_string()) }
}

/// Gathers what is to be told of a file, and says that the worker lives.
pub(super) struct WorkerObserver(Mutex<State>);

pub(super) struct State {
    /// When a sign of life was given last.
    alive: Instant,
    /// When the engine began, in seconds since 1970; 0 before.
    pub(super) engine_began: f64,
    /// Each once.
    pub(super) warnings: Vec<String>,
    damage: Option<String>,
    thumbnails: Thumbnails,
}

impl WorkerObserver {
    /// One that has these `warnings` to tell.
    pub(super) fn new(warnings: Vec<String>) -> Self {
        Self(Mutex::new(State {
            alive: Instant::now(),
            engine_began: 0.0,
            warnings,
            damage: None,
            thumbnails: Thumbnails::default(),
        }))
    }

    /// What it gathered.
    pub(super) fn end(self) -> State {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// The engine begins.
    pub(super) fn mark(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.state().engine_began = now.as_secs_f64();
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for WorkerObserver {
    fn report(&self, _: ProgressEvent) -> bool {
        let mut state = self.state();
        if state.alive.elapsed() >= SIGN_OF_LIFE {
            state.alive = Instant::now();
            say(&Reply::Alive);
        }
        true
    }
}

impl Listener for WorkerObserver {
    fn warn(&self, message: &str) {
        let mut state = self.state();
        if !state.warnings.iter().any(|told| told == message) {
            state.warnings.push(message.to_owned());
        }
    }
}

impl Observer for WorkerObserver {
    fn begin(&self, index: usize, page: &Page) -> Result<()> {
        if index == 0 {
            self.mark();
            let small = thumbnail(page.color());
            self.state().thumbnails.before = small;
        }
        Ok(())
    }

    fn made(&self, index: usize, color: &Raster) {
        if index == 0 {
            let small = thumbnail(color);
            self.state().thumbnails.after = small;
        }
    }

    fn progress(&self, _: usize, event: ProgressEvent) -> bool {
        self.report(event)
    }

    fn damaged(&self, message: &str) -> Result<()> {
        self.state().damage.get_or_insert_with(|| message.to_owned());
        Ok(())
    }

    fn warn(&self, message: &str) {
        Listener::warn(self, message);
    }

    fn uncertainty(&self, _: Raster) -> Result<()> {
        Ok(())
    }
}

/// Copies an earlier result of the same contents to the job's temporary; the file system may share the blocks.
///
/// # Errors
/// Where the earlier result is not as it was; there is no temporary then.
pub fn copy(job: &Job, ready: &Ready) -> Result<Made> {
    let start = Instant::now();
    with_temporary(&job.temporary, |writer| {
        let mut source = File::open(&ready.path).map_err(cannot_write)?;
        // Shares blocks where the file system can.
        io::copy(&mut source, &mut *writer.get_mut()).map(drop).map_err(cannot_write)
    })?;
    if hash_file(&job.temporary).map_err(cannot_write)? != ready.made.hash {
        let _ = fs::remove_file(&job.temporary);
        return Err(Error::new(ErrorKind::Output, format!("{} was changed", ready.path.display())));
    }
    Ok(Made {
        seconds: start.elapsed().as_secs_f64(),
        engine_began: 0.0,
        engine_seconds: 0.0,
        network_seconds: 0.0,
        reused: true,
        warnings: Vec::new(),
        sidecar: None,
        ..ready.made.clone()
    })
}

pub(super) fn with_temporary<T>(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<&File>) -> Result<T>,
) -> Result<T> {
    let file = OpenOptions::new().write(true).create_new(true).open(path).map_err(cannot_write)?;
    let mut writer = BufWriter::new(&file);
    let result = fill(&mut writer).and_then(|value| {
        writer.flush().and_then(|()| file.sync_all()).map_err(cannot_write)?;
        Ok(value)
    });
    if result.is_err() {
        let _ = fs::remove_file(path);
    }
    result
}

pub(super) fn cannot_write(error: io::Error) -> Error {
    Error::with_source(ErrorKind::Output, CANNOT_WRITE, error)
}

#[cfg(test)]
mod tests;
