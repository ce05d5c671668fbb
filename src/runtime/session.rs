//! A bundle's graphs as ONNX Runtime sessions: the [`Network`] that products run.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ort::session::{RunOptions, Session, SessionInputValue};
use ort::value::{Tensor, TensorElementType, TensorRef};

use super::contract::{Expected, ExpectedShape, FLOAT, FLOAT_OR_INTEGER, check_session};
use super::environment::{Runtime, guarded};
use super::network_spec::{ConditioningKind, DenoiserSpec, EncoderSpec, NetworkBytes, NetworkSpec};
use super::provider::{Device, Provider, ProviderReport};
use crate::error::{Error, ErrorKind, Result};
use crate::image::Raster;
use crate::runtime::network::{Condition, Interrupt, Network};

/// Stops the inferences of the network it comes from; clones share the switch.
#[derive(Clone)]
pub struct Terminator(Arc<Switch>);

struct Switch {
    options: RunOptions,
    thrown: AtomicBool,
}

impl Terminator {
    fn new(provider: Provider, small: bool) -> ort::Result<Self> {
        let mut options = RunOptions::new()?;
        if provider == Provider::Cpu && small {
            // The memory of an idle network goes back, so that many threads stay within a limit. Costs 2 to 6 % of the
            // time. The arenas of a GPU are left alone: there an allocation waits for the device.
            options.set("memory.enable_memory_arena_shrinkage", "cpu:0")?;
        }
        Ok(Self(Arc::new(Switch { options, thrown: AtomicBool::new(false) })))
    }

    /// Makes a running and later inferences end within one operation, with `ErrorKind::Cancelled`. Does not wait.
    pub fn terminate(&self) {
        self.0.thrown.store(true, Ordering::Release);
        // Fails only for a null pointer; the flag above still stops the next inference.
        let _ = self.0.options.terminate();
    }

    /// Lets the network run again.
    pub fn reset(&self) {
        let _ = self.0.options.unterminate();
        self.0.thrown.store(false, Ordering::Release);
    }

    fn is_thrown(&self) -> bool {
        self.0.thrown.load(Ordering::Acquire)
    }
}

impl Interrupt for Terminator {
    fn stop(&self) {
        self.terminate();
    }

    fn reset(&self) {
        if self.is_thrown() {
            self.reset();
        }
    }
}

impl fmt::Debug for Terminator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Terminator").field(&self.is_thrown()).finish()
    }
}

/// Networks ready to run, one per worker thread, and what they run on.
#[derive(Debug)]
pub struct Networks {
    /// The instances; equal to each other.
    pub networks: Vec<OrtNetwork>,
    /// The provider and why it was taken.
    pub provider: ProviderReport,
}

/// Loads a bundle's graphs for `workers` threads and checks them against `spec`.
///
/// On the processor each network uses one thread; `workers` of them use the machine better than one network with as
/// many threads. On a GPU, which runs one inference at a time anyway, a single network is returned. `small` networks give
/// their memory back after each inference.
///
/// # Errors
/// `ErrorKind::Model` if a graph is damaged or does not fit `spec`; `ErrorKind::Runtime` if `device` does not run.
pub fn open_networks(
    runtime: &Runtime,
    spec: &NetworkSpec,
    bytes: NetworkBytes<'_>,
    device: Device,
    workers: usize,
    small: bool,
) -> Result<Networks> {
    guarded("ONNX Runtime failed while loading the model", || {
        let provider = runtime.choose(device, spec, bytes, workers)?;
        let networks = load_networks(runtime, spec, bytes, provider.provider, workers, small)?;
        Ok(Networks { networks, provider })
    })
}

/// The networks of [`open_networks`] on a provider that runs.
pub(super) fn load_networks(
    runtime: &Runtime,
    spec: &NetworkSpec,
    bytes: NetworkBytes<'_>,
    provider: Provider,
    workers: usize,
    small: bool,
) -> Result<Vec<OrtNetwork>> {
    let count = if provider.is_processor() { workers.max(1) } else { 1 };
    let load = || OrtNetwork::load(runtime, spec, bytes, provider, small);
    // Each takes some 50 ms on one thread, so they are loaded side by side.
    std::thread::scope(|scope| {
        let loading: Vec<_> =
            (0..count).map(|_| scope.spawn(|| guarded("loading the model failed", load))).collect();
        let broken = || Error::new(ErrorKind::Runtime, "loading the model failed");
        loading
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(broken())))
            .collect::<Result<_>>()
    })
}

/// One instance of a bundle's graphs, for one thread.
///
/// Each graph keeps an arena that grows to the largest tile seen and is reused, not grown, by other shapes; a small one
/// gives it back after each inference.
pub struct OrtNetwork {
    spec: NetworkSpec,
    encoder: Option<Session>,
    denoiser: Session,
    level_rank: usize,
    timestep: SingleInput,
    terminator: Terminator,
}

