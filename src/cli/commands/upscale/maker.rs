//! One file of a run: where it is written, and what is told of it.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime};

use super::job::Job;
use super::observer::FileObserver;
use super::output_name;
use super::volume_job::VolumeJob;
use crate::batch::probe::read_file;
use crate::batch::processor::{FileTask, Fill};
use crate::batch::timings::Timings;
use crate::cli::args::upscale_request::{Existing, UpscaleRequest};
use crate::engine::{UpscaleOptions, Upscaler};
use crate::error::{Error, ErrorKind, Result};
use crate::fs::companion::Companion;
use crate::fs::file_id::FileId;
use crate::fs::folder::{folder_of, make_folder};
use crate::fs::hash::sha256_hex;
use crate::fs::{atomic_file, atomic_folder};
use crate::image::{EncodeOptions, Image, ImageFormat, Raster, SampleDepth, encode_to};
use crate::progress::CancelToken;
use crate::report::event::{Event, Files, Name, Reporter};
use crate::volume::bids::reference;
use crate::volume::dicom::is_written_here;
use crate::volume::nifti::{Nifti, name_means_packed};
use crate::volume::preview::draw;
use crate::volume::{Made, Map, Origin, Output, Plan, Sidecar, Sink, VolumeTask, Window};

/// Makes the files of one run.
pub struct Maker<'a> {
    pub request: &'a UpscaleRequest,
    pub reporter: &'a dyn Reporter,
    pub cancel: &'a CancelToken,
    pub upscaler: &'a Upscaler,
    /// Inputs and the warnings that were given about them, by all files that become of their pages.
    pub told: Mutex<HashSet<(PathBuf, Option<String>, String)>>,
}

