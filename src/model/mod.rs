//! Model bundles: the contract between `onnx/` and the sampling loop.

mod bundle;
mod manifest;
#[cfg(test)]
mod tests;

pub use bundle::{Bundle, DEFAULT_BUNDLE, MANIFEST_FILE};
pub use manifest::{
    Conditioning, DenoiserEntry, DenoiserInputs, EncoderEntry, EncoderInputs, FORMAT, InputScaling,
    MAX_CONSISTENCY, Manifest, PredictionConfig, Preset, SamplingDefaults, TilingKind, UpsamplerConfig,
};
