//! Names of results, from a template.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::error::{Error, Result};
use crate::image::ImageFormat;

/// What a name is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Stem,
    Ext,
    From,
    Scale,
    Model,
    Preset,
    Width,
    Height,
}

const FIELDS: [(&str, Field); 8] = [
    ("stem", Field::Stem),
    ("ext", Field::Ext),
    ("from", Field::From),
    ("scale", Field::Scale),
    ("model", Field::Model),
    ("preset", Field::Preset),
    ("width", Field::Width),
    ("height", Field::Height),
];

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(Field),
}

/// A file name with fields in braces, such as `{stem}_x{scale}.{ext}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: String,
    parts: Vec<Part>,
}

/// The values of a template's fields for one image.
#[derive(Clone, Debug)]
pub struct NameFields<'a> {
    /// The input's path; `{stem}` and `{from}` come from it.
    pub input: &'a Path,
    /// Extension of the result, without the dot.
    pub ext: &'a str,
    /// Factor between input and result, as people write it.
    pub scale: &'a str,
    /// The model's name.
    pub model: &'a str,
    /// The preset's name.
    pub preset: &'a str,
    /// Width and height of the result.
    pub size: (usize, usize),
}

impl Template {
    /// The template for results beside their inputs: `{stem}_x{scale}.{ext}`.
    pub fn beside() -> Self {
        use Field::{Ext, Scale, Stem};
        let parts = vec![
            Part::Field(Stem),
            Part::Text("_x".into()),
            Part::Field(Scale),
            Part::Text(".".into()),
            Part::Field(Ext),
        ];
        Self { text: "{stem}_x{scale}.{ext}".into(), parts }
    }

    /// The template for results in another folder: `{stem}.{ext}`.
    pub fn elsewhere() -> Self {
        let parts = vec![Part::Field(Field::Stem), Part::Text(".".into()), Part::Field(Field::Ext)];
        Self { text: "{stem}.{ext}".into(), parts }
    }

    /// The template as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the names of different inputs differ.
    pub fn has_stem(&self) -> bool {
        self.parts.contains(&Part::Field(Field::Stem))
    }

    /// Reads a template.
    ///
    /// # Errors
    /// `InvalidOption` for an unknown field, an open brace, a folder separator or an empty template.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |what: String| {
            let names: Vec<_> = FIELDS.iter().map(|(name, _)| format!("{{{name}}}")).collect();
            let message = format!("name template {text:?}: {what}; fields are {}", names.join(" "));
            Error::invalid_option(message)
        };
        if text.is_empty() || text.contains(['/', '\\', '\0']) {
            return Err(wrong("expected a file name without folders".into()));
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            let (before, after) = rest.split_at(open);
            let Some((name, tail)) = after[1..].split_once('}') else {
                return Err(wrong("a { has no }".into()));
            };
            let Some((_, field)) = FIELDS.iter().find(|(known, _)| *known == name) else {
                return Err(wrong(format!("{{{name}}} is unknown")));
            };
            if !before.is_empty() {
                parts.push(Part::Text(before.into()));
            }
            parts.push(Part::Field(*field));
            rest = tail;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.into()));
        }
        Ok(Self { text: text.into(), parts })
    }

    /// The file name for one image; bytes of the input's name that are no Unicode are kept.
    pub fn render(&self, fields: &NameFields<'_>) -> OsString {
        let mut name = OsString::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => name.push(text),
                Part::Field(Field::Stem) => name.push(fields.input.file_stem().unwrap_or_default()),
                Part::Field(Field::Ext) => name.push(fields.ext),
                Part::Field(Field::From) => name.push(fields.input.extension().unwrap_or_default()),
                Part::Field(Field::Scale) => name.push(fields.scale),
                // A bundle names itself, so its name may hold anything.
                Part::Field(Field::Model) => name.push(fields.model.replace(['/', '\\', '\0'], "-")),
                Part::Field(Field::Preset) => name.push(fields.preset.replace(['/', '\\', '\0'], "-")),
                Part::Field(Field::Width) => name.push(fields.size.0.to_string()),
                Part::Field(Field::Height) => name.push(fields.size.1.to_string()),
            }
        }
        name
    }
}

/// `name` with a number before its extension, to tell files of the same name apart: `a-2.png`.
pub fn numbered(name: &OsStr, number: u32) -> OsString {
    let path = Path::new(name);
    let is = |ext: Option<&OsStr>, what: &str| ext.is_some_and(|ext| ext.eq_ignore_ascii_case(what));
    let (mut stem, mut ext) =
        (Path::new(path.file_stem().unwrap_or_default()), path.extension().map(OsString::from));
    if let (true, Some(inner)) =
        (is(path.extension(), "gz"), stem.extension().filter(|ext| is(Some(ext), "nii")))
    {
        // The extension of a volume has two parts.
        let mut both = inner.to_os_string();
        both.push(".");
        both.push(ext.unwrap_or_default());
        (stem, ext) = (Path::new(stem.file_stem().unwrap_or_default()), Some(both));
    }
    let mut numbered = stem.as_os_str().to_os_string();
    numbered.push(format!("-{number}"));
    if let Some(ext) = ext {
        numbered.push(".");
        numbered.push(ext);
    }
    numbered
}

