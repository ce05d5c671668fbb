//! Whether a blurred image is made smaller before it is enlarged.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::engine::options::DEBLUR;

/// The deblurring that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub enum Deblur {
    /// Smaller by this factor first, 2 or 4; 1: not at all.
    Factor(usize),
    /// By 2 where the image is found to be blurred.
    Auto,
}

impl FromStr for Deblur {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Written::Name(text.into()).try_into()
    }
}

impl fmt::Display for Deblur {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Factor(factor) => factor.fmt(f),
            Self::Auto => f.write_str("auto"),
        }
    }
}

/// As it stands in a file.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Factor(usize),
    Name(String),
}

impl TryFrom<Written> for Deblur {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let factor = match written {
            Written::Factor(factor) => Some(factor),
            Written::Name(name) if name == "auto" => return Ok(Self::Auto),
            Written::Name(text) => text.parse().ok(),
        };
        factor
            .filter(|factor| DEBLUR.contains(factor))
            .map(Self::Factor)
            .ok_or_else(|| "expected 1 (not at all), 2, 4, or auto".into())
    }
}

impl From<Deblur> for Written {
    fn from(deblur: Deblur) -> Self {
        match deblur {
            Deblur::Factor(factor) => Self::Factor(factor),
            Deblur::Auto => Self::Name(deblur.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_as_a_number_or_a_word() {
        for (deblur, json) in [(Deblur::Auto, "\"auto\""), (Deblur::Factor(2), "2")] {
            assert_eq!(json.trim_matches('"').parse(), Ok(deblur));
            assert_eq!(serde_json::to_string(&deblur).unwrap(), json);
            assert_eq!(serde_json::from_str::<Deblur>(json).unwrap(), deblur);
        }
        assert!("3".parse::<Deblur>().unwrap_err().contains("2, 4, or auto"));
    }
}
