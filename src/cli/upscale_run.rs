//! `partdiff upscale` at work: plan, open the model, make one picture after the other.

use std::any::Any;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::events::{Event, Files, JsonReporter, Name, Reporter};
use super::exit::{Exit, kind_name};
use super::human::HumanReporter;
use super::inputs::STDIO;
use super::plan::{Job, ModelFacts, RunPlan};
use super::probe::read_file;
use super::upscale_request::{Existing, UpscaleRequest, Voice};
use crate::atomic_file;
use crate::error::{Error, ErrorKind, Result};
use crate::hash::sha256_hex;
use crate::image::{EncodeOptions, Picture, decode, encode, encode_to, prepare_for_model};
use crate::limits::Limits;
use crate::model::{Bundle, DEFAULT_BUNDLE};
use crate::progress::{CancelToken, Progress, ProgressEvent};
use crate::report::{Plan, Report};
use crate::runtime::Runtime;
use crate::sampling::Sampling;
use crate::upscaler::Upscaler;

/// Does what `request` asks.
///
/// # Errors
/// What keeps the run from starting; what happens to single pictures is told and counted.
pub fn run(request: &UpscaleRequest, cancel: &CancelToken) -> Result<Exit> {
    let reporter: Box<dyn Reporter> = match request.voice {
        Voice::Json => Box::new(JsonReporter::new(cancel.clone())),
        voice => Box::new(HumanReporter::new(voice)),
    };
    let bundle = open_bundle(request.model.as_deref())?;
    Sampling::resolve(bundle.manifest(), &request.options)?;
    let limits = Limits::default();
    let facts = ModelFacts { name: &bundle.manifest().name, scale: bundle.manifest().scale };
    let RunPlan { jobs, skipped, failures } = RunPlan::make(request, facts, &limits)?;
    let mut run = Run { request, reporter: &*reporter, cancel, limits, tally: Tally::default() };
    let start = Instant::now();
    for (input, output) in &skipped {
        run.reporter.tell(&Event::Skipped { files: Files::new(input, Some(output)) });
        run.tally.skipped += 1;
    }
    for failure in &failures {
        run.failed(&failure.input, None, &failure.error);
    }
    if !jobs.is_empty() {
        run.work(&bundle, jobs)?;
    }
    Ok(run.finish(start.elapsed()))
}

/// The bundle of that name or path.
///
/// # Errors
/// `Model`, as [`Bundle::resolve`].
pub fn open_bundle(name: Option<&OsStr>) -> Result<Bundle> {
    match name.map(|name| name.to_str().ok_or(name)) {
        None => Bundle::resolve(DEFAULT_BUNDLE),
        Some(Ok(name)) => Bundle::resolve(name),
        // No embedded bundle has such a name, so it is a path.
        Some(Err(path)) => Bundle::open(Path::new(path)),
    }
}

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
    limits: Limits,
    tally: Tally,
}

