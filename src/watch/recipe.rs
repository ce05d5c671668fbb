//! What to make of every picture of a watch, in a form that can be written down and hashed.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::diffusion::{SamplerKind, TimestepSpacing};
use crate::error::{Error, ErrorKind, Result};
use crate::hash::sha256_hex;
use crate::image::{ImageFormat, RestoreOptions, Strip};
use crate::memory::engine_memory;
use crate::model::DEFAULT_BUNDLE;
use crate::options::{Target, UpscaleOptions};
use crate::units::Amount;

/// Settings of the picture, as `partdiff upscale` has them. `None` takes the model's default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// An embedded model's name or the path of a bundle.
    pub model: Option<String>,
    /// Factor between input and result.
    pub scale: Option<f64>,
    /// Width of the result in pixels.
    pub width: Option<u32>,
    /// Height of the result in pixels.
    pub height: Option<u32>,
    /// Box that the result fits into, width and height in pixels.
    pub fit: Option<(u32, u32)>,
    /// One of the model's presets.
    pub preset: Option<String>,
    /// Denoising steps.
    pub steps: Option<usize>,
    /// The step at which denoising starts.
    pub start_step: Option<usize>,
    /// Update rule.
    pub sampler: Option<SamplerKind>,
    /// Share of fresh noise, 0 to 1.
    pub eta: Option<f64>,
    /// Where the steps lie: uniform or quadratic.
    pub spacing: Option<TimestepSpacing>,
    /// Seed of the noise. Default: 0.
    pub seed: u64,
    /// Clean-up level, 0 to 1. Default: 0.
    pub cleanup: f64,
    /// Rounds of back-projection at most. Default: the preset's without clean-up, else 0.
    pub consistency: Option<usize>,
    /// Format of the results; by default that of each input.
    pub format: Option<String>,
    /// Quality of JPEG, 1 to 100.
    pub quality: Option<u8>,
    /// Largest tile side in input pixels.
    pub tile: Option<usize>,
    /// Memory to use, of which the program itself takes some; half of the free memory if absent.
    pub memory: Option<Amount>,
    /// Metadata to leave out. Default: none.
    pub strip: Strip,
    /// Keep the dots per inch instead of the printed size. Default: no.
    pub keep_dpi: bool,
    /// Do not record in the result how it was made. Default: no.
    pub no_provenance: bool,
}

impl Recipe {
    /// Checks ranges and contradictions.
    ///
    /// # Errors
    /// `InvalidOption`, naming the setting.
    pub fn validate(&self) -> Result<()> {
        let sizes = [self.scale.is_some(), self.fit.is_some(), self.width.is_some() || self.height.is_some()];
        if sizes.into_iter().filter(|given| *given).count() > 1 {
            return Err(invalid("give one of scale, fit, and width or height"));
        }
        // Any picture's size shows what is wrong with a target.
        self.target().resolve(64, 64, 4).or_else(|error| match self.scale {
            None => Ok((0, 0)),
            Some(_) => Err(error),
        })?;
        self.image_format()?;
        if self.quality.is_some_and(|quality| !(1..=100).contains(&quality)) {
            return Err(invalid("quality must be from 1 to 100"));
        }
        self.options()?.validate()
    }

    /// The name or path of the model.
    pub fn model(&self) -> &str {
        self.model.as_deref().unwrap_or(DEFAULT_BUNDLE)
    }

    /// The format of the results, if one is fixed.
    ///
    /// # Errors
    /// `InvalidOption` for a name that is unknown or a format that cannot be written.
    pub fn image_format(&self) -> Result<Option<ImageFormat>> {
        let parse = |name: &String| {
            ImageFormat::from_extension(name.trim_start_matches('.'))
                .filter(|format| format.can_write())
                .ok_or_else(|| {
                    invalid(format!(
                        "format {name:?} cannot be written: expected one of {}",
                        ImageFormat::writable_endings()
                    ))
                })
        };
        self.format.as_ref().map(parse).transpose()
    }

    /// The size of the result.
    pub fn target(&self) -> Target {
        Target::of(self.scale, self.fit, self.width, self.height)
    }

