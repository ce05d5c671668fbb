//! The engine: image in, larger image out.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use super::admission::Admission;
use super::passes::{Finished, Run};
use super::plan::{Delivery, budget};
use crate::diffusion::Trajectory;
use crate::engine::meter::{CANCEL_POLL, Meter};
use crate::engine::options::UpscaleOptions;
use crate::engine::pass::Counts;
use crate::engine::report::Report;
use crate::engine::runtime_options::RuntimeOptions;
use crate::engine::workers::{Fallback, Workers};
use crate::error::{Error, Result};
use crate::fidelity::Fidelity;
use crate::image::{Provenance, Raster};
use crate::model::{Bundle, Manifest};
use crate::progress::{CancelToken, Progress};
use crate::runtime::network::Network;
use crate::runtime::{
    Device, Estimator, NetworkBytes, NetworkSpec, Provider, ProviderReport, Runtime, open_networks,
};

/// A bundle, loaded and ready.
///
/// Calls from several threads share its networks, the earlier ones first; each waits until its plan fits into its own
/// memory beside what is at work. No result depends on others.
pub struct Upscaler {
    manifest: Manifest,
    digest: String,
    pub(super) trajectory: Trajectory,
    pub(super) workers: Workers,
    pub(super) admission: Admission,
    provider: Option<ProviderReport>,
    pub(super) encoder_cost: f64,
    pub(super) estimator: Option<Estimator>,
}

