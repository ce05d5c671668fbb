//! Whether a blurred image is made smaller before it is enlarged.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::written::Written;
use crate::engine::options::DEBLUR;

/// The deblurring that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written<usize>", into = "Written<usize>")]
pub enum Deblur {
    /// Smaller by this factor first, 2 or 4; 1: not at all.
    Factor(usize),
    /// By 2 where the image is found to be blurred.
    Auto,
}

impl FromStr for Deblur {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Written::<usize>::Text(text.into()).try_into()
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

impl TryFrom<Written<usize>> for Deblur {
    type Error = String;

    fn try_from(written: Written<usize>) -> Result<Self, String> {
        let given = |factor: usize| DEBLUR.contains(&factor).then_some(Self::Factor(factor));
        written.read(Self::Auto, given, "expected 1 (not at all), 2, 4, or auto")
    }
}

impl From<Deblur> for Written<usize> {
    fn from(deblur: Deblur) -> Self {
        match deblur {
            Deblur::Factor(factor) => Self::Number(factor),
            Deblur::Auto => Self::Text(deblur.to_string()),
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
