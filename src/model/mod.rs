//! Model bundles: the contract between `onnx/` and the sampling loop.

mod bundle;
mod graphs;
mod manifest;
#[cfg(test)]
mod tests;

pub use bundle::{Bundle, DEFAULT_BUNDLE, MANIFEST_FILE};
pub use graphs::{DenoiserEntry, DenoiserInputs, EncoderEntry, EncoderInputs, EstimatorEntry};
pub use manifest::{
    Conditioning, FORMAT, InputScaling, MAX_CONSISTENCY, Manifest, PredictionConfig, Preset,
    SamplingDefaults, TilingKind, UpsamplerConfig,
};
