//! Values of options as people write them, and figures as people read them.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserializer, Visitor};

use crate::image::{ImageFormat, SampleDepth};
use crate::settings::units::Amount;

/// A file format that can be written, by its name or one of its extensions.
pub fn format(text: &str) -> Result<ImageFormat, String> {
    let wanted = text.trim_start_matches('.');
    let named = ImageFormat::ALL.into_iter().find(|format| format.name().eq_ignore_ascii_case(wanted));
    named
        .or_else(|| ImageFormat::from_extension(wanted))
        .filter(|format| format.can_write())
        .ok_or_else(|| format!("expected one of {}", ImageFormat::writable_extensions()))
}

/// A factor such as `4` or `2.5`.
pub fn scale(text: &str) -> Result<f64, String> {
    match text.trim_end_matches(['x', 'X']).parse::<f64>() {
        Ok(scale) if scale.is_finite() && scale > 0.0 => Ok(scale),
        _ => Err("expected a number above 0, such as 4 or 2.5".into()),
    }
}

/// Two sizes in pixels, `1920x1080`.
pub fn size_pair(text: &str) -> Result<(u32, u32), String> {
    let sides = text
        .split_once(['x', 'X', '×'])
        .and_then(|(width, height)| Some((side(width.trim()).ok()?, side(height.trim()).ok()?)));
    sides.ok_or_else(|| "expected WIDTHxHEIGHT in pixels, such as 1920x1080".into())
}

/// A size in pixels, at least 1.
pub fn side(text: &str) -> Result<u32, String> {
    text.parse()
        .ok()
        .filter(|side| *side > 0)
        .ok_or_else(|| "expected a whole number of pixels above 0".into())
}

/// A whole number of at least 1.
pub fn count(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|count| *count > 0).ok_or_else(|| "expected a whole number above 0".into())
}

/// A whole number of at least 0.
pub fn whole<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| "expected a whole number of at least 0".into())
}

/// A quality, 1 to 100.
pub fn quality(text: &str) -> Result<u8, String> {
    let quality = text.parse().ok().filter(|quality| (1..=100).contains(quality));
    quality.ok_or_else(|| "expected a whole number from 1 to 100".into())
}

/// Yes or no.
pub fn boolean(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| "expected true or false".into())
}

/// One of `all`, by its name.
pub fn one_of<T: Copy, const N: usize>(
    text: &str,
    all: [T; N],
    name: fn(T) -> &'static str,
) -> Result<T, String> {
    let found = all.into_iter().find(|&each| name(each) == text);
    found.ok_or_else(|| format!("expected one of {}", all.map(name).join(", ")))
}

/// A number of pixels such as `200M`; a unit is 1000 times the one before.
pub fn pixels(text: &str) -> Result<u64, String> {
    let wrong = || "expected a number of pixels such as 200M or 1G".to_string();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.to_ascii_lowercase().as_str() {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        _ => return Err(wrong()),
    };
    let count = number.parse::<f64>().map_err(|_| wrong())? * 1000f64.powi(factor);
    if (1.0..1e15).contains(&count) { Ok(count as u64) } else { Err(wrong()) }
}

/// A sample depth by its bits.
pub fn depth(text: &str) -> Result<SampleDepth, String> {
    let known = [SampleDepth::U8, SampleDepth::U16, SampleDepth::F32];
    let found = known.into_iter().find(|depth| depth.bits().to_string() == text);
    found.ok_or_else(|| "expected 8, 16 or 32".into())
}

/// A colour as `white`, `black` or `#RRGGBB`, each part 0 to 1.
pub fn color(text: &str) -> Result<[f32; 3], String> {
    let digits = match text {
        "white" => "ffffff",
        "black" => "000000",
        other => other.strip_prefix('#').unwrap_or(other),
    };
    let valid = digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let part = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).map_or(0.0, |v| f32::from(v) / 255.0);
    if valid { Ok([part(0), part(2), part(4)]) } else { Err("expected white, black or #RRGGBB".into()) }
}

/// A number from 0 to 1.
pub fn unit(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|value| (0.0..=1.0).contains(value)).ok_or_else(|| "expected 0 to 1".into())
}

/// An amount of memory such as `800M`, `1G` or `1.5GiB`; a unit is 1024 times the one before.
pub fn bytes(text: &str) -> Result<u64, String> {
    text.parse()
        .ok()
        .filter(|amount| *amount > Amount(0))
        .map(|Amount(bytes)| bytes)
        .ok_or_else(|| "expected an amount such as 800M, 1G or 1.5GiB".into())
}

/// Bytes as `812 MiB` or `1.5 GiB`.
pub fn show_bytes(bytes: u64) -> String {
    Amount(bytes).to_string()
}

/// A duration as `0.4 s`, `12 s`, `3 min 20 s` or `2 h 5 min`.
pub fn show_seconds(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..=9 => format!("{seconds:.1} s"),
        10..=59 => format!("{whole} s"),
        60..=3599 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// Reads what people write, also a bare number, through the parser of the option of the same name.
struct Written<T>(fn(&str) -> Result<T, String>);

impl<T> Visitor<'_> for Written<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a number")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        (self.0)(text).map_err(|problem| E::custom(format!("{text:?}: {problem}")))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }
}

/// The same where a value may be missing.
struct WrittenOrNone<T>(fn(&str) -> Result<T, String>);

impl<'de, T> Visitor<'de> for WrittenOrNone<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a number")
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        deserializer.deserialize_any(Written(self.0)).map(Some)
    }
}

