//! What a user can ask for, and how its values are written.

pub mod cleanup;
pub mod deblur;
pub mod repair;
pub mod units;
pub(crate) mod values;
mod written;

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use self::cleanup::Cleanup;
use self::deblur::Deblur;
use self::units::Amount;
use self::values::{text, text_or_none};
use crate::diffusion::{SamplerKind, TimestepSpacing};
use crate::engine::options::{Target, UpscaleOptions};
use crate::error::{Error, ErrorKind, Result};
use crate::fs::hash::sha256_hex;
use crate::image::{EncodeOptions, ImageFormat, RestoreOptions, SampleDepth, Strip};
use crate::limits::Limits;
use crate::model::DEFAULT_BUNDLE;
use crate::tiling::available_memory::engine_memory;

/// What a user asks for of each image: options of the command line, keys of the configuration file, of the C ABI,
/// and of
/// what the daemon sends its worker. `None` takes the model's default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// An embedded model's name or the path of a bundle.
    pub model: Option<String>,
    /// Factor between input and result, more than 0.
    pub scale: Option<f64>,
    /// Width of the result in pixels; the height follows, unless given too.
    pub width: Option<u32>,
    /// Height of the result in pixels; the width follows, unless given too.
    pub height: Option<u32>,
    /// Largest size with the input's aspect ratio that fits into this width and height in pixels.
    #[serde(with = "text_or_none::size_pair")]
    pub fit: Option<(u32, u32)>,
    /// One of the model's presets.
    pub preset: Option<String>,
    /// Denoising steps, at least 1.
    pub steps: Option<usize>,
    /// The step of the diffusion chain at which denoising starts, at least 1.
    pub start_step: Option<usize>,
    /// Update rule of a step.
    pub sampler: Option<SamplerKind>,
    /// Share of fresh noise in each DDIM step, 0 (none) to 1 (as DDPM).
    pub eta: Option<f64>,
    /// Seed of the noise.
    pub seed: u64,
    /// How much blur, noise and compression damage to clean up. Default: what the image seems to need.
    pub cleanup: Option<Cleanup>,
    /// Whether a blurred image is made smaller first. Default: where it seems to need it, if clean-up follows the image too.
    // Left out where not set, since results that were made before are known by this text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deblur: Option<Deblur>,
    /// Rounds of back-projection at most.
    pub consistency: Option<usize>,
    /// Where the steps lie between the start step and 0.
    pub spacing: Option<TimestepSpacing>,
    /// Format of the results. Default: as the result is called, else as the input.
    #[serde(with = "text_or_none::format")]
    pub format: Option<ImageFormat>,
    /// Quality of JPEG and AVIF, 1 to 100; makes WebP lossy.
    pub quality: Option<u8>,
    /// Bits per sample. Default: as the input.
    #[serde(with = "text_or_none::depth")]
    pub depth: Option<SampleDepth>,
    /// Red, green and blue, 0 to 1 in the image's own colour space, behind transparency where the format has none.
    #[serde(with = "text::color")]
    pub background: [f32; 3],
    /// Whether JPEG is written in scans of rising detail.
    pub progressive: bool,
    /// Metadata to leave out.
    pub strip: Strip,
    /// Whether the dots per inch stay, instead of the size in print.
    pub keep_dpi: bool,
    /// Whether results do not record how they were made.
    pub no_provenance: bool,
    /// Whether damaged inputs fail, instead of being made from what can be read of them.
    // Left out where false, since results that were made before are known by this text.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub strict: bool,
    /// Most pixels of an input (of a page), at least 1.
    #[serde(with = "text::pixels")]
    pub max_pixels: u64,
    /// Largest tile side in input pixels. Default: planned from the memory.
    pub tile: Option<usize>,
    /// Memory to use in bytes, of which the program itself takes some. Default: half of the free memory.
    pub memory: Option<Amount>,
}

