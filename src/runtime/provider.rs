//! Execution providers: what may be asked for, and what really runs.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use ort::ep::ExecutionProvider;
use serde::{Deserialize, Serialize};

use super::plugin::PlugIn;
use crate::error::{Error, Result};

/// Where the caller wants networks to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Device {
    /// The fastest of those that really run here with 32-bit results. Default.
    #[default]
    Auto,
    /// The processor, with ONNX Runtime's own kernels.
    Cpu,
    /// The processor, with Intel's OpenVINO, and nothing else.
    OpenVino,
    /// The same in 16 bits (bf16), which are a part of the accuracy and of the time.
    OpenVinoBf16,
    /// An Intel GPU with OpenVINO, and nothing else.
    OpenVinoGpu,
    /// An Intel NPU with OpenVINO, and nothing else.
    OpenVinoNpu,
    /// A GPU of any maker through Vulkan, Direct3D 12 or Metal, and nothing else.
    WebGpu,
    /// NVIDIA's CUDA and nothing else.
    Cuda,
    /// NVIDIA's TensorRT, with CUDA for what it cannot do, and nothing else.
    TensorRt,
}

impl Device {
    /// All of them, with the names that users write.
    pub const ALL: [(Self, &'static str); 9] = [
        (Self::Auto, "auto"),
        (Self::Cpu, "cpu"),
        (Self::OpenVino, "openvino"),
        (Self::OpenVinoBf16, "openvino:bf16"),
        (Self::OpenVinoGpu, "openvino:gpu"),
        (Self::OpenVinoNpu, "openvino:npu"),
        (Self::WebGpu, "webgpu"),
        (Self::Cuda, "cuda"),
        (Self::TensorRt, "tensorrt"),
    ];

    /// The only provider that will do; `None` for `Auto`.
    pub fn provider(self) -> Option<Provider> {
        Some(match self {
            Self::Auto => return None,
            Self::Cpu => Provider::Cpu,
            Self::OpenVino => Provider::OpenVino,
            Self::OpenVinoBf16 => Provider::OpenVinoBf16,
            Self::OpenVinoGpu => Provider::OpenVinoGpu,
            Self::OpenVinoNpu => Provider::OpenVinoNpu,
            Self::WebGpu => Provider::WebGpu,
            Self::Cuda => Provider::Cuda,
            Self::TensorRt => Provider::TensorRt,
        })
    }
}

impl FromStr for Device {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|(_, name)| *name == text);
        found.map(|(device, _)| device).ok_or_else(|| {
            let names = Self::ALL.map(|(_, name)| name);
            let (last, others) = names.split_last().expect("there are devices");
            let expected = others.join(", ");
            Error::invalid_option(format!("device: \"{text}\" is unknown, expected {expected} or {last}"))
        })
    }
}

impl TryFrom<String> for Device {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Device> for String {
    fn from(device: Device) -> Self {
        device.to_string()
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (_, name) = Self::ALL.iter().find(|(device, _)| device == self).expect("every device is listed");
        f.write_str(name)
    }
}

/// What networks run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Provider {
    /// ONNX Runtime's own kernels.
    Cpu,
    /// Intel's OpenVINO on the processor.
    OpenVino,
    /// The same with 16-bit products.
    OpenVinoBf16,
    /// OpenVINO on an Intel GPU.
    OpenVinoGpu,
    /// OpenVINO on an Intel NPU.
    OpenVinoNpu,
    /// WebGPU on any GPU.
    WebGpu,
    /// NVIDIA's CUDA.
    Cuda,
    /// NVIDIA's TensorRT.
    TensorRt,
}

impl Provider {
    /// All that this program can use.
    pub const ALL: [Self; 8] = [
        Self::Cpu,
        Self::OpenVino,
        Self::OpenVinoBf16,
        Self::OpenVinoGpu,
        Self::OpenVinoNpu,
        Self::WebGpu,
        Self::Cuda,
        Self::TensorRt,
    ];

    /// Those that `auto` may take beside the processor. bf16 and NPUs change the image, and TensorRT
    /// takes minutes to prepare a model.
    pub(super) const AUTOMATIC: [Self; 4] = [Self::Cuda, Self::OpenVinoGpu, Self::WebGpu, Self::OpenVino];

