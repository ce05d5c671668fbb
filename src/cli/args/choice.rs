//! Options that take one of a few names.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::runtime::Device;

/// A value, its name, and what the help says of it.
pub type Choice<T> = (T, &'static str, &'static str);

/// Where to run.
pub const DEVICES: &[Choice<Device>] = &[
    (Device::Auto, "auto", "The GPU if one really works, else the processor"),
    (Device::Cpu, "cpu", "The processor"),
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