impl Default for Settings {
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
            cleanup: None,
            deblur: None,
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
            strict: false,
            max_pixels: Limits::default().max_pixels,
            tile: None,
            memory: None,
        }
    }
}

impl Settings {
    /// Sets the field `key` to what `text` says, as people write it.
    ///
    /// # Errors
    /// What was expected instead, without key and text; then nothing is changed.
    pub fn set(&mut self, key: &str, text: &str) -> std::result::Result<(), String> {
        match key {
            "model" => self.model = Some(text.into()),
            "scale" => self.scale = Some(values::scale(text)?),
            "width" => self.width = Some(values::side(text)?),
            "height" => self.height = Some(values::side(text)?),
            "fit" => self.fit = Some(values::size_pair(text)?),
            "preset" => self.preset = Some(text.into()),
            "steps" => self.steps = Some(values::count(text)?),
            "start_step" => self.start_step = Some(values::count(text)?),
            "sampler" => self.sampler = Some(values::one_of(text, SamplerKind::ALL, SamplerKind::name)?),
            "eta" => self.eta = Some(values::unit(text)?),
            "seed" => self.seed = values::whole(text)?,
            "cleanup" => self.cleanup = Some(text.parse()?),
            "deblur" => self.deblur = Some(text.parse()?),
            "consistency" => self.consistency = Some(values::whole(text)?),
            "spacing" => {
                self.spacing = Some(values::one_of(text, TimestepSpacing::ALL, TimestepSpacing::name)?);
            }
            "format" => self.format = Some(values::format(text)?),
            "quality" => self.quality = Some(values::quality(text)?),
            "depth" => self.depth = Some(values::depth(text)?),
            "background" => self.background = values::color(text)?,
            "progressive" => self.progressive = values::boolean(text)?,
            "strip" => self.strip = values::one_of(text, Strip::ALL, Strip::name)?,
            "keep_dpi" => self.keep_dpi = values::boolean(text)?,
            "no_provenance" => self.no_provenance = values::boolean(text)?,
            "strict" => self.strict = values::boolean(text)?,
            "max_pixels" => self.max_pixels = values::pixels(text)?,
            "tile" => self.tile = Some(values::count(text)?),
            "memory" => self.memory = Some(Amount(values::bytes(text)?)),
            _ => return Err("no such setting".into()),
        }
        Ok(())
    }

    /// Checks ranges and contradictions.
    ///
    /// # Errors
    /// `InvalidOption`, naming the setting.
    pub fn validate(&self) -> Result<()> {
        let sizes = [self.scale.is_some(), self.fit.is_some(), self.width.is_some() || self.height.is_some()];
        if sizes.into_iter().filter(|given| *given).count() > 1 {
            return Err(Error::invalid_option(
                "conflicting sizes: expected only one of scale, fit, or width and height",
            ));
        }
        for (name, side) in [("width", self.width), ("height", self.height)] {
            if side == Some(0) {
                return Err(Error::invalid_option(format!("{name} is 0: expected at least 1 pixel")));
            }
        }
        if let Some((width, height)) = self.fit.filter(|(width, height)| *width.min(height) == 0) {
            return Err(Error::invalid_option(format!(
                "fit is {width}x{height}: expected at least 1x1 pixels"
            )));
        }
        // Any image's size shows what is wrong with a factor.
        self.target().resolve(64, 64, 4).or_else(|error| match self.scale {
            None => Ok((0, 0)),
            Some(_) => Err(error),
        })?;
        self.encoding(self.format.unwrap_or(ImageFormat::Png)).validate()?;
        self.options()?.validate()
    }

    /// The name or path of the model.
    pub fn model(&self) -> &str {
        self.model.as_deref().unwrap_or(DEFAULT_BUNDLE)
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
                Some(Cleanup::Level(level)) => level as f32,
                // Each page tells.
                Some(Cleanup::Auto) | None => 0.0,
            },
            deblur: match self.deblur {
                Some(Deblur::Factor(factor)) => factor,
                Some(Deblur::Auto) | None => 1,
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
        let image = Self { tile: None, memory: None, max_pixels, strict: false, ..self.clone() };
        let text = serde_json::to_string(&image).unwrap_or_default();
        sha256_hex(format!("{text}\n{model_digest}\n{names}").as_bytes())
    }
}

