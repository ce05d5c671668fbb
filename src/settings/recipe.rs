//! What to make of each picture: the options that every command has, on the command line and in a file.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::diffusion::{SamplerKind, TimestepSpacing};
use crate::engine::options::{Target, UpscaleOptions};
use crate::error::{Error, ErrorKind, Result};
use crate::fs::hash::sha256_hex;
use crate::image::{EncodeOptions, ImageFormat, RestoreOptions, SampleDepth, Strip};
use crate::limits::Limits;
use crate::model::default_bundle;
use crate::settings::cleanup::Cleanup;
use crate::settings::units::Amount;
use crate::settings::values::{self, text, text_or_none};
use crate::tiling::available_memory::engine_memory;

/// Settings of the picture: options of `partdiff upscale` and `partdiff watch`, and keys of the configuration file.
/// `None` takes the model's default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// An embedded model's name or the path of a bundle.
    #[cfg_attr(feature = "cli", arg(skip))]
    pub model: Option<String>,

    /// Factor between input and result, such as 4 or 2.5; natural-x2 is the default model up to 2, natural-x4 beyond
    #[cfg_attr(feature = "cli", arg(short, long, help_heading = SIZE, value_name = "FACTOR", value_parser = values::scale, conflicts_with_all = ["width", "height", "fit"]))]
    pub scale: Option<f64>,

    /// Width of the result in pixels; the height follows, unless given too
    #[cfg_attr(feature = "cli", arg(long, help_heading = SIZE, value_name = "PIXELS", value_parser = values::side, conflicts_with = "fit"))]
    pub width: Option<u32>,

    /// Height of the result in pixels; the width follows, unless given too
    #[cfg_attr(feature = "cli", arg(long, help_heading = SIZE, value_name = "PIXELS", value_parser = values::side, conflicts_with = "fit"))]
    pub height: Option<u32>,

    /// Largest size with the input's aspect ratio that fits into WIDTHxHEIGHT pixels; larger pictures are shrunk, without
    /// the model
    #[cfg_attr(feature = "cli", arg(long, help_heading = SIZE, value_name = "WxH", value_parser = values::size_pair))]
    #[serde(with = "text_or_none::size_pair")]
    pub fit: Option<(u32, u32)>,

    /// One of the model's presets: faithful, balanced or detailed
    #[cfg_attr(feature = "cli", arg(short, long, help_heading = SAMPLING))]
    pub preset: Option<String>,

    /// Denoising steps: 1 is the most faithful, more add texture
    #[cfg_attr(feature = "cli", arg(long, help_heading = SAMPLING, value_name = "COUNT", value_parser = values::count))]
    pub steps: Option<usize>,

    /// The step of the diffusion chain at which denoising starts
    #[cfg_attr(feature = "cli", arg(long, help_heading = SAMPLING, value_name = "STEP", value_parser = values::count))]
    pub start_step: Option<usize>,

    /// Update rule of a step: ddim (deterministic, or with --eta partly random), ddpm (ancestral: fresh noise in every
    /// step), or dpmpp-2m (DPM-Solver++ of second order)
    #[cfg_attr(feature = "cli", arg(long, help_heading = SAMPLING, value_name = "RULE"))]
    pub sampler: Option<SamplerKind>,

    /// Share of fresh noise in each DDIM step, 0 (none) to 1 (as DDPM)
    #[cfg_attr(feature = "cli", arg(long, help_heading = SAMPLING, value_name = "0-1", value_parser = values::unit))]
    pub eta: Option<f64>,

    /// Seed of the noise: the same seed gives the same picture
    #[cfg_attr(feature = "cli", arg(long, help_heading = SAMPLING, value_name = "NUMBER", default_value_t = 0))]
    pub seed: u64,

    /// How much noise and compression damage to clean up, for models that can: 0 (none) to 1; or auto: what the
    /// quantisation tables of a JPEG file call for, and none for other files
    #[cfg_attr(feature = "cli", arg(long, help_heading = SAMPLING, value_name = "0-1|auto", default_value_t = Cleanup::default()))]
    pub cleanup: Cleanup,

    /// Rounds, at most, in which the result is shrunk, compared with the input, and corrected, until no sample is off
    /// by a level of 255. By default 32 with the preset faithful and no clean-up, else 0: with --cleanup, it brings
    /// back what was cleaned up
    #[cfg_attr(feature = "cli", arg(long, help_heading = SAMPLING, value_name = "ROUNDS"))]
    pub consistency: Option<usize>,

    /// Where the steps lie between the start step and 0: uniform, or quadratic (denser toward 0)
    #[cfg_attr(feature = "cli", arg(long, help_heading = SAMPLING, value_name = "HOW"))]
    pub spacing: Option<TimestepSpacing>,

    /// Format of the results, by its name or ending, such as png, jpg, webp, tif, jxl or exr (a wrong one lists them
    /// all); by default as the result is called, else as the input is made
    #[cfg_attr(feature = "cli", arg(long, help_heading = ENCODING, value_name = "FORMAT", value_parser = values::format))]
    #[serde(with = "text_or_none::format")]
    pub format: Option<ImageFormat>,

    /// Quality of JPEG and AVIF, 1 to 100 (95 by default); makes WebP lossy, which is lossless by default
    #[cfg_attr(feature = "cli", arg(long, help_heading = ENCODING, value_name = "1-100", value_parser = clap::value_parser!(u8).range(1..=100)))]
    pub quality: Option<u8>,

    /// Bits per sample: 8, 16, or 32 (floating point)
    #[cfg_attr(feature = "cli", arg(long, help_heading = ENCODING, value_name = "BITS", value_parser = values::depth))]
    #[serde(with = "text_or_none::depth")]
    pub depth: Option<SampleDepth>,

    /// What to lay transparency over where the format has none (JPEG): white, black, or #RRGGBB in the picture's own
    /// colour space
    #[cfg_attr(feature = "cli", arg(long, help_heading = ENCODING, value_name = "COLOUR", default_value = "white", value_parser = values::color))]
    #[serde(with = "text::color")]
    pub background: [f32; 3],

    /// Write JPEG in scans of rising detail, which is a little smaller and shows early
    #[cfg_attr(feature = "cli", arg(long, help_heading = ENCODING))]
    pub progressive: bool,

    /// Leave out the place where the picture was taken (gps), or all metadata but colour profile and resolution (all)
    #[cfg_attr(feature = "cli", arg(long, help_heading = METADATA, value_name = "WHAT", default_value = "nothing", hide_default_value = true))]
    pub strip: Strip,

    /// Keep the dots per inch instead of the size in print
    #[cfg_attr(feature = "cli", arg(long, help_heading = METADATA))]
    pub keep_dpi: bool,

    /// Do not record in the result how it was made
    #[cfg_attr(feature = "cli", arg(long, help_heading = METADATA))]
    pub no_provenance: bool,

    /// Most pixels of an input (of a page), such as 200M or 1G; larger ones fail before they take memory
    #[cfg_attr(feature = "cli", arg(long, help_heading = RESOURCES, value_name = "COUNT", default_value = "200M", value_parser = values::pixels))]
    #[serde(with = "text::pixels")]
    pub max_pixels: u64,

    /// Largest tile side in input pixels.
    #[cfg_attr(feature = "cli", arg(skip))]
    pub tile: Option<usize>,

    /// Memory to use, of which the program itself takes some; half of the free memory if absent.
    #[cfg_attr(feature = "cli", arg(skip))]
    pub memory: Option<Amount>,
}

