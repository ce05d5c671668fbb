//! Options that take one of a few names.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::runtime::Device;

/// A value, its name, and what the help says of it.
pub type Choice<T> = (T, &'static str, &'static str);

/// Where to run.
pub const DEVICES: &[Choice<Device>] = &[
    (Device::Auto, "auto", "The fastest that really runs here with 32-bit results"),
    (Device::Cpu, "cpu", "The processor"),
    (Device::OpenVino, "openvino", "The processor with Intel's OpenVINO, or fail"),
    (Device::OpenVinoBf16, "openvino:bf16", "The same in 16 bits, faster and a little coarser, or fail"),
    (Device::OpenVinoGpu, "openvino:gpu", "An Intel GPU with OpenVINO, or fail"),
    (Device::OpenVinoNpu, "openvino:npu", "An Intel NPU with OpenVINO, in 16 bits, or fail"),
    (Device::WebGpu, "webgpu", "A GPU of any maker through Vulkan, Direct3D 12 or Metal, or fail"),
    (Device::Cuda, "cuda", "An NVIDIA GPU with CUDA, or fail"),
    (Device::TensorRt, "tensorrt", "An NVIDIA GPU with TensorRT, or fail"),
];

/// Takes one of `choices`.
pub fn one_of<T: Copy + Send + Sync>(choices: &'static [Choice<T>]) -> impl TypedValueParser<Value = T> {
    let values = choices.iter().map(|(_, name, help)| PossibleValue::new(*name).help(*help));
    PossibleValuesParser::new(values).map(|given| {
        let choice = choices.iter().find(|(_, name, _)| *name == given);
        choice.expect("clap has found the name among them").0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_device_can_be_chosen_by_its_name() {
        let names: Vec<_> = DEVICES.iter().map(|(device, name, _)| (*device, *name)).collect();
        assert_eq!(names, Device::ALL);
    }
}