impl FromStr for Settings {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        serde_json::from_str(text)
            .map_err(|error| Error::with_source(ErrorKind::InvalidOption, "settings", error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contradictions_and_ranges() {
        let wrong = |settings: Settings| settings.validate().unwrap_err().to_string();
        let both = Settings { scale: Some(2.0), width: Some(5), ..Settings::default() };
        assert!(wrong(both).contains("one of scale"));
        assert!(wrong(Settings { scale: Some(0.0), ..Settings::default() }).contains("scale is 0"));
        assert!(wrong(Settings { height: Some(0), ..Settings::default() }).contains("height is 0"));
        assert!(wrong(Settings { quality: Some(0), ..Settings::default() }).contains("quality"));
        assert!(wrong(Settings { steps: Some(0), ..Settings::default() }).contains("steps"));
        assert!(
            wrong(Settings { memory: Some(Amount(1 << 20)), ..Settings::default() })
                .contains("memory is 1 MiB")
        );
        Settings { fit: Some((3840, 2160)), ..Settings::default() }.validate().unwrap();
    }

    #[test]
    fn what_is_written_down_is_read_again() {
        let full = Settings {
            format: Some(ImageFormat::Jpeg),
            depth: Some(SampleDepth::U16),
            background: [0.0, 1.0, 0.2],
            max_pixels: 7_000_000,
            memory: Some(Amount(1 << 30)),
            strip: Strip::Gps,
            ..Settings::default()
        };
        for settings in [Settings::default(), full] {
            let text = serde_json::to_string(&settings).unwrap();
            assert_eq!(text.parse::<Settings>().unwrap(), settings, "{text}");
        }
        let text = "depth = \"16\"\nbackground = \"black\"\nmax_pixels = \"1M\"\nformat = \"tif\"";
        let settings: Settings = toml::from_str(text).unwrap();
        assert_eq!((settings.depth, settings.background), (Some(SampleDepth::U16), [0.0; 3]));
        assert_eq!((settings.max_pixels, settings.format), (1_000_000, Some(ImageFormat::Tiff)));
        for fit in ["fit = \"1920x1080\"", "fit = [1920, 1080]"] {
            let settings: Settings = toml::from_str(fit).unwrap();
            assert_eq!(settings.fit, Some((1920, 1080)));
            // Results that were made before are known by this text.
            assert!(serde_json::to_string(&settings).unwrap().contains("\"fit\":[1920,1080]"));
        }
        let error = toml::from_str::<Settings>("fit = \"wide\"").unwrap_err();
        assert!(error.message().contains("\"wide\": expected WIDTHxHEIGHT"), "{error}");
        assert!(toml::from_str::<Settings>("fit = 5").unwrap_err().message().contains("\"WxH\" or [W, H]"));
        assert_eq!(toml::from_str::<Settings>("depth = 8").unwrap().depth, Some(SampleDepth::U8));
        for wrong in
            ["depth = 12", "background = \"red\"", "max_pixels = \"0\"", "format = \"gif\"", "stops = 1"]
        {
            assert!(toml::from_str::<Settings>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_digest_tells_results_apart_and_nothing_else() {
        let plain = Settings::default();
        let digest = |settings: &Settings| settings.digest("m", "n");
        let resources =
            Settings { tile: Some(64), memory: Some(Amount(1 << 30)), max_pixels: 5, ..plain.clone() };
        assert_eq!(digest(&plain), digest(&resources));
        assert_ne!(digest(&plain), digest(&Settings { steps: Some(2), ..plain.clone() }));
        assert_ne!(digest(&plain), plain.digest("other", "n"));
    }
}