impl Run<'_> {
    fn work(&mut self, bundle: &Bundle, jobs: Vec<Job>) -> Result<()> {
        let upscaler = Upscaler::open(bundle, &self.request.runtime)?;
        // Options that suit no picture are found with the first one.
        if let Err(error) = self.plan(&upscaler, &jobs[0])
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
            files: jobs.len(),
        });
        let total = jobs.len();
        let mut known = HashMap::new();
        for (index, mut job) in jobs.into_iter().enumerate() {
            if self.cancel.is_cancelled() {
                self.tally.cancelled = true;
                break;
            }
            let (input, output) = (job.input.path.clone(), output_name(&job));
            // A defect that one picture brings to light must not cost the others.
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                if self.request.dry_run {
                    self.tell_plan(&upscaler, &job, &mut known)
                } else {
                    self.make(&upscaler, &mut job, (index + 1, total))
                }
            }))
            .unwrap_or_else(|panic| Err(internal(&*panic)));
            match outcome {
                Ok(()) => self.tally.done += 1,
                Err(error) => self.failed(&input, Some(&output), &error),
            }
        }
        Ok(())
    }

    fn plan(&self, upscaler: &Upscaler, job: &Job) -> Result<Plan> {
        upscaler.plan(job.size.0, job.size.1, job.channels, &self.request.options)
    }

    /// What a picture would take; equal sizes are measured once.
    fn tell_plan(
        &self,
        upscaler: &Upscaler,
        job: &Job,
        known: &mut HashMap<(usize, usize, usize), Duration>,
    ) -> Result<()> {
        let plan = self.plan(upscaler, job)?;
        let seconds = match known.entry((job.size.0, job.size.1, job.channels)) {
            std::collections::hash_map::Entry::Occupied(entry) => *entry.get(),
            std::collections::hash_map::Entry::Vacant(entry) => *entry.insert(upscaler.estimate(&plan)?),
        };
        self.reporter.tell(&Event::Plan {
            files: Files::new(&job.input.path, Some(&output_name(job))),
            width: plan.width,
            height: plan.height,
            memory_bytes: plan.bytes,
            seconds: seconds.as_secs_f64(),
            details: &describe(&plan),
        });
        Ok(())
    }

    /// Reads, upscales and writes one picture.
    fn make(&self, upscaler: &Upscaler, job: &mut Job, (index, total): (usize, usize)) -> Result<()> {
        let start = Instant::now();
        let (input, output) = (&job.input.path, output_name(job));
        let files = Files::new(input, Some(&output));
        let (width, height) = job.target;
        self.reporter.tell(&Event::Start { index, total, files, width, height });
        if let Some(path) = &job.output {
            atomic_file::check_writable(path)?;
        }
        let bytes = match job.bytes.take() {
            Some(bytes) => bytes,
            None => read_file(input, &self.limits)?,
        };
        let source = self.request.provenance.then(|| sha256_hex(&bytes));
        let prepared = prepare_for_model(decode(&bytes, &self.limits)?);
        drop(bytes);
        let options = self.encode_options(job);
        let relay = Relay { reporter: self.reporter, input, last: AtomicUsize::new(usize::MAX) };
        let upscaled = upscaler.upscale(&prepared.color, &self.request.options, &relay, self.cancel)?;
        drop(prepared.color);
        let report = upscaled.report;
        let mut result = prepared.frame.restore(upscaled.image, &self.request.restore);
        if let Some(source) = source {
            let record = upscaler.provenance(&report, width as f64 / job.size.0 as f64, source);
            result.warnings.extend(record.write(&mut result.metadata));
        }
        self.warn(input, &result.warnings);
        self.cancel.check()?;
        let warnings = self.write(job, &result, &options)?;
        self.warn(input, &warnings);
        self.tell_done(files, &result, start.elapsed(), &report);
        Ok(())
    }

    fn encode_options(&self, job: &Job) -> EncodeOptions {
        let defaults = EncodeOptions::new(job.format);
        match self.request.quality {
            Some(quality) => EncodeOptions { quality, lossless: false, ..defaults },
            None => defaults,
        }
    }

    /// Writes the result and returns what the format could not hold.
    fn write(&self, job: &Job, result: &Picture, options: &EncodeOptions) -> Result<Vec<String>> {
        let Some(path) = &job.output else {
            let encoded = encode(result, options)?;
            let mut stdout = io::stdout().lock();
            stdout.write_all(&encoded.bytes).and_then(|()| stdout.flush()).map_err(|error| {
                Error::with_source(ErrorKind::Output, "cannot write to standard output", error)
            })?;
            return Ok(encoded.warnings);
        };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| {
                Error::with_source(ErrorKind::Output, format!("cannot make {}", folder.display()), error)
            })?;
        }
        let replace = self.request.existing == Existing::Replace;
        atomic_file::write_with(path, replace, |file| {
            let warnings = encode_to(result, options, file)
                .map_err(|error| error.context(format!("cannot write {}", path.display())))?;
            // The last moment at which nothing has happened.
            self.cancel.check()?;
            Ok(warnings)
        })
    }

    fn tell_done(&self, files: Files<'_>, result: &Picture, took: Duration, report: &Report) {
        self.reporter.tell(&Event::Done {
            files,
            width: result.width(),
            height: result.height(),
            seconds: took.as_secs_f64(),
            report,
        });
    }

    fn warn(&self, input: &Path, warnings: &[String]) {
        for message in warnings {
            self.reporter.tell(&Event::Warning { input: Name(input), message });
        }
    }

    fn failed(&mut self, input: &Path, output: Option<&Path>, error: &Error) {
        let (kind, reason) = (kind_name(error.kind()), &error.report());
        self.reporter.tell(&Event::Failed { files: Files::new(input, output), kind, reason });
        match error.kind() {
            ErrorKind::Cancelled => self.tally.cancelled = true,
            _ => self.tally.failed += 1,
        }
    }

    fn finish(self, took: Duration) -> Exit {
        let Tally { done, skipped, failed, cancelled } = self.tally;
        let exit = if failed > 0 || cancelled { Exit::Incomplete } else { Exit::Done };
        let seconds = took.as_secs_f64();
        self.reporter.tell(&Event::Summary { done, skipped, failed, cancelled, seconds, exit: exit.code() });
        exit
    }
}

/// Passes the engine's progress on, at most once per percent and step.
struct Relay<'a> {
    reporter: &'a dyn Reporter,
    input: &'a Path,
    last: AtomicUsize,
}

impl Progress for Relay<'_> {
    fn report(&self, event: ProgressEvent) -> bool {
        let place = event.step * 1000 + (event.fraction * 100.0) as usize;
        if self.last.swap(place, Ordering::Relaxed) != place {
            let ProgressEvent { fraction, step, steps } = event;
            self.reporter.tell(&Event::Progress { input: Name(self.input), fraction, step, steps });
        }
        true
    }
}

fn output_name(job: &Job) -> PathBuf {
    job.output.clone().unwrap_or_else(|| PathBuf::from(STDIO))
}

fn describe(plan: &Plan) -> String {
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
    let message = format!("a defect of this program: {}", text.unwrap_or("no details"));
    Error::new(ErrorKind::Runtime, message)
}
