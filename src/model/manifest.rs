//! `model.json`: everything that the sampling loop needs to know about a bundle. Nothing is guessed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::diffusion::{
    LatentAlignment, LatentForm, PredictionType, SamplerKind, ScheduleConfig, TimestepInput, TimestepSpacing,
};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{DenoiserEntry, EncoderEntry, EstimatorEntry};

/// The manifest version that this program reads and `onnx/` writes.
pub const FORMAT: u64 = 1;

/// Most rounds of back-projection that a preset or an option may ask for.
pub const MAX_CONSISTENCY: usize = 1000;

/// The manifest of a bundle; every field is required unless it is an `Option`, unknown fields are errors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this format, [`FORMAT`].
    pub format: u64,
    /// Name by which users choose the bundle.
    pub name: String,
    /// Version of the bundle.
    pub version: String,
    /// Licence of the weights.
    pub licence: String,
    /// One sentence for listings.
    pub description: String,
    /// Factor between low and high resolution in each axis.
    pub scale: usize,
    /// Colour channels, 1 or 3.
    pub channels: usize,
    /// Values of black and white.
    pub value_range: [f32; 2],
    /// The kernel that makes `u`, the upsampled low-resolution image.
    pub upsampler: UpsamplerConfig,
    /// The noise schedule.
    pub schedule: ScheduleConfig,
    /// K, the timestep at which partial denoising starts; the schedule's last one starts from pure noise.
    pub start_step: usize,
    /// How the latents were aligned in training.
    pub alignment: LatentAlignment,
    /// What the network predicts.
    pub prediction: PredictionConfig,
    /// How the timestep is fed.
    pub timestep_input: TimestepInput,
    /// Which latent the network sees.
    pub latent: LatentForm,
    /// How the latent is scaled before it is fed.
    pub input_scaling: InputScaling,
    /// What the denoiser is conditioned on.
    pub conditioning: Conditioning,
    /// The graph that runs once per tile; required when `conditioning` is `features`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoder: Option<EncoderEntry>,
    /// The graph that runs in every step.
    pub denoiser: DenoiserEntry,
    /// The graph that tells the clean-up level of an image; absent where the bundle has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimator: Option<EstimatorEntry>,
    /// Low-resolution tile sides must be multiples of this.
    pub size_multiple: usize,
    /// Whether tiles reproduce the untiled result.
    pub tiling: TilingKind,
    /// Sampling when the user asks for nothing.
    pub defaults: SamplingDefaults,
    /// Named sampling settings.
    pub presets: BTreeMap<String, Preset>,
    /// Free record of data, recipe and compute.
    pub training: Value,
    /// Free record of measured quality.
    pub metrics: Value,
}

/// Kernel of the upsampling that makes `u`; half-pixel grid, weights renormalised at the border.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kernel", rename_all = "snake_case", deny_unknown_fields)]
pub enum UpsamplerConfig {
    /// Keys' cubic convolution with parameter `a` (-0.5 in Pillow).
    Cubic {
        /// Keys' parameter, -1 to 0.
        a: f64,
    },
    /// Lanczos with three lobes.
    Lanczos3,
}

/// What the denoiser's output means.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PredictionConfig {
    /// Kind of prediction.
    #[serde(rename = "type")]
    pub kind: PredictionType,
    /// The output is multiplied by this.
    pub scale: f64,
}

/// Scaling of the latent before it is fed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum InputScaling {
    /// Fed as it is.
    None,
    /// Times 1 / sqrt(A_t^2 residual_std^2 + S_t^2): unit variance at every step.
    UnitVariance {
        /// Standard deviation of the residual x0 - u over the training data.
        residual_std: f64,
    },
}

/// What the denoiser sees of the low-resolution image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conditioning {
    /// The encoder's features at low resolution.
    Features,
    /// The low-resolution image.
    Lr,
    /// The upsampled image `u`.
    Upsampled,
}

/// Whether tiles can reproduce the untiled result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum TilingKind {
    /// Yes: the networks are local and the halos cover their receptive fields.
    Exact,
    /// No (attention, normalisation over the image): overlapping tiles are blended.
    Blend {
        /// Low-resolution pixels that a tile extends over its neighbour.
        overlap: usize,
    },
}