    /// The device that means this provider and nothing else.
    pub fn device(self) -> Device {
        let devices = Device::ALL.into_iter().map(|(device, _)| device);
        devices
            .into_iter()
            .find(|device| device.provider() == Some(self))
            .expect("every provider is a device")
    }

    /// The plug-in that may hold it.
    pub fn plugin(self) -> Option<PlugIn> {
        match self {
            Self::OpenVino | Self::OpenVinoBf16 | Self::OpenVinoGpu | Self::OpenVinoNpu => {
                Some(PlugIn::OpenVino)
            }
            Self::WebGpu => Some(PlugIn::WebGpu),
            Self::Cpu | Self::Cuda | Self::TensorRt => None,
        }
    }

    /// Whether it runs on the processor, where each thread has a network of its own.
    pub fn is_processor(self) -> bool {
        matches!(self, Self::Cpu | Self::OpenVino | Self::OpenVinoBf16)
    }

    /// Whether it computes in 32 bits as it is set up here.
    pub fn is_exact(self) -> bool {
        !matches!(self, Self::OpenVinoBf16 | Self::OpenVinoNpu | Self::TensorRt)
    }

    /// Whether nobody has run it with this program yet, for want of the hardware.
    pub fn is_untried(self) -> bool {
        matches!(self, Self::OpenVinoGpu | Self::OpenVinoNpu | Self::Cuda | Self::TensorRt)
    }

    /// Whether the loaded ONNX Runtime was built with it.
    pub(super) fn compiled_in(self) -> bool {
        match self {
            Self::Cpu => true,
            Self::OpenVino | Self::OpenVinoBf16 | Self::OpenVinoGpu | Self::OpenVinoNpu => {
                ort::ep::OpenVINO::is_available().unwrap_or(false)
            }
            Self::WebGpu => ort::ep::WebGPU::is_available().unwrap_or(false),
            Self::Cuda => ort::ep::CUDA::is_available().unwrap_or(false),
            Self::TensorRt => ort::ep::TensorRT::is_available().unwrap_or(false),
        }
    }

    /// What the user can do to make it run.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Cpu => "run `partdiff runtime install`",
            Self::OpenVino => {
                "run `partdiff runtime install --device openvino`; the plug-in serves Intel's processors"
            }
            Self::OpenVinoBf16 => {
                "take --device openvino, which computes in 32 bits, where the processor has no bf16 (avx512bf16, amx_bf16)"
            }
            Self::OpenVinoGpu => {
                "install Intel's GPU driver (intel-opencl-icd), then run `partdiff runtime install --device openvino`"
            }
            Self::OpenVinoNpu => {
                "install Intel's NPU driver, then run `partdiff runtime install --device openvino`"
            }
            Self::WebGpu if cfg!(target_os = "linux") => {
                "install a Vulkan driver and libvulkan1 (`vulkaninfo --summary` lists the GPUs), \
                 then run `partdiff runtime install --device webgpu`"
            }
            Self::WebGpu => "install the GPU's driver, then run `partdiff runtime install --device webgpu`",
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
        self.device().fmt(f)
    }
}

/// Which provider was taken, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderReport {
    /// What was asked for.
    pub device: Device,
    /// What runs.
    pub provider: Provider,
    /// Why `auto` took it, such as "1.9 times as fast as the processor" or "webgpu: no adapter".
    pub note: Option<String>,
    /// Whether something that is installed does not run, so that `auto` had fewer to choose from.
    pub failed: bool,
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
    use crate::error::ErrorKind;

    #[test]
    fn devices_are_written_as_they_are_read() {
        for (device, name) in Device::ALL {
            assert_eq!(name.parse::<Device>().unwrap(), device);
            assert_eq!(serde_json::to_string(&device).unwrap(), format!("\"{name}\""));
            assert!(device.provider().is_none_or(|provider| provider.device() == device));
        }
        for provider in Provider::ALL {
            assert_eq!(provider.device().provider(), Some(provider));
        }
        let error = "gpu".parse::<Device>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidOption);
        assert_eq!(
            error.to_string(),
            "device: \"gpu\" is unknown, expected auto, cpu, openvino, openvino:bf16, openvino:gpu, openvino:npu, webgpu, cuda or tensorrt"
        );
    }
}