/// A finished image and how it was made.
#[derive(Clone, Debug)]
pub struct Upscaled {
    /// The image, as many channels as the input, black 0 and white 1, not clipped.
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
        let threads = options.cpu_threads();
        if threads == 0 {
            return Err(Error::invalid_option("threads is 0: expected at least 1"));
        }
        let runtime = Runtime::open(options.library.as_deref(), options.device)?;
        let spec = NetworkSpec::from(bundle.manifest());
        let bytes = NetworkBytes::from(bundle);
        let opened = open_networks(runtime, &spec, bytes, options.device, threads, options.memory.is_some())?;
        let networks: Vec<Box<dyn Network>> =
            opened.networks.into_iter().map(|network| Box::new(network) as Box<dyn Network>).collect();
        let fallback: Option<Box<Fallback>> = if opened.provider.provider == Provider::Cpu {
            None
        } else {
            let bundle = bundle.clone();
            Some(Box::new(move || {
                let bytes = NetworkBytes::from(&bundle);
                let mut opened = open_networks(runtime, &spec, bytes, Device::Cpu, 1, false)?;
                Ok(Box::new(opened.networks.remove(0)) as Box<dyn Network>)
            }))
        };
        let mut upscaler = Self::assemble(bundle.manifest(), Workers::new(networks, fallback))?;
        // Most weights are used once per low-resolution pixel, so without a record a graph's size tells its cost.
        let recorded = |part: &str| bundle.manifest().training["mflop_per_lr_pixel"][part].as_f64();
        upscaler.encoder_cost = match (recorded("encoder"), recorded("denoiser")) {
            (Some(encoder), Some(denoiser)) if denoiser > 0.0 => encoder / denoiser,
            _ => {
                bundle.encoder().map_or(0.0, |encoder| encoder.len() as f64 / bundle.denoiser().len() as f64)
            }
        };
        upscaler.digest = bundle.digest().to_owned();
        upscaler.provider = Some(opened.provider);
        upscaler.estimator = Estimator::open(runtime, bundle)?;
        Ok(upscaler)
    }

    /// An upscaler over networks of one's own, one thread each.
    ///
    /// # Errors
    /// `Model` where the manifest's schedule is impossible, `InvalidOption` for no networks.
    pub fn with_networks(manifest: &Manifest, networks: Vec<Box<dyn Network>>) -> Result<Self> {
        if networks.is_empty() {
            return Err(Error::invalid_option("networks is empty: expected at least one"));
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
            workers,
            admission: Admission::default(),
            provider: None,
            encoder_cost: if manifest.encoder.is_some() { 1.0 } else { 0.0 },
            estimator: None,
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

    /// The record of how an image was made, `scale` times as large as the file with hash `source_sha256`.
    pub fn provenance(&self, report: &Report, scale: f64, source_sha256: String) -> Provenance {
        let (manifest, sampling) = (&self.manifest, &report.sampling);
        Provenance {
            software: concat!("PartDiff ", env!("CARGO_PKG_VERSION")).to_owned(),
            model: format!("{} {}", manifest.name, manifest.version),
            model_sha256: self.digest.clone(),
            start_step: sampling.start_step as u32,
            // An image that was only shrunk owes the model nothing.
            steps: if report.passes == 0 { 0 } else { sampling.steps as u32 },
            sampler: sampling.sampler.to_string(),
            eta: sampling.eta,
            spacing: sampling.spacing.to_string(),
            consistency: sampling.consistency as u32,
            cleanup: report.cleanup,
            deblur: Some(report.deblur).filter(|&factor| factor > 1),
            seed: report.seed,
            provider: self.provider.as_ref().map(|report| report.provider.to_string()).unwrap_or_default(),
            scale,
            source_sha256,
            ..Provenance::default()
        }
    }

    /// How many inferences run at once.
    pub fn networks(&self) -> usize {
        self.workers.count()
    }

    /// What the networks really run on; `None` over networks of one's own.
    pub fn provider(&self) -> Option<&ProviderReport> {
        self.provider.as_ref()
    }

    /// Upscales `image`, 1 or 3 channels, black 0 and white 1.
    ///
    /// A greyscale image runs through a colour bundle as equal channels; a colour image runs through a
    /// greyscale bundle channel by channel. For a result no larger than the image the model has nothing to add: without
    /// clean-up the image is resampled (Lanczos3), and the report tells of no passes.
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
        let (finished, report) = self.work(image, options, Delivery::Whole, progress, cancel, |run| {
            let Finished { image, uncertainty, fidelity } = self.run(image, run)?;
            Ok(((image, uncertainty), fidelity))
        })?;
        let (image, uncertainty) = finished;
        Ok(Upscaled { image, uncertainty, report })
    }

    /// Plans, waits for its turn, runs `body`, and reports.
    pub(super) fn work<T>(
        &self,
        image: &Raster,
        options: &UpscaleOptions,
        delivery: Delivery,
        progress: &dyn Progress,
        cancel: &CancelToken,
        body: impl FnOnce(&mut Run<'_, '_>) -> Result<(T, Fidelity)>,
    ) -> Result<(T, Report)> {
        let start = Instant::now();
        let budget = budget(options);
        let size = (image.width(), image.height(), image.channels());
        let plan = self.planned(size, options, budget, delivery)?;
        let meter = Meter::new(progress, cancel, plan.cost(self.encoder_cost, 1.0), self.admission.order());
        let counts = Counts::default();
        let _place = self.admission.enter(plan.bytes, budget, &meter)?;
        let result = watched(&meter, || {
            body(&mut Run { plan: &plan, options, workers: &self.workers, meter: &meter, counts: &counts })
        });
        // An operation that was stopped reports whatever it was doing; the cause is the cancellation.
        let (value, fidelity) = if meter.is_cancelled() { Err(Error::cancelled()) } else { result }?;
        let pass = counts.report();
        let report = Report {
            sampling: plan.sampling,
            seed: options.seed,
            cleanup: options.cleanup,
            deblur: options.deblur,
            passes: plan.passes.len(),
            tiles: pass.tiles,
            retries: pass.retries,
            fidelity,
            seconds: start.elapsed().as_secs_f64(),
            network_seconds: pass.network_seconds,
        };
        Ok((value, report))
    }
}

/// Runs `work` while a thread stops running inferences once `meter` is cancelled.
fn watched<T>(meter: &Meter<'_>, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let finished = AtomicBool::new(false);
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            while !finished.load(Ordering::Acquire) {
                if meter.is_cancelled() {
                    meter.break_off();
                    break;
                }
                thread::park_timeout(CANCEL_POLL);
            }
        });
        // Also after a panic: the scope waits for the watcher.
        let _end = Finish { finished: &finished, watcher: watcher.thread().clone() };
        work()
    })
}

/// Ends the watcher of a run.
struct Finish<'a> {
    finished: &'a AtomicBool,
    watcher: thread::Thread,
}

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        self.finished.store(true, Ordering::Release);
        self.watcher.unpark();
    }
}
