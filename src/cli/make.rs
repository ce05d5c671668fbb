//! One file of a run: read, upscaled page by page, written.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Cursor, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use super::args::upscale_request::{Existing, UpscaleRequest};
use super::commands::upscale::output_name;
use super::job::{Job, Page};
use super::output::events::{Event, Files, Name, Reporter};
use super::probe::read_file;
use crate::batch::page::{self, write_pages};
use crate::engine::Report;
use crate::engine::Upscaler;
use crate::engine::options::UpscaleOptions;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::atomic_file;
use crate::fs::file_id::FileId;
use crate::fs::hash::sha256_hex;
use crate::image::{EncodeOptions, ImageFormat, Picture, Raster, SampleDepth, encode_to};
use crate::progress::{CancelToken, Progress, ProgressEvent};

/// Makes the files of one run.
pub struct Maker<'a> {
    pub request: &'a UpscaleRequest,
    pub reporter: &'a dyn Reporter,
    pub cancel: &'a CancelToken,
    pub upscaler: &'a Upscaler,
    /// Inputs and the warnings that were given about them, by all files that become of their pages.
    pub told: Mutex<HashSet<(PathBuf, String)>>,
}

/// A file that is being written.
trait Sink: Write + Seek {}
impl<T: Write + Seek> Sink for T {}

/// A file on its way.
struct Source<'a> {
    job: &'a Job,
    /// SHA-256 of the input, if it is to be recorded.
    hash: Option<String>,
    /// How the result is encoded.
    encoding: EncodeOptions,
    /// What is asked of the engine.
    options: &'a UpscaleOptions,
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
        let input = job.input.path.clone();
        let output = output_name(&job);
        let files = Files::new(&input, Some(&output));
        let (width, height) = job.pages[0].target;
        let pages = (job.pages.len(), job.pages.iter().map(Page::samples).sum());
        for path in [job.output.as_deref(), self.request.uncertainty.as_deref()].into_iter().flatten() {
            atomic_file::check_writable(path)?;
        }
        let stamp = job.in_place.then(|| Stamp::of(&output)).transpose()?;
        let bytes = match job.bytes.take() {
            Some(bytes) => bytes,
            None => Arc::new(read_file(&input, &self.request.recipe.limits())?),
        };
        let source = Source {
            job: &job,
            hash: self.request.recipe.provenance().then(|| sha256_hex(&bytes)),
            encoding: self.request.recipe.encoding(job.format),
            options,
        };
        let context = format!("cannot write {}", output.display());
        let mut report: Option<Report> = None;
        let mut bytes = Some(bytes);
        let mut page = |index: usize| {
            let last = index + 1 == job.pages.len();
            let bytes = if last { bytes.take() } else { bytes.clone() }.unwrap_or_default();
            let (picture, of_page) = self.page(&source, index, bytes)?;
            report = Some(report.take().map_or(of_page.clone(), |report| report.and(&of_page)));
            Ok(picture)
        };
        // An only page is made before a temporary is begun.
        let mut only = if job.pages.len() == 1 { Some(page(0)?) } else { None };
        let warnings = self.write(&job, stamp, |out| {
            let next = |index| only.take().map_or_else(|| page(index), Ok);
            write_pages(out, &source.encoding, pages, &context, next)
        })?;
        let report = report.ok_or_else(|| Error::new(ErrorKind::Input, "the file has no page"))?;
        self.warn(&source, &warnings);
        self.reporter.tell(&Event::Done {
            files,
            backup: job.backup.as_deref().map(Name),
            uncertainty: self.request.uncertainty.as_deref().map(Name),
            pages: job.pages.len(),
            width,
            height,
            seconds: start.elapsed().as_secs_f64(),
            report: &report,
        });
        Ok(())
    }

    /// The finished picture of one page. Takes the input's bytes, so that the last page frees them.
    fn page(&self, source: &Source<'_>, index: usize, bytes: Arc<Vec<u8>>) -> Result<(Picture, Report)> {
        let request = self.request;
        let read = page::Page::read(&bytes, source.job.pages[index].index, &request.recipe.limits())?;
        drop(bytes);
        if read.rest().animated && source.job.in_place {
            let message = "is an animation: in place, all but its first frame would be lost";
            return Err(Error::new(ErrorKind::Input, message));
        }
        let restore = request.recipe.restore_options();
        self.warn(source, &read.rest().warnings);
        self.warn(source, &read.losses(&source.encoding, &restore, source.hash.is_some()));
        let relay = Relay::new(self.reporter, source.job, index);
        let hash = source.hash.clone();
        let cleanup = request.recipe.cleanup;
        let mut made = read.upscale(self.upscaler, source.options, cleanup, hash, &relay, self.cancel)?;
        if let (Some(path), Some(map)) = (&request.uncertainty, made.uncertainty.take()) {
            if map.data().iter().all(|&deviation| deviation == 0.0) {
                let text =
                    "all samples are the same, so the map of uncertainty is black; more steps invent more";
                self.warn(source, &[text.into()]);
            }
            self.write_map(path, map)?;
        }
        let report = made.report.clone();
        let picture = made.finish(&restore, &source.encoding);
        self.warn(source, &picture.warnings);
        self.cancel.check()?;
        Ok((picture, report))
    }

    /// Lets `fill` write the result to where it belongs.
    fn write<T>(
        &self,
        job: &Job,
        stamp: Option<Stamp>,
        fill: impl FnOnce(&mut dyn Sink) -> Result<T>,
    ) -> Result<T> {
        let Some(path) = &job.output else {
            let mut bytes = Cursor::new(Vec::new());
            let value = fill(&mut bytes)?;
            let mut stdout = io::stdout().lock();
            stdout.write_all(bytes.get_ref()).and_then(|()| stdout.flush()).map_err(|error| {
                Error::with_source(ErrorKind::Output, "cannot write to standard output", error)
            })?;
            return Ok(value);
        };
        make_folder(path)?;
        let fill = |file: &mut io::BufWriter<&fs::File>| {
            let value = fill(file)?;
            // The last moment at which nothing has happened.
            self.cancel.check()?;
            Ok(value)
        };
        match stamp {
            Some(stamp) => atomic_file::replace_with(path, job.backup.as_deref(), || stamp.check(path), fill),
            None => atomic_file::write_with(path, self.request.existing == Existing::Replace, fill),
        }
    }

    fn write_map(&self, path: &Path, map: Raster) -> Result<()> {
        make_folder(path)?;
        let picture = Picture::new(map, None, SampleDepth::F32, ImageFormat::Tiff);
        let options = EncodeOptions::new(ImageFormat::Tiff);
        atomic_file::write_with(path, self.request.existing == Existing::Replace, |file| {
            encode_to(&picture, &options, file)
                .map(drop)
                .map_err(|error| error.context(format!("cannot write {}", path.display())))
        })
    }

    /// Tells each warning once per input.
    fn warn(&self, source: &Source<'_>, warnings: &[String]) {
        let input = &source.job.input.path;
        for message in warnings {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            if told.insert((input.clone(), message.clone())) {
                self.reporter.tell(&Event::Warning { input: Name(input), message });
            }
        }
    }
}

