//! `partdiff upscale` at work: plan, open the model, make the images, several at a time.

mod job;
mod maker;
mod observer;
mod plan;
mod verdict;
mod volume_job;

use std::any::Any;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, IsTerminal};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use self::job::{Job, ModelFacts, Models};
use self::maker::Maker;
use self::plan::RunPlan;
use crate::batch::admission::Admission;
use crate::cli::args::destination::Destination;
use crate::cli::args::inputs::STDIO;
use crate::cli::args::shard::Shard;
use crate::cli::args::upscale_request::{UpscaleRequest, Verbosity};
use crate::cli::output::exit::{Exit, kind_name};
use crate::cli::output::human::HumanReporter;
use crate::cli::output::report_page::PageReporter;
use crate::engine::Plan;
use crate::engine::Upscaler;
use crate::engine::sampling::Sampling;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Bundle, DEFAULT_BUNDLE};
use crate::progress::CancelToken;
use crate::report::event::{Event, Files, Name, Reporter};
use crate::report::json::JsonReporter;
use crate::report::shown::RESAMPLED;
use crate::runtime::Runtime;
use crate::settings::repair::AskedRepair;
use crate::volume;
use crate::volume::dicom::files_of;
use crate::volume::nifti::is_volume;

/// Does what `request` asks.
///
/// # Errors
/// What keeps the run from starting; what happens to single images is told and counted.
pub fn run(request: &UpscaleRequest, cancel: &CancelToken) -> Result<Exit> {
    if request.destination == Destination::Stdout && io::stdout().is_terminal() && !request.dry_run {
        let message = "refusing to write image data to a terminal: give a file as OUT, or a pipe";
        return Err(Error::invalid_option(message));
    }
    let reporter: Box<dyn Reporter> = match request.verbosity {
        Verbosity::Json => Box::new(JsonReporter::new(false, cancel.clone())),
        verbosity => Box::new(HumanReporter::new(verbosity)),
    };
    let Some(path) = &request.report else { return run_told(request, &*reporter, cancel) };
    let page = PageReporter::new(reporter, path)?;
    let ended = run_told(request, &page, cancel);
    if ended.is_err() && page.is_empty() {
        return ended;
    }
    let written = page.write();
    let exit = ended?;
    Ok(written.map_or_else(
        |error| {
            eprintln!("partdiff: {}", error.report());
            Exit::Incomplete
        },
        |()| exit,
    ))
}

/// As [`run`], telling `reporter`.
fn run_told(request: &UpscaleRequest, reporter: &dyn Reporter, cancel: &CancelToken) -> Result<Exit> {
    let bundle = open_bundle(request.model.as_deref().unwrap_or(DEFAULT_BUNDLE.as_ref()))?;
    Sampling::resolve(bundle.manifest(), &request.options)?;
    // The model of volumes, unless one was named for all.
    let may_be_volume = |input: &PathBuf| {
        input.is_dir() || is_volume(input) || !files_of(input).unwrap_or_default().is_empty()
    };
    let mr_bundle = if request.model.is_none() && request.inputs.iter().any(may_be_volume) {
        open_bundle(volume::DEFAULT_MODEL.as_ref())?
    } else {
        bundle.clone()
    };
    Sampling::resolve(mr_bundle.manifest(), &request.options)?;
    let models = Models { images: facts(&bundle), volumes: facts(&mr_bundle) };
    let RunPlan { jobs, skipped, failures, notes, files: [files, all_files] } =
        RunPlan::make(request, models)?;
    let run = Run { request, reporter, cancel, tally: Mutex::default() };
    let start = Instant::now();
    if let Some(Shard { index, count }) = request.shard {
        run.reporter.tell(&Event::Shard { index, count, files, all_files });
    }
    for (input, message) in &notes {
        run.reporter.tell(&Event::Warning { files: Files::new(input, None), message });
    }
    for (input, output) in &skipped {
        run.reporter.tell(&Event::Skipped { files: Files::new(input, Some(output)) });
        run.count(|tally| tally.skipped += 1);
    }
    for failure in &failures {
        run.failed(&failure.input, None, &failure.error);
    }
    let all = Totals { files: jobs.len(), megapixels: jobs.iter().map(Job::megapixels).sum() };
    let (volumes, images): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|job| job.volume.is_some());
    let before = images.len();
    for (bundle, jobs, before) in [(&bundle, images, 0), (&mr_bundle, volumes, before)] {
        if jobs.is_empty() {
            continue;
        }
        if cancel.is_cancelled() {
            run.count(|tally| tally.cancelled = true);
        } else {
            run.work(bundle, jobs, before, &all)?;
        }
    }
    Ok(run.finish(start.elapsed()))
}