/// Values in files, for serde: written and read as on the command line.
pub mod text {
    /// A colour.
    pub mod color {
        use serde::{Deserializer, Serializer};

        pub fn serialize<S: Serializer>(color: &[f32; 3], to: S) -> Result<S::Ok, S::Error> {
            let [r, g, b] = color.map(|part| (part * 255.0).round() as u8);
            to.collect_str(&format_args!("#{r:02x}{g:02x}{b:02x}"))
        }

        pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[f32; 3], D::Error> {
            from.deserialize_any(super::super::Written(super::super::color))
        }
    }

    /// A number of pixels.
    pub mod pixels {
        use serde::{Deserializer, Serializer};

        pub fn serialize<S: Serializer>(pixels: &u64, to: S) -> Result<S::Ok, S::Error> {
            to.collect_str(pixels)
        }

        pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
            from.deserialize_any(super::super::Written(super::super::pixels))
        }
    }
}

/// The same for values that may be missing.
pub mod text_or_none {
    /// A file format.
    pub mod format {
        use serde::{Deserializer, Serialize, Serializer};

        use crate::image::ImageFormat;

        pub fn serialize<S: Serializer>(format: &Option<ImageFormat>, to: S) -> Result<S::Ok, S::Error> {
            format.map(|format| format.extensions()[0]).serialize(to)
        }

        pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<ImageFormat>, D::Error> {
            from.deserialize_option(super::super::WrittenOrNone(super::super::format))
        }
    }

    /// A pair of sizes, also read as a list, as which it is written.
    pub mod size_pair {
        use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected \"WxH\" or [W, H] in pixels, such as \"1920x1080\"")]
        enum Written {
            Text(String),
            List((u32, u32)),
        }

        pub fn serialize<S: Serializer>(pair: &Option<(u32, u32)>, to: S) -> Result<S::Ok, S::Error> {
            pair.serialize(to)
        }

        pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<(u32, u32)>, D::Error> {
            Option::deserialize(from)?
                .map(|written| match written {
                    Written::Text(text) => super::super::size_pair(&text)
                        .map_err(|problem| D::Error::custom(format!("{text:?}: {problem}"))),
                    Written::List(pair) => Ok(pair),
                })
                .transpose()
        }
    }

    /// A sample depth.
    pub mod depth {
        use serde::{Deserializer, Serialize, Serializer};

        use crate::image::SampleDepth;

        pub fn serialize<S: Serializer>(depth: &Option<SampleDepth>, to: S) -> Result<S::Ok, S::Error> {
            depth.map(SampleDepth::bits).serialize(to)
        }

        pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SampleDepth>, D::Error> {
            from.deserialize_option(super::super::WrittenOrNone(super::super::depth))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_of_memory() {
        assert_eq!(bytes("1G"), Ok(1 << 30));
        for wrong in ["", "0", "1X"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn factors_and_sizes() {
        assert_eq!(scale("4"), Ok(4.0));
        assert_eq!(scale("2.5x"), Ok(2.5));
        for wrong in ["0", "-2", "nan", "inf", "four", ""] {
            assert!(scale(wrong).is_err(), "{wrong}");
        }
        assert_eq!(size_pair("1920x1080"), Ok((1920, 1080)));
        for wrong in ["1920", "0x5", "5x", "x", "1x2x3", "-1x5"] {
            assert!(size_pair(wrong).is_err(), "{wrong}");
        }
        assert!(unit("1.01").is_err() && unit("nan").is_err() && unit("0.5") == Ok(0.5));
        assert!(count("0").is_err() && count("3") == Ok(3));
    }

    #[test]
    fn colours_depths_and_pixels() {
        assert_eq!(color("white"), Ok([1.0; 3]));
        assert_eq!(color("#ff0033"), Ok([1.0, 0.0, 0.2]));
        for wrong in ["", "#ff", "red", "#gggggg", "#ff00334", "é0123"] {
            assert!(color(wrong).is_err(), "{wrong}");
        }
        assert_eq!((depth("16"), depth("32")), (Ok(SampleDepth::U16), Ok(SampleDepth::F32)));
        assert!(depth("12").is_err());
        assert_eq!(
            (pixels("200M"), pixels("1.5g"), pixels("7")),
            (Ok(200_000_000), Ok(1_500_000_000), Ok(7))
        );
        for wrong in ["", "M", "0", "-1M", "1T", "9999999G"] {
            assert!(pixels(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn formats_by_name_or_extension() {
        for known in ImageFormat::ALL {
            for spelling in [known.name(), known.extensions()[0]] {
                assert_eq!(format(spelling).ok(), known.can_write().then_some(known), "{spelling}");
            }
        }
        assert_eq!(format("JPG"), Ok(ImageFormat::Jpeg));
        assert_eq!(format(".tif"), Ok(ImageFormat::Tiff));
        assert!(format("gif").unwrap_err().contains("png, jpg, webp"));
    }

    #[test]
    fn figures_read_well() {
        assert_eq!(show_bytes(3 << 29), "1.5 GiB");
        assert_eq!(show_bytes(812 << 20), "812 MiB");
        assert_eq!(show_bytes(2048), "2 KiB");
        assert_eq!(show_seconds(0.44), "0.4 s");
        assert_eq!(show_seconds(200.0), "3 min 20 s");
        assert_eq!(show_seconds(7500.0), "2 h 5 min");
    }
}