fn make_folder(path: &Path) -> Result<()> {
    let Some(folder) = path.parent() else { return Ok(()) };
    fs::create_dir_all(folder).map_err(|error| {
        Error::with_source(ErrorKind::Output, format!("cannot make {}", folder.display()), error)
    })
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

/// Passes the engine's progress on, at most once per percent and step, as that of the whole file.
struct Relay<'a> {
    reporter: &'a dyn Reporter,
    input: &'a Path,
    output: PathBuf,
    /// Shares of the file that the earlier pages and this one are.
    before: f64,
    share: f64,
    last: AtomicUsize,
}

impl<'a> Relay<'a> {
    /// For page `index` of the result of `job`.
    fn new(reporter: &'a dyn Reporter, job: &'a Job, index: usize) -> Self {
        let whole = job.megapixels();
        let share = |page: &Page| page.megapixels() / whole;
        Self {
            reporter,
            input: &job.input.path,
            output: output_name(job),
            before: job.pages[..index].iter().map(share).sum(),
            share: share(&job.pages[index]),
            last: AtomicUsize::new(usize::MAX),
        }
    }
}

impl Progress for Relay<'_> {
    fn report(&self, event: ProgressEvent) -> bool {
        let place = event.step * 1000 + (event.fraction * 100.0) as usize;
        if self.last.swap(place, Ordering::Relaxed) != place {
            let ProgressEvent { fraction, step, steps } = event;
            let fraction = self.before + self.share * fraction;
            let files = Files::new(self.input, Some(&self.output));
            self.reporter.tell(&Event::Progress { files, fraction, step, steps });
        }
        true
    }
}