fn facts(bundle: &Bundle) -> ModelFacts<'_> {
    ModelFacts { name: &bundle.manifest().name, scale: bundle.manifest().scale }
}

/// What all files of a run, of all models, come to.
struct Totals {
    files: usize,
    megapixels: f64,
}

/// The bundle of that name or path.
///
/// # Errors
/// `Model`, as [`Bundle::resolve`].
pub fn open_bundle(name: &OsStr) -> Result<Bundle> {
    match name.to_str() {
        Some(name) => Bundle::resolve(name),
        // No embedded bundle has such a name, so it is a path.
        None => Bundle::open(Path::new(name)),
    }
}

/// Width, height and channels.
type PageShape = (usize, usize, usize);

#[derive(Default)]
struct Tally {
    done: usize,
    skipped: usize,
    failed: usize,
    cancelled: bool,
}

struct Run<'a> {
    request: &'a UpscaleRequest,
    reporter: &'a dyn Reporter,
    cancel: &'a CancelToken,
    tally: Mutex<Tally>,
}

impl Run<'_> {
    /// Makes `jobs` with one model, after `before` others of the run.
    fn work(&self, bundle: &Bundle, jobs: Vec<Job>, before: usize, all: &Totals) -> Result<()> {
        AskedRepair::from(&self.request.settings).check(bundle.manifest())?;
        let upscaler = Upscaler::open(bundle, &self.request.runtime)?;
        // Options that suit no image are found with the first one.
        if let Err(error) = jobs[0].pages[0].plan(&upscaler, &self.request.options)
            && error.kind() == ErrorKind::InvalidOption
        {
            return Err(error);
        }
        let manifest = bundle.manifest();
        self.reporter.tell(&Event::Run {
            version: env!("CARGO_PKG_VERSION"),
            model: &manifest.name,
            model_version: &manifest.version,
            model_digest: bundle.digest(),
            library: Name(
                &Runtime::loaded().map(|runtime| runtime.library().path.clone()).unwrap_or_default(),
            ),
            provider: &upscaler.provider().map(ToString::to_string).unwrap_or_default(),
            provider_failed: upscaler.provider().is_some_and(|report| report.failed),
            files: all.files,
            megapixels: all.megapixels,
        });
        if self.request.dry_run {
            self.plan_all(&upscaler, &jobs)
        } else {
            self.make_all(&upscaler, jobs, before, all.files)
        }
        Ok(())
    }

    fn plan_all(&self, upscaler: &Upscaler, jobs: &[Job]) {
        let mut known = HashMap::new();
        for job in jobs {
            if self.cancel.is_cancelled() {
                self.count(|tally| tally.cancelled = true);
                break;
            }
            self.tried(&job.input.path, &output_name(job), || self.tell_plan(upscaler, job, &mut known));
        }
    }

    /// Begins the files in their order; what is less work may end before.
    fn make_all(&self, upscaler: &Upscaler, jobs: Vec<Job>, before: usize, total: usize) {
        let Self { request, reporter, cancel, .. } = *self;
        let maker = Maker { request, reporter, cancel, upscaler, told: Mutex::default() };
        let options = &request.options;
        let admission = Admission::new(&request.runtime, options.memory, Some(jobs.len()));
        thread::scope(|scope| {
            for (index, job) in jobs.into_iter().enumerate() {
                let file_bytes = fs::metadata(&job.input.path).map_or(0, |file| file.len());
                let (permit, options) = match &job.volume {
                    // Its slices keep the networks busy.
                    Some(_) => (admission.exclusive(), options.clone()),
                    None => admission.admit(upscaler, options, &job.pages, file_bytes),
                };
                if cancel.is_cancelled() {
                    self.count(|tally| tally.cancelled = true);
                    break;
                }
                let maker = &maker;
                maker.begin(&job, (before + index + 1, total));
                scope.spawn(move || {
                    let (input, output) = (job.input.path.clone(), output_name(&job));
                    self.tried(&input, &output, || maker.make(job, &options));
                    drop(permit);
                });
            }
        });
    }

    /// Counts what becomes of an image; a defect that it brings to light must not cost the others.
    fn tried(&self, input: &Path, output: &Path, work: impl FnOnce() -> Result<()>) {
        let outcome = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(internal(&*panic)));
        match outcome {
            Ok(()) => self.count(|tally| tally.done += 1),
            Err(error) => self.failed(input, Some(output), &error),
        }
    }

    fn count(&self, change: impl FnOnce(&mut Tally)) {
        change(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What an image would take; equal sizes are measured once.
    fn tell_plan(
        &self,
        upscaler: &Upscaler,
        job: &Job,
        known: &mut HashMap<PageShape, Duration>,
    ) -> Result<()> {
        let (mut seconds, mut bytes) = (Duration::ZERO, 0);
        let first = job.pages[0].plan(upscaler, &self.request.options)?;
        for page in &job.pages {
            let plan = page.plan(upscaler, &self.request.options)?;
            seconds += match known.entry((page.size.0, page.size.1, page.channels)) {
                Entry::Occupied(entry) => *entry.get(),
                Entry::Vacant(entry) => *entry.insert(upscaler.estimate(&plan)?),
            };
            bytes = bytes.max(plan.bytes);
        }
        let (mut pages, mut size) = (job.pages.len(), (first.width, first.height));
        if let Some(volume) = job.volume.as_ref().filter(|volume| volume.plan.is_through()) {
            // What runs are planes across the slices; what becomes of them are slices.
            let plan = &volume.plan;
            let all = |sides: [usize; 3]| sides.into_iter().product::<usize>() as u64;
            (pages, size) = (plan.sides[plan.plane.2] * plan.source.shape()[3], plan.target());
            let held = if self.request.uncertainty.is_some() { 16 } else { 4 };
            bytes += held * all(plan.sides) + 4 * all(plan.geometry.sides);
        }
        self.reporter.tell(&Event::Plan {
            files: Files::new(&job.input.path, Some(&output_name(job))),
            pages,
            width: size.0,
            height: size.1,
            memory_bytes: bytes,
            seconds: seconds.as_secs_f64(),
            details: &describe(&first),
            page: if job.volume.is_some() { "slice" } else { "page" },
        });
        Ok(())
    }

    fn failed(&self, input: &Path, output: Option<&Path>, error: &Error) {
        let (kind, reason) = (kind_name(error.kind()), &error.report());
        self.reporter.tell(&Event::Failed { files: Files::new(input, output), kind: Some(kind), reason });
        match error.kind() {
            ErrorKind::Cancelled => self.count(|tally| tally.cancelled = true),
            _ => self.count(|tally| tally.failed += 1),
        }
    }

    fn finish(self, took: Duration) -> Exit {
        let Tally { done, skipped, failed, cancelled } =
            self.tally.into_inner().unwrap_or_else(PoisonError::into_inner);
        let exit = if failed > 0 || cancelled { Exit::Incomplete } else { Exit::Done };
        let seconds = took.as_secs_f64();
        self.reporter.tell(&Event::Summary { done, skipped, failed, cancelled, seconds, exit: exit.code() });
        exit
    }
}

/// Where a job's result goes, by name.
pub fn output_name(job: &Job) -> PathBuf {
    job.output.clone().unwrap_or_else(|| PathBuf::from(STDIO))
}

fn describe(plan: &Plan) -> String {
    if plan.passes.is_empty() {
        return RESAMPLED.into();
    }
    let sampling = &plan.sampling;
    let mut text = format!(
        "{} steps of {} from step {}, eta {}",
        sampling.steps,
        sampling.sampler.name(),
        sampling.start_step,
        sampling.eta
    );
    for (index, pass) in plan.passes.iter().enumerate() {
        text.push_str(&format!(
            "; pass {}: tiles up to {}x{}, bands of {} rows, {:.0} % computed twice for seams",
            index + 1,
            pass.tile_width,
            pass.tile_height,
            pass.band_rows,
            (pass.overhead - 1.0) * 100.0
        ));
    }
    text
}

fn internal(panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
    let message = format!("internal error (please report): {}", text.unwrap_or("no details"));
    Error::new(ErrorKind::Runtime, message)
}