    /// The engine's options.
    ///
    /// # Errors
    /// `InvalidOption` where the memory does not suffice for the program itself.
    pub fn options(&self) -> Result<UpscaleOptions> {
        let memory = self.engine_memory()?.map(|bytes| bytes / 4 * 3);
        Ok(UpscaleOptions {
            target: self.target(),
            preset: self.preset.clone(),
            steps: self.steps,
            start_step: self.start_step,
            sampler: self.sampler,
            eta: self.eta,
            spacing: self.spacing,
            cleanup: self.cleanup as f32,
            consistency: self.consistency,
            seed: self.seed,
            tile: self.tile,
            memory,
            ..UpscaleOptions::default()
        })
    }

    /// How many bytes pictures may take on their way to the engine and from it, if memory is limited.
    pub fn room(&self) -> Option<u64> {
        self.engine_memory().ok().flatten().map(|bytes| bytes / 4)
    }

    fn engine_memory(&self) -> Result<Option<u64>> {
        self.memory.map(|Amount(bytes)| engine_memory(bytes)).transpose()
    }

    /// How a result is put together.
    pub fn restore_options(&self) -> RestoreOptions {
        RestoreOptions { keep_dpi: self.keep_dpi, strip: self.strip }
    }

    /// Whether results tell how they were made.
    pub fn provenance(&self) -> bool {
        !self.no_provenance
    }

    /// A hash of all that changes the result: these settings, the model's digest, and how results are called.
    pub fn digest(&self, model_digest: &str, names: &str) -> String {
        let picture = Self { tile: None, memory: None, ..self.clone() };
        let text = serde_json::to_string(&picture).unwrap_or_default();
        sha256_hex(format!("{text}\n{model_digest}\n{names}").as_bytes())
    }
}

impl FromStr for Recipe {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        serde_json::from_str(text)
            .map_err(|error| Error::with_source(ErrorKind::InvalidOption, "recipe", error))
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOption, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contradictions_and_ranges() {
        let wrong = |recipe: Recipe| recipe.validate().unwrap_err().to_string();
        let both = Recipe { scale: Some(2.0), width: Some(5), ..Recipe::default() };
        assert!(wrong(both).contains("one of scale"));
        assert!(wrong(Recipe { scale: Some(0.0), ..Recipe::default() }).contains("scale is 0"));
        let named = wrong(Recipe { format: Some("gif".into()), ..Recipe::default() });
        assert!(named.contains("gif") && ImageFormat::writable().all(|f| named.contains(f.extensions()[0])));
        assert!(wrong(Recipe { quality: Some(0), ..Recipe::default() }).contains("quality"));
        assert!(wrong(Recipe { steps: Some(0), ..Recipe::default() }).contains("steps"));
        assert!(
            wrong(Recipe { memory: Some(Amount(1 << 20)), ..Recipe::default() }).contains("memory is 1 MiB")
        );
        Recipe { fit: Some((3840, 2160)), ..Recipe::default() }.validate().unwrap();
    }

    #[test]
    fn memory_is_shared_by_program_engine_and_waiting_pictures() {
        let recipe = Recipe { memory: Some(Amount(1 << 30)), ..Recipe::default() };
        let (engine, waiting) = (recipe.options().unwrap().memory.unwrap(), recipe.room().unwrap());
        assert_eq!(engine + waiting + crate::memory::PROGRAM_BYTES, 1 << 30);
        let text = serde_json::to_string(&recipe).unwrap();
        assert_eq!(serde_json::from_str::<Recipe>(&text).unwrap(), recipe);
    }

    #[test]
    fn the_digest_tells_results_apart_and_nothing_else() {
        let plain = Recipe::default();
        let digest = |recipe: &Recipe| recipe.digest("m", "n");
        let resources = Recipe { tile: Some(64), memory: Some(Amount(1 << 30)), ..plain.clone() };
        assert_eq!(digest(&plain), digest(&resources));
        assert_ne!(digest(&plain), digest(&Recipe { steps: Some(2), ..plain.clone() }));
        assert_ne!(digest(&plain), plain.digest("other", "n"));
    }
}
