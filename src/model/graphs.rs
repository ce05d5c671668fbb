//! The graphs of a bundle as its manifest names them.

use serde::{Deserialize, Serialize};

/// The encoder graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderEntry {
    /// File name inside the bundle.
    pub file: String,
    /// SHA-256 of the file in hexadecimal.
    pub sha256: String,
    /// Tensor names.
    pub inputs: EncoderInputs,
    /// Name of the feature tensor, [N, features, h, w].
    pub output: String,
    /// Feature channels.
    pub features: usize,
    /// Receptive field beyond a pixel, in low-resolution pixels.
    pub halo: usize,
    /// The JPEG qualities (1 to 100, Independent JPEG Group) that call for clean-up level 0 and 1, falling; between
    /// them the level is linear. Absent where JPEG files say nothing about the level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jpeg_quality: Option<[f32; 2]>,
}

/// Input tensors of the encoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderInputs {
    /// Low-resolution image, [N, channels, h, w].
    pub lr: String,
    /// Clean-up level, `[N]`, 0 to 1; absent where the bundle takes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
}

/// The denoiser graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DenoiserEntry {
    /// File name inside the bundle.
    pub file: String,
    /// SHA-256 of the file in hexadecimal.
    pub sha256: String,
    /// Tensor names.
    pub inputs: DenoiserInputs,
    /// Name of the prediction, [N, channels, scale h, scale w].
    pub output: String,
    /// Receptive field beyond a pixel, in low-resolution pixels.
    pub halo: usize,
}

/// Input tensors of the denoiser.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DenoiserInputs {
    /// The latent, [N, channels, scale h, scale w].
    pub latent: String,
    /// What `conditioning` names.
    pub conditioning: String,
    /// The timestep, `[N]`.
    pub timestep: String,
}

/// The damage estimator: a small graph that tells from crops of an image which clean-up level it calls for, and how blurred
/// it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EstimatorEntry {
    /// File name inside the bundle.
    pub file: String,
    /// SHA-256 of the file in hexadecimal.
    pub sha256: String,
    /// Name of the input: crops of one low-resolution image, [N, channels, h, w].
    pub input: String,
    /// Name of the output: the level, `[1]`, or one for each crop, `[N]`, of which the mean counts; 0 to 1.
    pub output: String,
    /// Name of the output of the blur of each crop, `[N]`: its standard deviation in pixels, at least 0. Absent where the
    /// graph does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blur: Option<String>,
    /// Side of the crops, in pixels; smaller images are shown whole.
    pub side: usize,
}
