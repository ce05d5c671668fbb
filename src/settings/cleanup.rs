//! How much noise and compression damage is cleaned up.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::written::Written;
use crate::error::{Error, Result};
use crate::model::Manifest;

/// The clean-up that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written<f64>", into = "Written<f64>")]
pub enum Cleanup {
    /// This level, 0 (trust every pixel) to 1.
    Level(f64),
    /// What the damage of the image calls for, and of a JPEG file at least what its quantisation tables do.
    Auto,
}

impl Cleanup {
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
        Err(Error::invalid_option(message))
    }
}

impl FromStr for Cleanup {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        Written::<f64>::Text(text.into()).try_into()
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

impl TryFrom<Written<f64>> for Cleanup {
    type Error = String;

    fn try_from(written: Written<f64>) -> std::result::Result<Self, String> {
        let given = |level: f64| (0.0..=1.0).contains(&level).then_some(Self::Level(level));
        written.read(Self::Auto, given, "expected 0 to 1, or auto")
    }
}

impl From<Cleanup> for Written<f64> {
    fn from(cleanup: Cleanup) -> Self {
        match cleanup {
            Cleanup::Level(level) => Self::Number(level),
            Cleanup::Auto => Self::Text(cleanup.to_string()),
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
