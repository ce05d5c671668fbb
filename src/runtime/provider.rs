//! Execution providers: what may be asked for, what really runs, and how its sessions are set up.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use ort::ep::ExecutionProvider;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};

use super::canary;
use super::environment::Runtime;
use super::nvidia;
use crate::error::{Error, ErrorKind, Result};

/// Where the caller wants networks to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Device {
    /// CUDA where it really works, else the processor. Default.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// NVIDIA's CUDA and nothing else.
    Cuda,
    /// NVIDIA's TensorRT, with CUDA for what it cannot do, and nothing else.
    TensorRt,
}

impl FromStr for Device {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda),
            "tensorrt" => Ok(Self::TensorRt),
            _ => Err(Error::new(
                ErrorKind::InvalidOption,
                format!("device: \"{text}\" is unknown, expected auto, cpu, cuda or tensorrt"),
            )),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::TensorRt => "tensorrt",
        })
    }
}

/// What networks run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Provider {
    /// ONNX Runtime's own kernels.
    Cpu,
    /// NVIDIA's CUDA.
    Cuda,
    /// NVIDIA's TensorRT.
    TensorRt,
}

impl Provider {
    /// All that this program can use.
    pub const ALL: [Self; 3] = [Self::Cpu, Self::Cuda, Self::TensorRt];

    fn index(self) -> usize {
        match self {
            Self::Cpu => 0,
            Self::Cuda => 1,
            Self::TensorRt => 2,
        }
    }

    fn compiled_in(self) -> bool {
        match self {
            Self::Cpu => true,
            Self::Cuda => ort::ep::CUDA::is_available().unwrap_or(false),
            Self::TensorRt => ort::ep::TensorRT::is_available().unwrap_or(false),
        }
    }

    /// What the user can do to make it run.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Cpu => "run `partdiff runtime install`",
            Self::Cuda => {
                "check that `nvidia-smi` shows a GPU and a driver for CUDA 13, \
                 then run `partdiff runtime install --device cuda`"
            }
            Self::TensorRt => {
                "make CUDA work first, then install TensorRT 10 (libnvinfer.so.10) in a folder of the system"
            }
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::TensorRt => "tensorrt",
        })
    }
}

/// Which provider was taken, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderReport {
    /// What was asked for.
    pub device: Device,
    /// What runs.
    pub provider: Provider,
    /// Why `auto` did not take a better one, such as "cuda: this ONNX Runtime was built without it".
    pub note: Option<String>,
}

impl fmt::Display for ProviderReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.provider)?;
        match &self.note {
            Some(note) => write!(f, " ({note})"),
            None => Ok(()),
        }
    }
}

/// Outcomes of canary runs, one per provider; each runs once in a process.
#[derive(Default)]
pub(super) struct Canaries([OnceLock<Result<(), String>>; 3]);

impl Runtime {
    /// Whether this ONNX Runtime was built with `provider`; says nothing about its working here.
    pub fn has(&self, provider: Provider) -> bool {
        provider.compiled_in()
    }

    /// Proves that `provider` runs, by an inference on it whose result is compared; `Err` says what is missing.
    ///
    /// The first call for a GPU takes up to a second; later calls repeat the outcome.
    pub fn probe(&self, provider: Provider) -> Result<(), String> {
        let outcome = self.canaries.0[provider.index()].get_or_init(|| {
            if !provider.compiled_in() {
                return Err("this ONNX Runtime was built without it".to_owned());
            }
            canary::run(self, provider).map_err(|error| brief(&error.report()))
        });
        outcome.clone()
    }

    /// Decides what `device` means here.
    ///
    /// # Errors
    /// `ErrorKind::Runtime` with the reason and the remedy where a provider was named and does not run.
    pub fn choose(&self, device: Device) -> Result<ProviderReport> {
        let required = match device {
            Device::Cpu => Provider::Cpu,
            Device::Cuda => Provider::Cuda,
            Device::TensorRt => Provider::TensorRt,
            Device::Auto => {
                return Ok(match self.probe(Provider::Cuda) {
                    Ok(()) => ProviderReport { device, provider: Provider::Cuda, note: None },
                    Err(reason) => ProviderReport {
                        device,
                        provider: Provider::Cpu,
                        note: Some(format!("cuda: {reason}")),
                    },
                });
            }
        };
        if required != Provider::Cpu {
            self.probe(required).map_err(|reason| {
                let message = format!("device {device} cannot be used: {reason}; {}", required.remedy());
                Error::new(ErrorKind::Runtime, message)
            })?;
        }
        Ok(ProviderReport { device, provider: required, note: None })
    }

