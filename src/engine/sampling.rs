//! Sampling settings: what the user, a preset and the bundle's defaults add up to.

use serde::Serialize;

use crate::diffusion::{Sampler, SamplerKind, SamplingPlan, TimestepSpacing, Trajectory, select_timesteps};
use crate::engine::options::UpscaleOptions;
use crate::error::{Error, Result};
use crate::model::Manifest;

/// Complete sampling settings of a run; enough, with the bundle and the seed, to repeat it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Sampling {
    /// Denoising steps.
    pub steps: usize,
    /// The step K at which denoising starts.
    pub start_step: usize,
    /// Update rule.
    pub sampler: SamplerKind,
    /// Share of fresh noise in DDIM steps, 0 to 1.
    pub eta: f64,
    /// Where the steps lie between K and 0.
    pub spacing: TimestepSpacing,
    /// Rounds of back-projection at most.
    pub consistency: usize,
}

impl Sampling {
    /// The user's choice, else the preset's, else the bundle's.
    ///
    /// # Errors
    /// `InvalidOption` for an unknown preset, listing those that exist.
    pub fn resolve(manifest: &Manifest, options: &UpscaleOptions) -> Result<Self> {
        let defaults = &manifest.defaults;
        let preset = match &options.preset {
            None => None,
            Some(name) => Some(manifest.presets.get(name).ok_or_else(|| {
                let known: Vec<_> = manifest.presets.keys().map(String::as_str).collect();
                Error::invalid_option(format!(
                    "no preset {name:?} in model {}: expected one of {}",
                    manifest.name,
                    known.join(", ")
                ))
            })?),
        };
        let start_step =
            options.start_step.or(preset.and_then(|preset| preset.start_step)).unwrap_or(manifest.start_step);
        // Steps that nobody asked for give way to an early start.
        let steps = options
            .steps
            .unwrap_or_else(|| preset.map_or(defaults.steps, |preset| preset.steps).min(start_step));
        Ok(Self {
            steps,
            start_step,
            sampler: options.sampler.or(preset.and_then(|preset| preset.sampler)).unwrap_or(defaults.sampler),
            eta: options.eta.or(preset.and_then(|preset| preset.eta)).unwrap_or(defaults.eta),
            spacing: options.spacing.or(preset.and_then(|preset| preset.spacing)).unwrap_or(defaults.spacing),
            consistency: options
                .consistency
                .or(preset.and_then(|preset| preset.consistency).filter(|_| !options.repairs()))
                .unwrap_or(0),
        })
    }

    /// The numbers of every step.
    ///
    /// # Errors
    /// `InvalidOption` for steps, start step or eta outside their ranges.
    pub fn plan(&self, manifest: &Manifest, trajectory: &Trajectory) -> Result<SamplingPlan> {
        trajectory.check_start_step(self.start_step)?;
        let timesteps = select_timesteps(self.start_step, self.steps, self.spacing)?;
        let sampler = Sampler::new(self.sampler, self.eta)?;
        let prediction = &manifest.prediction;
        SamplingPlan::new(trajectory, manifest.latent, prediction.kind, prediction.scale, sampler, &timesteps)
    }
}