#[cfg(feature = "cli")]
const SIZE: &str = "Size (by default the model's own factor)";
#[cfg(feature = "cli")]
const SAMPLING: &str = "Sampling (by default as the model asks)";
#[cfg(feature = "cli")]
const ENCODING: &str = "Encoding (by default as the input, as far as the format can)";
#[cfg(feature = "cli")]
const METADATA: &str = "Metadata (kept as far as the format can)";
/// Heading of options that do not change the picture.
#[cfg(feature = "cli")]
pub const RESOURCES: &str = "Resources (none changes the picture)";

impl Default for Recipe {
    fn default() -> Self {
        Self {
            model: None,
            scale: None,
            width: None,
            height: None,
            fit: None,
            preset: None,
            steps: None,
            start_step: None,
            sampler: None,
            eta: None,
            seed: 0,
            cleanup: Cleanup::default(),
            consistency: None,
            spacing: None,
            format: None,
            quality: None,
            depth: None,
            background: [1.0; 3],
            progressive: false,
            strip: Strip::Nothing,
            keep_dpi: false,
            no_provenance: false,
            max_pixels: Limits::default().max_pixels,
            tile: None,
            memory: None,
        }
    }
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
        for (name, side) in [("width", self.width), ("height", self.height)] {
            if side == Some(0) {
                return Err(invalid(format!("{name} is 0: expected at least 1 pixel")));
            }
        }
        if let Some((width, height)) = self.fit.filter(|(width, height)| *width.min(height) == 0) {
            return Err(invalid(format!("fit is {width}x{height}: expected at least 1x1 pixels")));
        }
        // Any picture's size shows what is wrong with a factor.
        self.target().resolve(64, 64, 4).or_else(|error| match self.scale {
            None => Ok((0, 0)),
            Some(_) => Err(error),
        })?;
        self.encoding(self.format.unwrap_or(ImageFormat::Png)).validate()?;
        self.options()?.validate()
    }

    /// The name or path of the model.
    pub fn model(&self) -> &str {
        self.model.as_deref().unwrap_or(default_bundle(self.target()))
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
        Ok(UpscaleOptions {
            target: self.target(),
            preset: self.preset.clone(),
            steps: self.steps,
            start_step: self.start_step,
            sampler: self.sampler,
            eta: self.eta,
            spacing: self.spacing,
            cleanup: match self.cleanup {
                Cleanup::Level(level) => level as f32,
                // Each page tells.
                Cleanup::Auto => 0.0,
            },
            consistency: self.consistency,
            seed: self.seed,
            tile: self.tile,
            memory: self.memory.map(|Amount(bytes)| engine_memory(bytes)).transpose()?,
            ..UpscaleOptions::default()
        })
    }

    /// How a file of `format` is encoded.
    pub fn encoding(&self, format: ImageFormat) -> EncodeOptions {
        let defaults = EncodeOptions::new(format);
        EncodeOptions {
            quality: self.quality.unwrap_or(defaults.quality),
            lossless: self.quality.is_none(),
            depth: self.depth,
            background: self.background,
            progressive: self.progressive,
            ..defaults
        }
    }

    /// How a result is put together.
    pub fn restore_options(&self) -> RestoreOptions {
        RestoreOptions { keep_dpi: self.keep_dpi, strip: self.strip, unit_range: false }
    }

    /// Whether results tell how they were made.
    pub fn provenance(&self) -> bool {
        !self.no_provenance
    }

    /// What an input may cost.
    pub fn limits(&self) -> Limits {
        Limits::of_pixels(self.max_pixels)
    }

    /// A hash of all that changes the result: these settings, the model's digest, and how results are called.
    pub fn digest(&self, model_digest: &str, names: &str) -> String {
        let max_pixels = Self::default().max_pixels;
        let picture = Self { tile: None, memory: None, max_pixels, ..self.clone() };
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
        assert!(wrong(Recipe { height: Some(0), ..Recipe::default() }).contains("height is 0"));
        assert!(wrong(Recipe { quality: Some(0), ..Recipe::default() }).contains("quality"));
        assert!(wrong(Recipe { steps: Some(0), ..Recipe::default() }).contains("steps"));
        assert!(
            wrong(Recipe { memory: Some(Amount(1 << 20)), ..Recipe::default() }).contains("memory is 1 MiB")
        );
        Recipe { fit: Some((3840, 2160)), ..Recipe::default() }.validate().unwrap();
    }

    #[test]
    fn the_factor_chooses_the_model_unless_one_is_named() {
        let model = |model: Option<&str>, scale| {
            let model = model.map(str::to_string);
            Recipe { model, scale, ..Recipe::default() }.model().to_string()
        };
        assert_eq!(model(None, None), "natural-x4");
        assert_eq!(model(None, Some(2.0)), "natural-x2");
        assert_eq!(model(None, Some(2.5)), "natural-x4");
        assert_eq!(model(Some("mri-x4"), Some(2.0)), "mri-x4");
    }

    #[test]
    fn what_is_written_down_is_read_again() {
        let full = Recipe {
            format: Some(ImageFormat::Jpeg),
            depth: Some(SampleDepth::U16),
            background: [0.0, 1.0, 0.2],
            max_pixels: 7_000_000,
            memory: Some(Amount(1 << 30)),
            strip: Strip::Gps,
            ..Recipe::default()
        };
        for recipe in [Recipe::default(), full] {
            let text = serde_json::to_string(&recipe).unwrap();
            assert_eq!(text.parse::<Recipe>().unwrap(), recipe, "{text}");
        }
        let text = "depth = \"16\"\nbackground = \"black\"\nmax_pixels = \"1M\"\nformat = \"tif\"";
        let recipe: Recipe = toml::from_str(text).unwrap();
        assert_eq!((recipe.depth, recipe.background), (Some(SampleDepth::U16), [0.0; 3]));
        assert_eq!((recipe.max_pixels, recipe.format), (1_000_000, Some(ImageFormat::Tiff)));
        for fit in ["fit = \"1920x1080\"", "fit = [1920, 1080]"] {
            let recipe: Recipe = toml::from_str(fit).unwrap();
            assert_eq!(recipe.fit, Some((1920, 1080)));
            // Results that were made before are known by this text.
            assert!(serde_json::to_string(&recipe).unwrap().contains("\"fit\":[1920,1080]"));
        }
        let error = toml::from_str::<Recipe>("fit = \"wide\"").unwrap_err();
        assert!(error.message().contains("\"wide\": expected WIDTHxHEIGHT"), "{error}");
        assert!(toml::from_str::<Recipe>("fit = 5").unwrap_err().message().contains("\"WxH\" or [W, H]"));
        assert_eq!(toml::from_str::<Recipe>("depth = 8").unwrap().depth, Some(SampleDepth::U8));
        for wrong in
            ["depth = 12", "background = \"red\"", "max_pixels = \"0\"", "format = \"gif\"", "stops = 1"]
        {
            assert!(toml::from_str::<Recipe>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_digest_tells_results_apart_and_nothing_else() {
        let plain = Recipe::default();
        let digest = |recipe: &Recipe| recipe.digest("m", "n");
        let resources =
            Recipe { tile: Some(64), memory: Some(Amount(1 << 30)), max_pixels: 5, ..plain.clone() };
        assert_eq!(digest(&plain), digest(&resources));
        assert_ne!(digest(&plain), digest(&Recipe { steps: Some(2), ..plain.clone() }));
        assert_ne!(digest(&plain), plain.digest("other", "n"));
    }
}
