//! The tensors of a bundle's graphs by name; the manifest says them, the graphs are checked against them.

use crate::model::{Bundle, Conditioning, Manifest};

/// What the denoiser is conditioned on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditioningKind {
    /// Encoder features, [1, F, h, w].
    Features,
    /// The low-resolution image, [1, C, h, w].
    Lr,
    /// The upsampled image, [1, C, s h, s w].
    Upsampled,
}

/// The encoder's tensors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncoderSpec {
    /// Input: the low-resolution image, f32 [1, C, h, w].
    pub lr: String,
    /// Input: the clean-up level, f32 `[1]`, where the encoder has one.
    pub level: Option<String>,
    /// Output: features, f32 [1, F, h, w].
    pub output: String,
    /// F.
    pub features: usize,
}

/// The denoiser's tensors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DenoiserSpec {
    /// Input: the latent, f32 [1, C, s h, s w].
    pub latent: String,
    /// Input: the conditioning, f32 of the shape that `conditioning_kind` says.
    pub conditioning: String,
    /// What `conditioning` is.
    pub conditioning_kind: ConditioningKind,
    /// Input: the timestep, f32 or i64, `[1]` or a scalar.
    pub timestep: String,
    /// Output: the prediction, f32 [1, C, s h, s w].
    pub output: String,
}

/// Shapes and tensor names of a bundle. Batch size is always 1; h and w are a tile's size at low resolution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkSpec {
    /// Upscaling factor s of one pass.
    pub scale: usize,
    /// Image channels C.
    pub channels: usize,
    /// The graph that runs once per tile; `None` for a denoiser alone.
    pub encoder: Option<EncoderSpec>,
    /// The graph that runs at every step.
    pub denoiser: DenoiserSpec,
}

/// The ONNX files of a bundle, whole, in memory.
#[derive(Clone, Copy, Debug)]
pub struct NetworkBytes<'a> {
    /// `encoder.onnx`, where the spec has an encoder.
    pub encoder: Option<&'a [u8]>,
    /// `denoiser.onnx`.
    pub denoiser: &'a [u8],
}

impl<'a> From<&'a Bundle> for NetworkBytes<'a> {
    fn from(bundle: &'a Bundle) -> Self {
        Self { encoder: bundle.encoder(), denoiser: bundle.denoiser() }
    }
}

impl From<&Manifest> for NetworkSpec {
    fn from(manifest: &Manifest) -> Self {
        let denoiser = &manifest.denoiser;
        Self {
            scale: manifest.scale,
            channels: manifest.channels,
            encoder: manifest.encoder.as_ref().map(|encoder| EncoderSpec {
                lr: encoder.inputs.lr.clone(),
                level: encoder.inputs.level.clone(),
                output: encoder.output.clone(),
                features: encoder.features,
            }),
            denoiser: DenoiserSpec {
                latent: denoiser.inputs.latent.clone(),
                conditioning: denoiser.inputs.conditioning.clone(),
                conditioning_kind: match manifest.conditioning {
                    Conditioning::Features => ConditioningKind::Features,
                    Conditioning::Lr => ConditioningKind::Lr,
                    Conditioning::Upsampled => ConditioningKind::Upsampled,
                },
                timestep: denoiser.inputs.timestep.clone(),
                output: denoiser.output.clone(),
            },
        }
    }
}
