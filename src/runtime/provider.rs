//! Execution providers: what may be asked for, and what really runs.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use ort::ep::ExecutionProvider;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// Where the caller wants networks to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
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

    /// Whether the loaded ONNX Runtime was built with it.
    pub(super) fn compiled_in(self) -> bool {
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
                "get CUDA working first, then install TensorRT 10 (libnvinfer.so.10) in a system library folder"
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
pub(super) struct Canaries([OnceLock<Result<(), String>>; Provider::ALL.len()]);

impl Canaries {
    /// The outcome for `provider`, from `run` at the first call.
    pub(super) fn outcome(
        &self,
        provider: Provider,
        run: impl FnOnce() -> Result<(), String>,
    ) -> Result<(), String> {
        self.0[provider as usize].get_or_init(run).clone()
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
}
