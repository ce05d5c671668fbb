//! The engine: picture in, larger picture out.

mod passes;
mod strips;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use self::passes::{Finished, Run};
use crate::diffusion::Trajectory;
use crate::engine::{Counts, Meter, Workers, probe};
use crate::error::{Error, ErrorKind, Result};
use crate::fidelity::Fidelity;
use crate::image::{Provenance, Raster};
use crate::memory::available_memory;
use crate::model::{Bundle, Manifest};
use crate::network::Network;
use crate::options::UpscaleOptions;
use crate::progress::{CancelToken, Progress};
use crate::report::{Plan, Report};
use crate::runtime::{
    Device, NetworkBytes, NetworkSpec, Provider, ProviderReport, Runtime, Terminator, open_networks,
};
use crate::sampling::Sampling;
use crate::tiling::{MemoryPlan, Workload};

pub use self::strips::TakeStrip;

/// How often a run looks whether it was cancelled while a network runs.
const CANCEL_POLL: Duration = Duration::from_millis(20);

/// Where and with how many threads to run.
#[derive(Clone, Debug, Default)]
pub struct RuntimeOptions {
    /// The ONNX Runtime library. Default: found as [`crate::runtime::find`] says.
    pub library: Option<PathBuf>,
    /// The device. Default: `Device::Auto`.
    pub device: Device,
    /// Threads on the CPU. Default: one per core.
    pub threads: Option<usize>,
}

/// A bundle, loaded and ready. Calls from several threads run one after another.
pub struct Upscaler {
    manifest: Manifest,
    digest: String,
    trajectory: Trajectory,
    workers: Mutex<Workers>,
    /// How many there are, known while they are at work.
    worker_count: usize,
    provider: Option<ProviderReport>,
    terminator: Option<Terminator>,
    encoder_cost: f64,
}

/// A finished picture and how it was made.
#[derive(Clone, Debug)]
pub struct Upscaled {
    /// The picture, as many channels as the input, black 0 and white 1, not clipped.
    pub image: Raster,
    /// The standard deviation of every pixel over the samples that [`UpscaleOptions::uncertainty`] asks for, one
    /// plane, in levels of 255 (root mean square over the channels).
    pub uncertainty: Option<Raster>,
    /// How it was made.
    pub report: Report,
}

