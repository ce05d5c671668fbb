//! Times and amounts as people write them.
//!
//! Not by the crates `humantime`, which also takes months, years and sums, and writes `1s 500ms`; and `bytesize`, to which
//! `500M` is 500,000,000 bytes and a whole unit `812.0 MiB`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, Result};

/// A length of time such as `500ms`, `2s`, `5min`, `1h` or `30d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub Duration);

impl FromStr for Period {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            Error::invalid_option(format!(
                "time {text:?}: expected a number and a unit, such as 500ms, 2s or 5min"
            ))
        };
        let (number, unit) = split(text);
        let factor = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => return Err(wrong()),
        };
        let seconds = number.parse::<f64>().map_err(|_| wrong())? * factor;
        // Beyond a century clocks overflow.
        if !(0.0..3.2e9).contains(&seconds) {
            return Err(wrong());
        }
        Ok(Self(Duration::from_secs_f64(seconds)))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0.as_secs_f64())
    }
}

/// A number of bytes such as `500M` or `1.5GiB`; a unit is 1024 times the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(pub u64);

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MIB: f64 = 1024.0 * 1024.0;
        let mib = self.0 as f64 / MIB;
        if mib >= 1024.0 {
            write!(f, "{:.1} GiB", mib / 1024.0)
        } else if mib >= 1.0 {
            write!(f, "{mib:.0} MiB")
        } else {
            write!(f, "{:.0} KiB", mib * 1024.0)
        }
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl FromStr for Amount {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong =
            || Error::invalid_option(format!("amount {text:?}: expected bytes such as 500M, 1G or 1.5GiB"));
        let (number, unit) = split(text);
        let power = match unit.to_ascii_lowercase().as_str() {
            "" | "b" => 0,
            "k" | "kb" | "kib" => 1,
            "m" | "mb" | "mib" => 2,
            "g" | "gb" | "gib" => 3,
            "t" | "tb" | "tib" => 4,
            _ => return Err(wrong()),
        };
        let bytes = number.parse::<f64>().map_err(|_| wrong())? * 1024f64.powi(power);
        if (0.0..2f64.powi(63)).contains(&bytes) { Ok(Self(bytes as u64)) } else { Err(wrong()) }
    }
}

fn split(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    (&text[..end], text[end..].trim())
}

/// Reads a value from its text, so that an error carries the line.
///
/// # Errors
/// Where the text is wrong.
pub fn from_text<'de, D: Deserializer<'de>, T: FromStr<Err = Error>>(deserializer: D) -> Result<T, D::Error> {
    String::deserialize(deserializer)?
        .parse()
        .map_err(|error: Error| serde::de::Error::custom(error.report()))
}

macro_rules! read_from_text {
    ($($name:ty),+) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::settings::units::from_text(deserializer)
            }
        }
    )+};
}
#[cfg(feature = "watch")]
pub(crate) use read_from_text;

read_from_text!(Period, Amount);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_amounts() {
        let time = |text: &str| text.parse::<Period>().map(|period| period.0.as_millis()).ok();
        assert_eq!(time("500ms"), Some(500));
        assert_eq!(time("1.5 s"), Some(1500));
        assert_eq!(time("2min"), Some(120_000));
        for wrong in ["", "5", "s", "-1s", "1y", "1e99s", "nan s"] {
            assert_eq!(time(wrong), None, "{wrong}");
        }
        let bytes = |text: &str| text.parse::<Amount>().map(|amount| amount.0).ok();
        assert_eq!(bytes("500M"), Some(500 << 20));
        assert_eq!(bytes("1.5GiB"), Some(3 << 29));
        assert_eq!(bytes("800m"), Some(800 << 20));
        assert_eq!(bytes("0"), Some(0));
        for wrong in ["", "G", "-1G", "1X", "1.2.3G", "99999999999T"] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }
}