    /// Session options for `provider`.
    ///
    /// On the processor: one thread (the engine runs one network per thread instead), all graph optimisations.
    /// Subnormal numbers are left alone: flushing them gains nothing here, and would change the calling thread's
    /// arithmetic for good.
    pub(super) fn session_builder(&self, provider: Provider) -> Result<SessionBuilder> {
        self.try_session_builder(provider).map_err(|error| {
            Error::with_source(ErrorKind::Runtime, format!("{provider} cannot be set up"), error)
        })
    }

    fn try_session_builder(&self, provider: Provider) -> ort::Result<SessionBuilder> {
        let builder = ort::session::Session::builder(self.environment())?
            .with_optimization_level(GraphOptimizationLevel::All)?
            .with_intra_threads(1)?
            .with_inter_threads(1)?
            .with_parallel_execution(false)?
            .with_intra_op_spinning(false)?
            .with_memory_pattern(true)?;
        let cuda = || {
            ort::ep::CUDA::default()
                .with_device_id(0)
                // Three decimal digits less, which shows at tile borders.
                .with_tf32(false)
                // Tiles come in a few shapes, and an exhaustive search at each of them costs seconds.
                .with_conv_algorithm_search(ort::ep::cuda::ConvAlgorithmSearch::Heuristic)
                .with_arena_extend_strategy(ort::ep::ArenaExtendStrategy::SameAsRequested)
                .build()
                .error_on_failure()
        };
        match provider {
            Provider::Cpu => Ok(builder.with_config_entry(EXACT_INT8, "1")?),
            Provider::Cuda => {
                nvidia::preload(&self.library().path);
                Ok(builder.with_execution_providers([cuda()])?)
            }
            Provider::TensorRt => {
                nvidia::preload(&self.library().path);
                let tensorrt = ort::ep::TensorRT::default().with_device_id(0).build().error_on_failure();
                Ok(builder.with_execution_providers([tensorrt, cuda()])?)
            }
        }
    }
}

/// Key for int8 sums that do not overflow on x86 processors without VNNI: their 16-bit sums cost `natural-x4-int8`
/// 0.2 dB. The others are not touched by it.
const EXACT_INT8: &str = "session.x64quantprecision";

/// The telling part of ONNX Runtime's message: without source positions, and short for a library that is missing.
fn brief(message: &str) -> String {
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let detail = message.rsplit_once(" with error: ").map_or(message.as_str(), |(_, detail)| detail);
    match detail.split_once(": cannot open shared object file") {
        Some((library, _)) => format!("{library} was not found"),
        None => detail.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_written_as_they_are_read() {
        for device in [Device::Auto, Device::Cpu, Device::Cuda, Device::TensorRt] {
            assert_eq!(device.to_string().parse::<Device>().unwrap(), device);
        }
        let error = "gpu".parse::<Device>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidOption);
        assert_eq!(error.to_string(), "device: \"gpu\" is unknown, expected auto, cpu, cuda or tensorrt");
    }

    #[test]
    fn messages_are_cut_to_the_cause() {
        let long = "cuda cannot be set up: /src/bridge.cc:2043 Get() [ONNXRuntimeError] : 1 : FAIL : \
                    Failed to load library /d/libonnxruntime_providers_cuda.so with error: \
                    libcuda.so.1: cannot open shared object file: No such file or directory\n";
        assert_eq!(brief(long), "libcuda.so.1 was not found");
        assert_eq!(brief("CUDA failure 35:\n driver too old"), "CUDA failure 35: driver too old");
    }

    #[test]
    fn a_named_device_fails_loudly_and_auto_says_why() {
        let Some(runtime) = crate::runtime::test_runtime() else { return };
        runtime.probe(Provider::Cpu).unwrap();
        if runtime.probe(Provider::Cuda).is_ok() {
            assert_eq!(runtime.choose(Device::Auto).unwrap().provider, Provider::Cuda);
            return;
        }
        let auto = runtime.choose(Device::Auto).unwrap();
        assert_eq!(auto.provider, Provider::Cpu);
        assert!(auto.to_string().starts_with("cpu (cuda: "), "{auto}");
        let error = runtime.choose(Device::Cuda).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Runtime);
        assert!(error.to_string().starts_with("device cuda cannot be used: "), "{error}");
        assert!(error.to_string().contains("partdiff runtime install --device cuda"), "{error}");
    }
}