impl Upscaler {
    /// Loads ONNX Runtime and the bundle's graphs.
    ///
    /// # Errors
    /// `Runtime` where no library or not the wanted device can be had, `Model` where the graphs do not fit the
    /// manifest.
    pub fn open(bundle: &Bundle, options: &RuntimeOptions) -> Result<Self> {
        let threads =
            options.threads.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));
        if threads == 0 {
            return Err(Error::new(ErrorKind::InvalidOption, "threads is 0: expected at least 1"));
        }
        let runtime = Runtime::open(options.library.as_deref(), options.device)?;
        let spec = NetworkSpec::from(bundle.manifest());
        let bytes = NetworkBytes { encoder: bundle.encoder(), denoiser: bundle.denoiser() };
        let opened = open_networks(runtime, &spec, bytes, options.device, threads)?;
        let networks: Vec<Box<dyn Network>> =
            opened.networks.into_iter().map(|network| Box::new(network) as Box<dyn Network>).collect();
        let fallback: Option<Box<crate::engine::Fallback>> = if opened.provider.provider == Provider::Cpu {
            None
        } else {
            let bundle = bundle.clone();
            Some(Box::new(move || {
                let bytes = NetworkBytes { encoder: bundle.encoder(), denoiser: bundle.denoiser() };
                let mut opened = open_networks(runtime, &spec, bytes, Device::Cpu, 1)?;
                Ok(Box::new(opened.networks.remove(0)) as Box<dyn Network>)
            }))
        };
        let mut upscaler = Self::assemble(bundle.manifest(), Workers::new(networks, fallback))?;
        // Weights are used once per low-resolution pixel, so a graph's size tells its cost.
        upscaler.encoder_cost =
            bundle.encoder().map_or(0.0, |encoder| encoder.len() as f64 / bundle.denoiser().len() as f64);
        upscaler.digest = bundle.digest().to_owned();
        upscaler.provider = Some(opened.provider);
        upscaler.terminator = Some(opened.terminator);
        Ok(upscaler)
    }

    /// An upscaler over networks of one's own, one thread each.
    ///
    /// # Errors
    /// `Model` where the manifest's schedule is impossible, `InvalidOption` for no networks.
    pub fn with_networks(manifest: &Manifest, networks: Vec<Box<dyn Network>>) -> Result<Self> {
        if networks.is_empty() {
            return Err(Error::new(ErrorKind::InvalidOption, "networks is empty: expected at least one"));
        }
        Self::assemble(manifest, Workers::new(networks, None))
    }

    fn assemble(manifest: &Manifest, workers: Workers) -> Result<Self> {
        let trajectory =
            Trajectory::new(manifest.schedule.build()?, manifest.alignment, manifest.start_step)?;
        Ok(Self {
            manifest: manifest.clone(),
            digest: String::new(),
            trajectory,
            worker_count: workers.count(),
            workers: Mutex::new(workers),
            provider: None,
            terminator: None,
            encoder_cost: if manifest.encoder.is_some() { 1.0 } else { 0.0 },
        })
    }

    /// The bundle's manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// [`Bundle::digest`] of the bundle; empty over networks of one's own.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The record of how a picture was made, `scale` times as large as the file with hash `source_sha256`.
    pub fn provenance(&self, report: &Report, scale: f64, source_sha256: String) -> Provenance {
        let (manifest, sampling) = (&self.manifest, &report.sampling);
        Provenance {
            software: concat!("PartDiff ", env!("CARGO_PKG_VERSION")).to_owned(),
            model: format!("{} {}", manifest.name, manifest.version),
            model_sha256: self.digest.clone(),
            start_step: sampling.start_step as u32,
            steps: sampling.steps as u32,
            sampler: sampling.sampler.to_string(),
            eta: sampling.eta,
            spacing: sampling.spacing.to_string(),
            consistency: sampling.consistency as u32,
            cleanup: report.cleanup,
            seed: report.seed,
            provider: self.provider.as_ref().map(|report| report.provider.to_string()).unwrap_or_default(),
            scale,
            source_sha256,
            ..Provenance::default()
        }
    }

    /// What the networks really run on; `None` over networks of one's own.
    pub fn provider(&self) -> Option<&ProviderReport> {
        self.provider.as_ref()
    }

    /// What upscaling a picture of `width` x `height` pixels and `channels` (1 or 3) would do.
    ///
    /// # Errors
    /// As [`upscale`](Self::upscale), before any work.
    pub fn plan(
        &self,
        width: usize,
        height: usize,
        channels: usize,
        options: &UpscaleOptions,
    ) -> Result<Plan> {
        self.planned((width, height, channels), options, false)
    }

    /// As [`plan`](Self::plan); a `streamed` result is not held.
    fn planned(
        &self,
        (width, height, channels): (usize, usize, usize),
        options: &UpscaleOptions,
        streamed: bool,
    ) -> Result<Plan> {
        options.validate()?;
        if width == 0 || height == 0 {
            return Err(Error::new(
                ErrorKind::Input,
                format!("the picture is {width}x{height}: it has no pixels"),
            ));
        }
        if !matches!(channels, 1 | 3) {
            return Err(Error::new(
                ErrorKind::Input,
                format!("the picture has {channels} channels: expected 1 or 3"),
            ));
        }
        let sampling = Sampling::resolve(&self.manifest, options)?;
        sampling.plan(&self.manifest, &self.trajectory)?;
        let scale = self.manifest.scale;
        let (out_width, out_height) = options.target.resolve(width, height, scale)?;
        let budget = options.memory.unwrap_or_else(|| available_memory() / 2);
        let (mut w, mut h) = (width, height);
        let mut passes = Vec::new();
        loop {
            let work = self.workload(w, h, &sampling, options, self.worker_count);
            (w, h) = (w * scale, h * scale);
            let last = w >= out_width && h >= out_height || scale == 1;
            passes.push(MemoryPlan::choose(&Workload { streamed: streamed && last, ..work }, budget)?);
            if last {
                break;
            }
        }
        if options.uncertainty.is_some() && passes.len() > 1 {
            return Err(Error::new(
                ErrorKind::InvalidOption,
                format!(
                    "uncertainty is measured over one pass of the model: the result may be at most {scale} times as \
                     large as the picture"
                ),
            ));
        }
        let bytes = passes.iter().map(|pass| pass.bytes).max().unwrap_or(0);
        let repeats = if channels > self.manifest.channels { channels } else { 1 };
        Ok(Plan { width: out_width, height: out_height, sampling, passes, bytes, repeats })
    }

    /// How long `plan` takes here, from running the networks on a small square.
    ///
    /// # Errors
    /// As the networks fail.
    pub fn estimate(&self, plan: &Plan) -> Result<Duration> {
        // The networks hold nothing of a run that panicked.
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        let count = workers.count() as f64;
        let (encoder, denoiser) = probe(&self.manifest, workers.first())?;
        let seconds: f64 = plan
            .passes
            .iter()
            .map(|pass| pass.encoder_pixels as f64 * encoder + pass.denoiser_pixels as f64 * denoiser)
            .sum();
        Ok(Duration::from_secs_f64(seconds * plan.repeats as f64 / count))
    }

    /// Upscales `image`, 1 or 3 channels, black 0 and white 1.
    ///
    /// A greyscale picture runs through a colour bundle as equal channels; a colour picture runs through a
    /// greyscale bundle channel by channel.
    ///
    /// # Errors
    /// `InvalidOption`, `Limit` (the memory does not suffice), `Quality` (a tile stayed broken), `Runtime`, or
    /// `Cancelled` within a step after `cancel` or a `false` from `progress`.
    pub fn upscale(
        &self,
        image: &Raster,
        options: &UpscaleOptions,
        progress: &dyn Progress,
        cancel: &CancelToken,
    ) -> Result<Upscaled> {
        let (finished, report) = self.work(image, options, false, progress, cancel, |run| {
            let Finished { image, uncertainty, fidelity } = self.run(image, run)?;
            Ok(((image, uncertainty), fidelity))
        })?;
        let (image, uncertainty) = finished;
        Ok(Upscaled { image, uncertainty, report })
    }

    /// Plans, waits for the networks, runs `body`, and reports.
    fn work<T>(
        &self,
        image: &Raster,
        options: &UpscaleOptions,
        streamed: bool,
        progress: &dyn Progress,
        cancel: &CancelToken,
        body: impl FnOnce(&mut Run<'_, '_>) -> Result<(T, Fidelity)>,
    ) -> Result<(T, Report)> {
        let start = Instant::now();
        let plan = self.planned((image.width(), image.height(), image.channels()), options, streamed)?;
        let total: f64 = plan
            .passes
            .iter()
            .map(|pass| pass.encoder_pixels as f64 * self.encoder_cost + pass.denoiser_pixels as f64)
            .sum::<f64>()
            * plan.repeats as f64;
        let meter = Meter::new(progress, cancel, total);
        let counts = Counts::default();
        let mut workers = self.turn(&meter)?;
        let result = self.watched(&meter, || {
            body(&mut Run { plan: &plan, options, workers: &mut workers, meter: &meter, counts: &counts })
        });
        // An operation that was broken off reports whatever it was doing; the cause is the cancellation.
        let (value, fidelity) = if meter.is_cancelled() { Err(Error::cancelled()) } else { result }?;
        let pass = counts.report();
        let report = Report {
            sampling: plan.sampling,
            seed: options.seed,
            cleanup: options.cleanup,
            passes: plan.passes.len(),
            tiles: pass.tiles,
            retries: pass.retries,
            fidelity,
            seconds: start.elapsed().as_secs_f64(),
            network_seconds: pass.network_seconds,
        };
        Ok((value, report))
    }

    /// The networks, once no other call is at work on them.
    fn turn(&self, meter: &Meter<'_>) -> Result<MutexGuard<'_, Workers>> {
        loop {
            meter.check()?;
            match self.workers.try_lock() {
                Ok(workers) => return Ok(workers),
                // The networks hold nothing of a run that panicked.
                Err(TryLockError::Poisoned(workers)) => return Ok(workers.into_inner()),
                Err(TryLockError::WouldBlock) => thread::sleep(CANCEL_POLL),
            }
        }
    }

    /// Runs `work` while a thread breaks off running inferences once `meter` is cancelled.
    fn watched<T>(&self, meter: &Meter<'_>, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let Some(terminator) = &self.terminator else { return work() };
        terminator.reset();
        let finished = AtomicBool::new(false);
        thread::scope(|scope| {
            let watcher = scope.spawn(|| {
                while !finished.load(Ordering::Acquire) {
                    if meter.is_cancelled() {
                        terminator.terminate();
                        break;
                    }
                    thread::park_timeout(CANCEL_POLL);
                }
            });
            let result = work();
            finished.store(true, Ordering::Release);
            watcher.thread().unpark();
            result
        })
    }
}
