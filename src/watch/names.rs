//! Names of results.

use std::ffi::OsString;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

use super::protocol::Made;
use crate::error::{Error, ErrorKind, Result};

const FIELDS: [&str; 7] = ["stem", "ext", "from", "scale", "model", "width", "height"];

/// A file name with fields in braces, such as `{stem}_x{scale}.{ext}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names(String);

impl Default for Names {
    fn default() -> Self {
        Self("{stem}.{ext}".into())
    }
}

impl Names {
    /// The template as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name for the result `made` of `input`; bytes of the input's name that are no Unicode are kept. `number`
    /// above 1 is put before the ending, to tell results of the same name apart.
    pub fn render(&self, input: &Path, made: &Made, number: u32) -> OsString {
        let mut name = OsString::new();
        let mut rest = self.0.as_str();
        while let Some((before, (field, tail))) =
            rest.split_once('{').and_then(|(before, tail)| Some((before, tail.split_once('}')?)))
        {
            name.push(before);
            match field {
                "stem" => name.push(input.file_stem().unwrap_or_default()),
                "ext" => name.push(&made.ext),
                "from" => name.push(input.extension().unwrap_or_default()),
                "scale" => name.push(&made.scale),
                "width" => name.push(made.width.to_string()),
                "height" => name.push(made.height.to_string()),
                _ => name.push(made.model.replace(['/', '\\', '\0'], "-")),
            }
            rest = tail;
        }
        name.push(rest);
        if number < 2 {
            return name;
        }
        let path = Path::new(&name);
        let mut numbered = path.file_stem().unwrap_or_default().to_os_string();
        numbered.push(format!("-{number}"));
        if let Some(ext) = path.extension() {
            numbered.push(".");
            numbered.push(ext);
        }
        numbered
    }
}

impl FromStr for Names {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |what: &str| {
            let fields = FIELDS.map(|field| format!("{{{field}}}")).join(" ");
            let message = format!("names {text:?}: {what}; fields are {fields}");
            Err(Error::new(ErrorKind::InvalidOption, message))
        };
        if text.is_empty() || text.contains(['/', '\\', '\0']) {
            return wrong("expected a file name without folders");
        }
        for part in text.split('{').skip(1) {
            match part.split_once('}') {
                None => return wrong("a { has no }"),
                Some((field, _)) if !FIELDS.contains(&field) => return wrong("a field is unknown"),
                Some(_) => {}
            }
        }
        if !text.contains("{stem}") {
            return wrong("without {stem} all results would have one name");
        }
        Ok(Self(text.into()))
    }
}

super::units::read_from_text!(Names);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_filled_and_checked() {
        let made = Made {
            ext: "png".into(),
            scale: "4".into(),
            model: "a/b".into(),
            width: 8,
            height: 6,
            ..Made::default()
        };
        let names: Names = "{stem}-{from}_x{scale}_{model}_{width}x{height}.{ext}".parse().unwrap();
        assert_eq!(names.render(Path::new("d/p.one.JPG"), &made, 1), "p.one-JPG_x4_a-b_8x6.png");
        assert_eq!(Names::default().render(Path::new("p.one.JPG"), &made, 3), "p.one-3.png");
        for wrong in ["", "a/{stem}", "{stem", "{stom}.png", "x.{ext}"] {
            assert!(wrong.parse::<Names>().is_err(), "{wrong}");
        }
    }
}