impl Maker<'_> {
    /// Tells that work on file `index` of `total` begins.
    pub fn begin(&self, job: &Job, (index, total): (usize, usize)) {
        let output = output_name(job);
        let files = Files::new(&job.input.path, Some(&output));
        let ((width, height), megapixels) = (job.pages[0].target, job.megapixels());
        self.reporter.tell(&Event::Start { index, total, files, width, height, megapixels });
    }

    /// Makes a file, with `options` for the engine.
    ///
    /// # Errors
    /// Whatever keeps the file from being made; then it does not exist, or is as it was.
    pub fn make(&self, mut job: Job, options: &UpscaleOptions) -> Result<()> {
        self.cancel.check()?;
        let start = Instant::now();
        let settings = &self.request.settings;
        let output = output_name(&job);
        let others = [&self.request.uncertainty, &self.request.preview];
        for path in job.output.iter().chain(others.into_iter().flatten()) {
            atomic_file::check_writable(path)?;
        }
        let stamp = job.in_place.then(|| Stamp::of(&output)).transpose()?;
        if let Some(volume) = &job.volume {
            return self.make_volume(&job, volume, options, stamp, start);
        }
        let bytes = match job.bytes.take() {
            Some(bytes) => bytes,
            None => Arc::new(read_file(&job.input.path, &settings.limits())?),
        };
        let hash = settings.provenance().then(|| sha256_hex(&bytes));
        let read_s = start.elapsed().as_secs_f64();
        let task = FileTask {
            hash,
            bytes,
            pages: &job.pages,
            format: job.format,
            settings,
            options,
            cannot_write: &format!("cannot write {}", output.display()),
        };
        let observer = FileObserver::new(self, &job, &output);
        let write = |fill: Fill<'_>| {
            let lost = self.write(&job, stamp, fill)?;
            lost.iter().for_each(|lost| observer.tell_warning(lost));
            Ok(())
        };
        let ((), report, made) = task.make(self.upscaler, &observer, self.cancel, write)?;
        let seconds = start.elapsed().as_secs_f64();
        let timings = Timings { total_s: seconds, read_s, ..made };
        let (width, height) = job.pages[0].target;
        let thumbnails = observer.thumbnails();
        self.reporter.tell(&Event::Done {
            files: Files::new(&job.input.path, Some(&output)),
            backup: job.backup.as_deref().map(Name),
            uncertainty: self.request.uncertainty.as_deref().map(Name),
            preview: None,
            pages: job.pages.len(),
            width,
            height,
            seconds,
            report: &report,
            timings: self.request.timings.then_some(timings),
            thumbnails: thumbnails.as_ref(),
            volume: None,
        });
        Ok(())
    }

    /// Makes a volume.
    fn make_volume(
        &self,
        job: &Job,
        VolumeJob { plan, packed, sidecar }: &VolumeJob,
        options: &UpscaleOptions,
        stamp: Option<Stamp>,
        start: Instant,
    ) -> Result<()> {
        let output = output_name(job);
        let folder = job.output.as_deref().map_or_else(std::env::temp_dir, |path| folder_of(path).to_owned());
        let observer = FileObserver::new(self, job, &output);
        let write = |fill: crate::volume::Fill<'_>| {
            if let (Output::Dicom(_), Some(path)) = (&plan.output, &job.output) {
                return self.write_series(path, fill);
            }
            let mut companion = None;
            let lost = self.write(job, stamp, &mut |out| {
                fill(Sink::File(out))?;
                companion = sidecar
                    .as_ref()
                    .map(|own| self.put_sidecar(job, plan, own, &observer))
                    .transpose()?
                    .flatten();
                Ok(())
            })?;
            // The volume comes last: where it is, its sidecar is.
            companion.into_iter().for_each(Companion::keep);
            lost.iter().for_each(|lost| observer.tell_warning(lost));
            Ok(())
        };
        let cannot_write = &format!("cannot write {}", output.display());
        let hash = self.request.settings.provenance().then(|| plan.source.hash()).transpose()?;
        let make = |map: Option<Map<'_>>| {
            let (packed, folder) = (*packed, folder.as_path());
            let task = VolumeTask { plan, hash, packed, options, folder, cannot_write, map };
            task.make(self.upscaler, &observer, self.cancel, write)
        };
        let uncertainty = self.request.uncertainty.as_deref();
        let ((), Made { report, summary, window }) = match uncertainty {
            None => make(None)?,
            Some(path) => {
                make_folder(folder_of(path))?;
                let packed = name_means_packed(path).unwrap_or(false);
                let cannot_write = &format!("cannot write {}", path.display());
                atomic_file::write_with(path, self.request.existing == Existing::Replace, |out| {
                    make(Some(Map { out, packed, cannot_write }))
                })?
                .0
            }
        };
        if let Some(path) = &self.request.preview {
            let before = job.backup.as_deref().unwrap_or(&job.input.path);
            self.write_preview(path, before, &output, &window)?;
        }
        let (width, height) = job.pages[0].target;
        self.reporter.tell(&Event::Done {
            files: Files::new(&job.input.path, Some(&output)),
            backup: job.backup.as_deref().map(Name),
            uncertainty: uncertainty.map(Name),
            preview: self.request.preview.as_deref().map(Name),
            pages: job.pages.len(),
            width,
            height,
            seconds: start.elapsed().as_secs_f64(),
            report: &report,
            timings: None,
            thumbnails: None,
            volume: Some(&summary),
        });
        Ok(())
    }

    /// Puts the sidecar of the result, if that is a file, in its place.
    fn put_sidecar(
        &self,
        job: &Job,
        plan: &Plan,
        own: &Sidecar,
        observer: &FileObserver<'_>,
    ) -> Result<Option<Companion>> {
        let Some((path, backup)) = job.sidecar() else { return Ok(None) };
        let source = if job.in_place { job.backup.as_deref() } else { Some(job.input.path.as_path()) };
        let manifest = self.upscaler.manifest();
        let origin = Origin {
            source: source.map(|source| reference(source, folder_of(&path))),
            model: &format!("{} {}", manifest.name, manifest.version),
        };
        let is_recorded = self.request.settings.provenance();
        let (text, notes) = own.of_result(plan, is_recorded.then_some(&origin));
        if job.in_place && Sidecar::of(&path) != Ok(Some(own.clone())) {
            let message = format!("{} changed while it was worked on; left as it is now", path.display());
            return Err(Error::new(ErrorKind::Input, message));
        }
        notes.iter().for_each(|note| observer.tell_warning(note));
        let replace = job.in_place || self.request.existing == Existing::Replace;
        Companion::put(&path, text.as_bytes(), replace, backup.as_deref()).map(Some)
    }

    /// Lets `fill` write the result to where it belongs. Returns a warning where a replaced file's attributes are lost.
    fn write(&self, job: &Job, stamp: Option<Stamp>, fill: Fill<'_>) -> Result<Option<String>> {
        let Some(path) = &job.output else {
            let mut bytes = Cursor::new(Vec::new());
            fill(&mut bytes)?;
            let mut stdout = io::stdout().lock();
            let written = stdout.write_all(bytes.get_ref()).and_then(|()| stdout.flush());
            return written.map(|()| None).map_err(|error| {
                Error::with_source(ErrorKind::Output, "cannot write to standard output", error)
            });
        };
        make_folder(folder_of(path))?;
        let fill = |file: &mut io::BufWriter<&fs::File>| {
            fill(file)?;
            // The last moment at which nothing has happened.
            self.cancel.check()
        };
        let ((), lost) = match stamp {
            Some(stamp) => atomic_file::replace_with(path, job.backup.as_deref(), || stamp.check(path), fill),
            None => atomic_file::write_with(path, self.request.existing == Existing::Replace, fill),
        }?;
        Ok(lost)
    }

    /// Lets `fill` write the files of a series to the folder `path`.
    fn write_series(&self, path: &Path, fill: crate::volume::Fill<'_>) -> Result<()> {
        make_folder(folder_of(path))?;
        let may_go = |old: &Path| self.request.existing == Existing::Replace && is_written_here(old);
        atomic_folder::write_with(path, may_go, |folder| {
            fill(Sink::Folder(folder))?;
            // The last moment at which nothing has happened.
            self.cancel.check()
        })
    }

    /// Writes the map of an uncertainty.
    pub fn write_map(&self, path: &Path, map: Raster) -> Result<()> {
        self.write_image(path, &Image::new(map, None, SampleDepth::F32, ImageFormat::Tiff))
    }

    /// Draws a volume and its result, and the map of its uncertainty, where that is a volume.
    fn write_preview(&self, path: &Path, before: &Path, after: &Path, window: &Window) -> Result<()> {
        let map = self.request.uncertainty.as_deref().filter(|map| name_means_packed(map).is_some());
        let map = map.map(Nifti::open).transpose()?;
        let picture = draw(&Nifti::open(before)?, &Nifti::open(after)?, map.as_ref(), window)?;
        self.write_image(path, &picture)
    }

    fn write_image(&self, path: &Path, image: &Image) -> Result<()> {
        make_folder(folder_of(path))?;
        let options = EncodeOptions::new(image.format);
        atomic_file::write_with(path, self.request.existing == Existing::Replace, |file| {
            encode_to(image, &options, file)
                .map(drop)
                .map_err(|error| error.context(format!("cannot write {}", path.display())))
        })
        .map(drop)
    }
}

/// By what a change of a file is noticed.
#[derive(Clone, Debug, PartialEq)]
struct Stamp {
    id: Option<FileId>,
    len: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    fn of(path: &Path) -> Result<Self> {
        let data =
            fs::metadata(path).map_err(|error| Error::with_source(ErrorKind::Input, "cannot read", error))?;
        Ok(Self { id: FileId::of(path), len: data.len(), modified: data.modified().ok() })
    }

    /// Fails if the file at `path` is another one by now.
    fn check(&self, path: &Path) -> Result<()> {
        if Self::of(path)? == *self {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Input, "the file changed while it was worked on; left as it is now"))
    }
}
