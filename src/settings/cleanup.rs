//! How much noise and compression damage is cleaned up.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::engine::{Report, UpscaleOptions, Upscaled, Upscaler};
use crate::error::{Error, ErrorKind, Result};
use crate::image::Raster;
use crate::model::Manifest;

/// The least level that an estimate makes worth while: light damage is less than what clean-up of it costs (LPIPS of JPEG
/// quality 90, held out, is lower without).
const WORTHWHILE: f32 = 0.3;

/// The largest mean difference from the input, in levels of 255, that clean-up of damage explains. Photographs with the
/// worst damage of training change by up to 10, waves and stripes that were taken for damaged ones by 16 and more.
const MOST_CHANGE: f64 = 12.0;

/// The clean-up that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub enum Cleanup {
    /// This level, 0 (trust every pixel) to 1.
    Level(f64),
    /// What the damage of the image calls for, and of a JPEG file at least what its quantisation tables do.
    Auto,
}

impl Cleanup {
    /// The level, 0 to 1, for `image` (of a JPEG file of that quality). Where nothing is `asked`, it is what the damage of
    /// the image calls for, and none where the result must agree with the input, or is not larger.
    ///
    /// # Errors
    /// As [`check`](Self::check), [`Upscaler::may_clean_up`] and [`Upscaler::estimate_damage`].
    pub fn level(
        asked: Option<Self>,
        image: &Raster,
        jpeg_quality: Option<f32>,
        upscaler: &Upscaler,
        options: &UpscaleOptions,
    ) -> Result<f32> {
        let manifest = upscaler.manifest();
        match asked {
            Some(Self::Level(level)) => return Ok(level as f32),
            Some(Self::Auto) => Self::check(asked, manifest)?,
            None if manifest.estimator.is_none() => return Ok(0.0),
            None if !upscaler.may_clean_up(image.width(), image.height(), options)? => return Ok(0.0),
            None => {}
        }
        let tables = jpeg_quality.and_then(|quality| manifest.cleanup_of(quality));
        let damage = upscaler.estimate_damage(image)?;
        let level = damage.into_iter().chain(tables).fold(0.0, f32::max);
        Ok(if damage.is_some() && level < WORTHWHILE { 0.0 } else { level })
    }

    /// What `make` returns for `level`. Where nothing was `asked`, and clean-up breaks the image or changes it by more than
    /// damage would, what it returns for none, and a sentence on that.
    ///
    /// # Errors
    /// As `make`.
    pub fn careful(
        asked: Option<Self>,
        level: f32,
        make: impl Fn(f32) -> Result<Upscaled>,
    ) -> Result<(Upscaled, Option<String>)> {
        let first = make(level);
        if asked.is_some() || level == 0.0 {
            return first.map(|made| (made, None));
        }
        let why = match &first {
            Ok(made) => Self::doubt(&made.report),
            Err(error) if error.kind() == ErrorKind::Quality => Some("it breaks the image".to_owned()),
            Err(_) => None,
        };
        let Some(why) = why else { return first.map(|made| (made, None)) };
        make(0.0).map(|made| (made, Some(format!("made without clean-up, as {why}"))))
    }

    /// Why clean-up that nobody asked for may be wrong for an image; `None` where nothing suggests it.
    pub fn doubt(report: &Report) -> Option<String> {
        let change = report.fidelity.mean_error;
        let text =
            || format!("it changes the image by {change:.0} levels of 255, more than usual damage explains");
        (change > MOST_CHANGE).then(text)
    }

    /// Checks that a model can do what is asked for, if anything is.
    ///
    /// # Errors
    /// `InvalidOption` where the level should follow the image, and the model does not say how.
    pub fn check(asked: Option<Self>, manifest: &Manifest) -> Result<()> {
        let told = manifest.estimator.is_some() || manifest.cleanup_of(100.0).is_some();
        if asked != Some(Self::Auto) || told {
            return Ok(());
        }
        let message =
            format!("cleanup is auto: model {} does not estimate damage; expected 0 to 1", manifest.name);
        Err(Error::new(ErrorKind::InvalidOption, message))
    }
}

impl FromStr for Cleanup {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        Written::Name(text.into()).try_into()
    }
}

impl fmt::Display for Cleanup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Level(level) => level.fmt(f),
            Self::Auto => f.write_str("auto"),
        }
    }
}

/// As it stands in a file.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Level(f64),
    Name(String),
}

impl TryFrom<Written> for Cleanup {
    type Error = String;

    fn try_from(written: Written) -> std::result::Result<Self, String> {
        let level = match written {
            Written::Level(level) => Some(level),
            Written::Name(name) if name == "auto" => return Ok(Self::Auto),
            Written::Name(text) => text.parse().ok(),
        };
        level
            .filter(|level| (0.0..=1.0).contains(level))
            .map(Self::Level)
            .ok_or_else(|| "expected 0 to 1, or auto".into())
    }
}

impl From<Cleanup> for Written {
    fn from(cleanup: Cleanup) -> Self {
        match cleanup {
            Cleanup::Level(level) => Self::Level(level),
            Cleanup::Auto => Self::Name(cleanup.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_as_a_number_or_a_word() {
        assert_eq!("auto".parse(), Ok(Cleanup::Auto));
        assert_eq!("0.25".parse(), Ok(Cleanup::Level(0.25)));
        assert!("2".parse::<Cleanup>().is_err() && "some".parse::<Cleanup>().is_err());
        for (cleanup, json) in [(Cleanup::Auto, "\"auto\""), (Cleanup::Level(0.5), "0.5")] {
            assert_eq!(serde_json::to_string(&cleanup).unwrap(), json);
            assert_eq!(serde_json::from_str::<Cleanup>(json).unwrap(), cleanup);
        }
        assert!(serde_json::from_str::<Cleanup>("1.5").unwrap_err().to_string().contains("0 to 1, or auto"));
    }
}