/// Form of an input that holds one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SingleInput {
    rank: usize,
    integer: bool,
}

impl fmt::Debug for OrtNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrtNetwork").field("spec", &self.spec).finish_non_exhaustive()
    }
}

impl OrtNetwork {
    fn load(
        runtime: &Runtime,
        spec: &NetworkSpec,
        bytes: NetworkBytes<'_>,
        provider: Provider,
        small: bool,
    ) -> Result<Self> {
        let terminator = Terminator::new(provider, small).map_err(|error| {
            Error::with_source(ErrorKind::Runtime, "ONNX Runtime gives no run options", error)
        })?;
        let encoder = match (&spec.encoder, bytes.encoder) {
            (None, None) => None,
            (Some(encoder), Some(bytes)) => {
                Some(load_encoder(runtime, provider, spec.channels, encoder, bytes)?)
            }
            (Some(_), None) => {
                return Err(Error::new(
                    ErrorKind::Model,
                    "encoder.onnx: the manifest names it, but it is missing",
                ));
            }
            (None, Some(_)) => {
                return Err(Error::new(
                    ErrorKind::Model,
                    "encoder.onnx: the manifest does not name an encoder",
                ));
            }
        };
        let denoiser = load_denoiser(runtime, provider, spec, bytes.denoiser)?;
        let level_rank = match (&encoder, spec.encoder.as_ref().and_then(|encoder| encoder.level.as_deref()))
        {
            (Some(session), Some(level)) => single_input(session, level).rank,
            _ => 0,
        };
        let timestep = single_input(&denoiser, &spec.denoiser.timestep);
        Ok(Self { spec: spec.clone(), encoder, denoiser, level_rank, timestep, terminator })
    }

    /// Stops this network's inferences.
    pub fn terminator(&self) -> Terminator {
        self.terminator.clone()
    }
}

impl Network for OrtNetwork {
    fn encode(&mut self, lr: &Raster, level: f32) -> Result<Raster> {
        let (Some(spec), Some(session)) = (&self.spec.encoder, &mut self.encoder) else {
            return Err(Error::new(ErrorKind::Model, "encoder.onnx: the bundle has no encoder"));
        };
        let level = [level];
        let failed = failure("encoder.onnx", &self.terminator);
        let mut inputs = vec![(spec.lr.as_str(), image_input(lr).map_err(&failed)?)];
        if let Some(name) = &spec.level {
            let tensor = TensorRef::from_array_view((vec![1_usize; self.level_rank], &level[..]));
            inputs.push((name.as_str(), tensor.map_err(&failed)?.into()));
        }
        let expected = [spec.features, lr.height(), lr.width()];
        run(session, "encoder.onnx", inputs, &spec.output, expected, &self.terminator)
    }

    fn predict(&mut self, latent: &Raster, condition: Condition<'_>, timestep: f32) -> Result<Raster> {
        let spec = &self.spec.denoiser;
        let conditioning = match (spec.conditioning_kind, condition) {
            (ConditioningKind::Features, Condition::Features(raster))
            | (ConditioningKind::Lr, Condition::Lr(raster))
            | (ConditioningKind::Upsampled, Condition::Upsampled(raster)) => raster,
            (kind, _) => {
                let message =
                    format!("denoiser.onnx: takes {kind:?} as conditioning, but was given another kind");
                return Err(Error::new(ErrorKind::Model, message));
            }
        };
        let failed = failure("denoiser.onnx", &self.terminator);
        let inputs = vec![
            (spec.latent.as_str(), image_input(latent).map_err(&failed)?),
            (spec.conditioning.as_str(), image_input(conditioning).map_err(&failed)?),
            (spec.timestep.as_str(), self.timestep.tensor(timestep).map_err(&failed)?),
        ];
        let expected = [self.spec.channels, latent.height(), latent.width()];
        run(&mut self.denoiser, "denoiser.onnx", inputs, &spec.output, expected, &self.terminator)
    }

    fn interrupt(&self) -> Option<Arc<dyn Interrupt>> {
        Some(Arc::new(self.terminator()))
    }
}

impl SingleInput {
    fn tensor(self, value: f32) -> ort::Result<SessionInputValue<'static>> {
        let shape = vec![1_usize; self.rank];
        Ok(if self.integer {
            Tensor::from_array((shape, vec![value.round() as i64]))?.into()
        } else {
            Tensor::from_array((shape, vec![value]))?.into()
        })
    }
}

/// A view of `raster` as [1, C, H, W], without copying.
fn image_input(raster: &Raster) -> ort::Result<SessionInputValue<'_>> {
    let shape = [1, raster.channels(), raster.height(), raster.width()];
    Ok(TensorRef::from_array_view((shape, raster.data()))?.into())
}

