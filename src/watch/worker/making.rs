//! One file in the worker process: read, made, written to its temporary; or an earlier result again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::protocol::{Job, Made, Ready, Reply};
use super::serve::say;
use crate::batch::naming::{format_and_extension, show_scale};
use crate::batch::page::Page;
use crate::batch::planned_page::PlannedPage;
use crate::batch::probe::{Probed, probe_bytes, read_file};
use crate::batch::processor::{FileTask, Fill, Observer};
use crate::engine::{UpscaleOptions, Upscaler};
use crate::error::{Error, ErrorKind, Result};
use crate::fs::hash::{hash_file, sha256_hex};
use crate::image::{ImageFormat, Raster};
use crate::progress::{CancelToken, ProgressEvent};

/// How often a busy worker says that it lives.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

/// What to say of a result that cannot be written.
const CANNOT_WRITE: &str = "cannot write the result";

/// A file that was read.
pub struct Source {
    pub job: Job,
    pub bytes: Arc<Vec<u8>>,
    probed: Probed,
    start: Instant,
}

impl Source {
    /// Reads the file of `job`.
    ///
    /// # Errors
    /// Why it cannot be read; `None` where it is not what the ledger knows.
    pub fn read(job: Job) -> std::result::Result<Self, Option<Error>> {
        let start = Instant::now();
        let limits = job.settings.limits();
        let bytes = read_file(&job.input, &limits).map_err(Some)?;
        // The result must belong to the contents that the ledger knows.
        if sha256_hex(&bytes) != job.hash {
            return Err(None);
        }
        let probed = probe_bytes(&bytes, &limits).map_err(Some)?;
        Ok(Self { job, bytes: Arc::new(bytes), probed, start })
    }

    /// What is to be made of it by `upscaler`.
    ///
    /// # Errors
    /// `Limit` where the image is too small for the settings.
    pub fn pages(&self, upscaler: &Upscaler) -> Result<Vec<PlannedPage>> {
        // The settings were found right at the start: this image is too small for them.
        let too_small = |error: Error| Error::new(ErrorKind::Limit, error.to_string());
        let scale = upscaler.manifest().scale;
        PlannedPage::all(&self.probed.pages, self.job.settings.target(), scale).map_err(too_small)
    }

    /// Makes its result, with `options` for the engine, and writes it to the job's temporary, down to the disk.
    ///
    /// # Errors
    /// Whatever keeps the file from being made; there is no temporary then.
    pub fn make(
        self,
        upscaler: &Upscaler,
        pages: &[PlannedPage],
        options: &UpscaleOptions,
        cancel: &CancelToken,
    ) -> Result<Made> {
        let Self { job, bytes, probed, start } = self;
        let settings = &job.settings;
        let (mut format, mut ext) = format_and_extension(settings.format, &job.input, probed.format);
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
        let state = State { alive: Instant::now(), engine_began: 0.0, warnings, damage: None };
        let observer = WorkerObserver(Mutex::new(state));
        let write = |fill: Fill<'_>| with_temporary(&job.temporary, |file| fill(file));
        let ((), report, _) = task.make(upscaler, &observer, cancel, write)?;
        let State { engine_began, warnings, damage, .. } =
            observer.0.into_inner().unwrap_or_else(PoisonError::into_inner);
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
        })
    }
}

/// Gathers what is to be told of a file, and says that the worker lives.
struct WorkerObserver(Mutex<State>);

struct State {
    /// When a sign of life was given last.
    alive: Instant,
    /// When the engine began, in seconds since 1970; 0 before.
    engine_began: f64,
    /// Each once.
    warnings: Vec<String>,
    damage: Option<String>,
}

impl WorkerObserver {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for WorkerObserver {
    fn begin(&self, index: usize, _: &Page) -> Result<()> {
        if index == 0 {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            self.state().engine_began = now.as_secs_f64();
        }
        Ok(())
    }

    fn progress(&self, _: usize, _: ProgressEvent) -> bool {
        let mut state = self.state();
        if state.alive.elapsed() >= SIGN_OF_LIFE {
            state.alive = Instant::now();
            say(&Reply::Alive);
        }
        true
    }

    fn damaged(&self, message: &str) -> Result<()> {
        self.state().damage.get_or_insert_with(|| message.to_owned());
        Ok(())
    }

    fn warn(&self, message: &str) {
        let mut state = self.state();
        if !state.warnings.iter().any(|told| told == message) {
            state.warnings.push(message.to_owned());
        }
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
        ..ready.made.clone()
    })
}

fn with_temporary<T>(path: &Path, fill: impl FnOnce(&mut BufWriter<&File>) -> Result<T>) -> Result<T> {
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

fn cannot_write(error: io::Error) -> Error {
    Error::with_source(ErrorKind::Output, CANNOT_WRITE, error)
}

#[cfg(test)]
mod tests;