/// Sampling when the user asks for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SamplingDefaults {
    /// Denoising steps.
    pub steps: usize,
    /// Update rule.
    pub sampler: SamplerKind,
    /// Share of fresh noise in DDIM steps.
    pub eta: f64,
    /// Where the steps lie.
    pub spacing: TimestepSpacing,
}

/// A named setting; what it leaves out comes from the defaults.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// Denoising steps.
    pub steps: usize,
    /// Update rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampler: Option<SamplerKind>,
    /// Share of fresh noise in DDIM steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eta: Option<f64>,
    /// Where the steps lie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spacing: Option<TimestepSpacing>,
    /// Start step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_step: Option<usize>,
    /// Rounds of back-projection at most, where the user asks for no clean-up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consistency: Option<usize>,
}

impl Manifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// `Model`, naming the field and what was expected.
    pub fn parse(json: &[u8]) -> Result<Self> {
        let broken = |error: serde_json::Error| bad(format!("model.json is not valid JSON: {error}"));
        let value: Value = serde_json::from_slice(json).map_err(broken)?;
        // The version decides which fields exist, so it is judged before them.
        match value.get("format") {
            Some(Value::Number(format)) if format.as_u64() == Some(FORMAT) => {}
            Some(format) => {
                return Err(bad(format!("model.json: format is {format}: expected {FORMAT}")));
            }
            None => return Err(bad(format!("model.json: format is missing: expected {FORMAT}"))),
        }
        let manifest: Self = serde_path_to_error::deserialize(value).map_err(|error| {
            let path = error.path().to_string();
            let place = if path == "." { String::new() } else { format!("{path}: ") };
            bad(format!("model.json: {place}{}", error.inner()))
        })?;
        manifest.check()?;
        Ok(manifest)
    }

    /// The clean-up level, 0 to 1, for a JPEG file of that quality; `None` where the bundle names none.
    pub fn cleanup_of(&self, jpeg_quality: f32) -> Option<f32> {
        let [keep, clean] = self.encoder.as_ref()?.jpeg_quality?;
        Some(((keep - jpeg_quality) / (keep - clean)).clamp(0.0, 1.0))
    }

    /// Names and values of the presets, fewest steps first.
    pub fn presets_by_steps(&self) -> Vec<(&str, &Preset)> {
        let mut presets: Vec<_> = self.presets.iter().map(|(name, preset)| (name.as_str(), preset)).collect();
        presets.sort_by_key(|(_, preset)| preset.steps);
        presets
    }

    /// Whether the networks take a clean-up level.
    pub fn takes_level(&self) -> bool {
        self.encoder.as_ref().is_some_and(|encoder| encoder.inputs.level.is_some())
    }

    fn check(&self) -> Result<()> {
        let rule = |holds: bool, field: &str, value: &dyn std::fmt::Display, expected: &str| {
            if holds {
                Ok(())
            } else {
                Err(bad(format!("model.json: {field} is {value}: expected {expected}")))
            }
        };
        rule(!self.name.is_empty(), "name", &"empty", "a name")?;
        rule((1..=16).contains(&self.scale), "scale", &self.scale, "1 to 16")?;
        rule(matches!(self.channels, 1 | 3), "channels", &self.channels, "1 or 3")?;
        let [black, white] = self.value_range;
        rule(
            black.is_finite() && white.is_finite() && black < white,
            "value_range",
            &format!("[{black}, {white}]"),
            "two increasing finite numbers",
        )?;
        if let UpsamplerConfig::Cubic { a } = self.upsampler {
            rule((-1.0..=0.0).contains(&a), "upsampler.a", &a, "-1 to 0")?;
        }
        let timesteps = self.schedule.build()?.timesteps();
        rule(
            (1..=timesteps).contains(&self.start_step),
            "start_step",
            &self.start_step,
            &format!("1 to the schedule's {timesteps}"),
        )?;
        let scale = self.prediction.scale;
        rule(scale.is_finite() && scale > 0.0, "prediction.scale", &scale, "a positive number")?;
        rule(
            !(self.prediction.kind == PredictionType::Epsilon && self.alignment != LatentAlignment::None),
            "prediction.type",
            &"epsilon",
            "sample, residual or v_prediction, because alignment is set: the aligned latent at the start step \
             contains only noise",
        )?;
        if let InputScaling::UnitVariance { residual_std } = self.input_scaling {
            rule(
                residual_std.is_finite() && residual_std > 0.0,
                "input_scaling.residual_std",
                &residual_std,
                "a positive number",
            )?;
            rule(
                self.latent == LatentForm::Residual,
                "input_scaling.kind",
                &"unit_variance",
                "none, since latent is not residual (residual_std is the standard deviation of that residual)",
            )?;
        }
        rule(
            self.encoder.is_some() == (self.conditioning == Conditioning::Features),
            "encoder",
            if self.encoder.is_some() { &"present" } else { &"missing" },
            "an encoder if and only if conditioning is features",
        )?;
        if let Some(encoder) = &self.encoder {
            check_file("encoder", &encoder.file, &encoder.sha256)?;
            rule((1..=4096).contains(&encoder.features), "encoder.features", &encoder.features, "1 to 4096")?;
            rule(encoder.halo <= 1024, "encoder.halo", &encoder.halo, "at most 1024")?;
            if let Some([keep, clean]) = encoder.jpeg_quality {
                rule(
                    keep <= 100.0 && keep > clean && clean >= 1.0 && self.takes_level(),
                    "encoder.jpeg_quality",
                    &format!("[{keep}, {clean}]"),
                    "two decreasing qualities from 100 to 1, and encoder.inputs.level to be set",
                )?;
            }
        }
        check_file("denoiser", &self.denoiser.file, &self.denoiser.sha256)?;
        rule(self.denoiser.halo <= 1024, "denoiser.halo", &self.denoiser.halo, "at most 1024")?;
        if let Some(estimator) = &self.estimator {
            check_file("estimator", &estimator.file, &estimator.sha256)?;
            rule((16..=1024).contains(&estimator.side), "estimator.side", &estimator.side, "16 to 1024")?;
            rule(
                self.takes_level(),
                "estimator",
                &"present",
                "encoder.inputs.level to be set, which takes what the estimator tells",
            )?;
        }
        rule((1..=256).contains(&self.size_multiple), "size_multiple", &self.size_multiple, "1 to 256")?;
        if let TilingKind::Blend { overlap } = self.tiling {
            rule((1..=1024).contains(&overlap), "tiling.overlap", &overlap, "1 to 1024")?;
        }
        let steps = |field: &str, steps: usize, start: usize| {
            rule((1..=start).contains(&steps), field, &steps, &format!("1 to the start step {start}"))
        };
        let eta = |field: &str, eta: f64| rule((0.0..=1.0).contains(&eta), field, &eta, "0 to 1");
        steps("defaults.steps", self.defaults.steps, self.start_step)?;
        eta("defaults.eta", self.defaults.eta)?;
        for (name, preset) in &self.presets {
            let start = preset.start_step.unwrap_or(self.start_step);
            let limit = if self.alignment == LatentAlignment::None { timesteps } else { self.start_step };
            rule(
                (1..=limit).contains(&start),
                &format!("presets.{name}.start_step"),
                &start,
                &format!("1 to {limit}"),
            )?;
            steps(&format!("presets.{name}.steps"), preset.steps, start)?;
            eta(&format!("presets.{name}.eta"), preset.eta.unwrap_or(0.0))?;
            let rounds = preset.consistency.unwrap_or(0);
            rule(
                rounds <= MAX_CONSISTENCY,
                &format!("presets.{name}.consistency"),
                &rounds,
                &format!("at most {MAX_CONSISTENCY} rounds"),
            )?;
        }
        Ok(())
    }
}

/// A bundle's files lie beside its manifest; anything else could reach outside it.
fn check_file(graph: &str, file: &str, sha256: &str) -> Result<()> {
    if file.is_empty() || file == "." || file == ".." || file.contains(['/', '\\', ':', '\0']) {
        return Err(bad(format!("model.json: {graph}.file is {file:?}: expected a plain file name")));
    }
    if sha256.len() != 64 || !sha256.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(bad(format!("model.json: {graph}.sha256 is {sha256:?}: expected 64 hexadecimal digits")));
    }
    Ok(())
}

fn bad(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Model, message)
}