fn failure(file: &'static str, terminator: &Terminator) -> impl Fn(ort::Error) -> Error {
    let terminator = terminator.clone();
    move |error| {
        if terminator.is_thrown() {
            return Error::cancelled();
        }
        Error::with_source(ErrorKind::Runtime, format!("{file}: the inference failed"), error)
    }
}

/// Whether a tile was too large for the device, by the messages of ONNX Runtime's own arena, of CUDA, cuDNN and TensorRT, of
/// Vulkan and Direct3D.
pub(crate) fn is_out_of_memory(error: &Error) -> bool {
    const SIGNS: [&str; 7] = [
        "out of memory",
        "outofmemory",
        "out_of_memory",
        "failed to allocate memory",
        "smaller than requested bytes",
        "alloc_failed",
        "bad_alloc",
    ];
    let told = error.report().to_lowercase();
    error.kind() == ErrorKind::Runtime && SIGNS.iter().any(|sign| told.contains(sign))
}

/// One inference; `expected` is the output's [channels, height, width].
fn run(
    session: &mut Session,
    file: &'static str,
    inputs: Vec<(&str, SessionInputValue<'_>)>,
    output: &str,
    expected: [usize; 3],
    terminator: &Terminator,
) -> Result<Raster> {
    let failed = failure(file, terminator);
    if terminator.is_thrown() {
        return Err(Error::cancelled());
    }
    let outputs = session.run_with_options(inputs, &terminator.0.options).map_err(&failed)?;
    let (shape, data) = outputs[output].try_extract_tensor::<f32>().map_err(&failed)?;
    let [channels, height, width] = expected;
    if shape[..] != [1, channels, height, width].map(|dim| dim as i64) {
        let message = format!(
            "{file}: output \"{output}\" came with shape {shape}, expected [1, {channels}, {height}, {width}]"
        );
        return Err(Error::new(ErrorKind::Model, message));
    }
    Ok(Raster::from_vec(channels, height, width, data.to_vec()))
}

fn load_encoder(
    runtime: &Runtime,
    provider: Provider,
    channels: usize,
    spec: &EncoderSpec,
    bytes: &[u8],
) -> Result<Session> {
    let session = load_graph(runtime, provider, "encoder.onnx", bytes)?;
    let mut inputs = vec![image(&spec.lr, "low-resolution image", channels)];
    if let Some(level) = &spec.level {
        inputs.push(Expected {
            name: level,
            role: "clean-up level",
            shape: ExpectedShape::Single,
            elements: FLOAT,
        });
    }
    check_session("encoder.onnx", &session, &inputs, &image(&spec.output, "features", spec.features))?;
    Ok(session)
}

fn load_denoiser(runtime: &Runtime, provider: Provider, spec: &NetworkSpec, bytes: &[u8]) -> Result<Session> {
    let session = load_graph(runtime, provider, "denoiser.onnx", bytes)?;
    let DenoiserSpec { latent, conditioning, conditioning_kind, timestep, output } = &spec.denoiser;
    let conditioning_channels = match (conditioning_kind, &spec.encoder) {
        (ConditioningKind::Features, Some(encoder)) => encoder.features,
        (ConditioningKind::Features, None) => {
            let message = "denoiser.onnx: takes features, but the manifest names no encoder";
            return Err(Error::new(ErrorKind::Model, message));
        }
        (ConditioningKind::Lr | ConditioningKind::Upsampled, _) => spec.channels,
    };
    let inputs = [
        image(latent, "latent", spec.channels),
        image(conditioning, "conditioning", conditioning_channels),
        Expected {
            name: timestep,
            role: "timestep",
            shape: ExpectedShape::Single,
            elements: FLOAT_OR_INTEGER,
        },
    ];
    check_session("denoiser.onnx", &session, &inputs, &image(output, "prediction", spec.channels))?;
    Ok(session)
}

fn image<'a>(name: &'a str, role: &'static str, channels: usize) -> Expected<'a> {
    Expected { name, role, shape: ExpectedShape::Image(channels), elements: FLOAT }
}

pub(super) fn load_graph(runtime: &Runtime, provider: Provider, file: &str, bytes: &[u8]) -> Result<Session> {
    runtime
        .session_builder(provider, bytes)?
        .commit_from_memory(bytes)
        .map_err(|error| Error::with_source(ErrorKind::Model, format!("{file}: cannot be loaded"), error))
}

/// Rank and element type of a checked input that holds one number.
fn single_input(session: &Session, name: &str) -> SingleInput {
    let kind = session.inputs().iter().find(|input| input.name() == name).map(|input| input.dtype());
    SingleInput {
        rank: kind.and_then(|kind| kind.tensor_shape()).map_or(1, |shape| shape.len()),
        integer: kind.and_then(|kind| kind.tensor_type()) == Some(TensorElementType::Int64),
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