/// A factor with at most two decimals: `4`, `2.5`, `1.33`.
pub fn show_scale(scale: f64) -> String {
    let text = format!("{scale:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

/// Format and `{ext}` of a result whose name is made from a template: as chosen, else as the input is called,
/// else as the input is made; PNG for formats that can only be read.
pub fn format_and_extension(
    chosen: Option<ImageFormat>,
    input: &Path,
    contents: ImageFormat,
) -> (ImageFormat, String) {
    let own = input.extension().and_then(OsStr::to_str);
    let named = own.and_then(ImageFormat::from_extension);
    // What can only be read (GIF) becomes PNG.
    let format = chosen.or(named).or(Some(contents)).filter(|format| format.can_write());
    let format = format.unwrap_or(ImageFormat::Png);
    // The input's own spelling (JPG, jpeg) is kept where it fits.
    let ext = own.filter(|_| named == Some(format)).unwrap_or(format.extensions()[0]);
    (format, ext.to_string())
}

/// A path as it appears in messages: lossy, and without characters that steer a terminal.
pub fn shown(path: &Path) -> String {
    let text = path.to_string_lossy();
    if text.chars().any(char::is_control) { text.escape_debug().to_string() } else { text.into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(input: &Path) -> NameFields<'_> {
        NameFields { input, ext: "png", scale: "2.5", model: "a/b", preset: "default", size: (10, 20) }
    }

    #[test]
    fn templates_fill_every_field() {
        let input = Path::new("dir/photo.one.JPG");
        let template =
            Template::parse("{stem}-{from}_x{scale}_{model}_{preset}_{width}x{height}.{ext}").unwrap();
        assert_eq!(template.render(&fields(input)), "photo.one-JPG_x2.5_a-b_default_10x20.png");
        assert_eq!(Template::beside(), Template::parse("{stem}_x{scale}.{ext}").unwrap());
        assert_eq!(Template::elsewhere(), Template::parse("{stem}.{ext}").unwrap());
    }

    #[test]
    fn bad_templates_say_why() {
        let error = |text| Template::parse(text).unwrap_err().to_string();
        assert!(error("{stom}.png").contains("{stom} is unknown; fields are {stem} {ext}"));
        assert!(error("{stem").contains("a { has no }"));
        assert!(error("a/{stem}").contains("without folders"));
        assert!(error("").contains("without folders"));
    }

    #[cfg(unix)]
    #[test]
    fn bytes_that_are_no_unicode_are_kept() {
        use std::os::unix::ffi::{OsStrExt, OsStringExt};
        let input = std::path::PathBuf::from(OsString::from_vec(b"caf\xe9.jpg".to_vec()));
        assert_eq!(Template::beside().render(&fields(&input)).as_bytes(), b"caf\xe9_x2.5.png");
    }

    #[test]
    fn endings_follow_choice_then_name_then_contents() {
        use ImageFormat::{Jpeg, Png, Tiff};
        assert_eq!(format_and_extension(None, Path::new("a.JPEG"), Jpeg), (Jpeg, "JPEG".into()));
        assert_eq!(format_and_extension(Some(Jpeg), Path::new("a.JPEG"), Jpeg), (Jpeg, "JPEG".into()));
        assert_eq!(format_and_extension(Some(Png), Path::new("a.JPEG"), Jpeg), (Png, "png".into()));
        assert_eq!(format_and_extension(None, Path::new("-"), Tiff), (Tiff, "tif".into()));
        assert_eq!(format_and_extension(Some(Jpeg), Path::new("a"), Png), (Jpeg, "jpg".into()));
        assert_eq!(format_and_extension(None, Path::new("a.gif"), ImageFormat::Gif), (Png, "png".into()));
    }

    #[test]
    fn names_cannot_steer_the_terminal() {
        assert_eq!(shown(Path::new("a\n\u{1b}[2J b.png")), "a\\n\\u{1b}[2J b.png");
        assert_eq!(shown(Path::new("naïve name.png")), "naïve name.png");
    }

    #[test]
    fn numbers_and_factors() {
        assert_eq!(numbered(OsStr::new("a.b.png"), 2), "a.b-2.png");
        assert_eq!(numbered(OsStr::new("a"), 3), "a-3");
        assert_eq!(numbered(OsStr::new("a.b.nii.gz"), 2), "a.b-2.nii.gz");
        assert_eq!(numbered(OsStr::new("a.tar.gz"), 2), "a.tar-2.gz");
        assert_eq!(
            (show_scale(4.0), show_scale(1.333), show_scale(10.0)),
            ("4".into(), "1.33".into(), "10".into())
        );
    }
}
