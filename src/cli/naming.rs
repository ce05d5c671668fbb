//! Where results go: the destination, and names from a template.

use std::ffi::{OsStr, OsString};
use std::path::{MAIN_SEPARATOR, Path, PathBuf};

use super::inputs::STDIO;
use crate::error::{Error, ErrorKind, Result};
use crate::image::ImageFormat;

/// Where results go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Beside each input.
    Beside,
    /// Into this folder, which may have to be made.
    Folder(PathBuf),
    /// Into this file.
    File(PathBuf),
    /// To standard output.
    Stdout,
}

impl Destination {
    /// Judges `-o`: a folder if it is one, ends in a separator, or several results have to fit in.
    ///
    /// # Errors
    /// `InvalidOption` where several pictures would go to standard output.
    pub fn choose(output: Option<&Path>, inputs: &[PathBuf]) -> Result<Self> {
        let several = inputs.len() > 1 || inputs.iter().any(|input| input.is_dir());
        let Some(output) = output else {
            let piped = !several && inputs.iter().all(|input| input == Path::new(STDIO));
            return Ok(if piped { Self::Stdout } else { Self::Beside });
        };
        if output == Path::new(STDIO) {
            if several {
                let message = "standard output takes one picture: give one file, or a folder as OUT";
                return Err(Error::new(ErrorKind::InvalidOption, message));
            }
            return Ok(Self::Stdout);
        }
        let last = output.as_os_str().as_encoded_bytes().last();
        let marked = last.is_some_and(|&byte| byte == b'/' || byte == MAIN_SEPARATOR as u8);
        if several || marked || output.is_dir() {
            Ok(Self::Folder(output.to_path_buf()))
        } else {
            Ok(Self::File(output.to_path_buf()))
        }
    }
}

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
pub struct Template(Vec<Part>);

/// The values of a template's fields for one picture.
#[derive(Clone, Debug)]
pub struct NameFields<'a> {
    /// The input's path; `{stem}` and `{from}` come from it.
    pub input: &'a Path,
    /// Ending of the result, without the dot.
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
    /// The template for results beside their inputs.
    pub fn beside() -> Self {
        use Field::{Ext, Scale, Stem};
        let text = |text: &str| Part::Text(text.into());
        Self(vec![Part::Field(Stem), text("_x"), Part::Field(Scale), text("."), Part::Field(Ext)])
    }

    /// The template for results in another folder.
    pub fn elsewhere() -> Self {
        Self(vec![Part::Field(Field::Stem), Part::Text(".".into()), Part::Field(Field::Ext)])
    }

    /// Reads a template.
    ///
    /// # Errors
    /// `InvalidOption` for an unknown field, an open brace, a folder separator or an empty template.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |what: String| {
            let names: Vec<_> = FIELDS.iter().map(|(name, _)| format!("{{{name}}}")).collect();
            let message = format!("name template {text:?}: {what}; fields are {}", names.join(" "));
            Error::new(ErrorKind::InvalidOption, message)
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
        Ok(Self(parts))
    }

    /// The file name for one picture; bytes of the input's name that are no Unicode are kept.
    pub fn render(&self, fields: &NameFields<'_>) -> OsString {
        let mut name = OsString::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => name.push(text),
                Part::Field(Field::Stem) => name.push(stem(fields.input)),
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

fn stem(input: &Path) -> &OsStr {
    if input == Path::new(STDIO) { OsStr::new("stdin") } else { input.file_stem().unwrap_or_default() }
}

/// Format and `{ext}` of a result whose name is made from a template: `--format`, else as the input is called,
/// else as the input is made.
pub fn ending(chosen: Option<ImageFormat>, input: &Path, contents: ImageFormat) -> (ImageFormat, String) {
    let own = input.extension().and_then(OsStr::to_str);
    let named = own.and_then(ImageFormat::from_extension);
    let format = chosen.or(named).unwrap_or(contents);
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
        assert_eq!(Template::elsewhere().render(&fields(Path::new("-"))), "stdin.png");
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
        let input = PathBuf::from(OsString::from_vec(b"caf\xe9.jpg".to_vec()));
        assert_eq!(Template::beside().render(&fields(&input)).as_bytes(), b"caf\xe9_x2.5.png");
    }

    #[test]
    fn destinations() {
        let folder = tempfile::tempdir().unwrap();
        let choose = |out: Option<&str>, inputs: &[&str]| {
            let inputs: Vec<_> = inputs.iter().map(PathBuf::from).collect();
            Destination::choose(out.map(Path::new), &inputs)
        };
        let here = folder.path().to_str().unwrap();
        assert_eq!(choose(None, &["a.png"]).unwrap(), Destination::Beside);
        assert_eq!(choose(None, &["-"]).unwrap(), Destination::Stdout);
        assert_eq!(choose(Some("-"), &["a.png"]).unwrap(), Destination::Stdout);
        assert!(choose(Some("-"), &["a.png", "b.png"]).is_err());
        assert!(choose(Some("-"), &[here]).is_err());
        assert_eq!(choose(Some("o.png"), &["a.png"]).unwrap(), Destination::File("o.png".into()));
        assert_eq!(choose(Some("o/"), &["a.png"]).unwrap(), Destination::Folder("o/".into()));
        assert_eq!(choose(Some(here), &["a.png"]).unwrap(), Destination::Folder(here.into()));
        assert_eq!(choose(Some("o"), &["a.png", "b.png"]).unwrap(), Destination::Folder("o".into()));
        assert_eq!(choose(Some("o"), &[here]).unwrap(), Destination::Folder("o".into()));
    }

    #[test]
    fn endings_follow_choice_then_name_then_contents() {
        use ImageFormat::{Jpeg, Png, Tiff};
        assert_eq!(ending(None, Path::new("a.JPEG"), Jpeg), (Jpeg, "JPEG".into()));
        assert_eq!(ending(Some(Jpeg), Path::new("a.JPEG"), Jpeg), (Jpeg, "JPEG".into()));
        assert_eq!(ending(Some(Png), Path::new("a.JPEG"), Jpeg), (Png, "png".into()));
        assert_eq!(ending(None, Path::new("-"), Tiff), (Tiff, "tif".into()));
        assert_eq!(ending(Some(Jpeg), Path::new("a"), Png), (Jpeg, "jpg".into()));
    }

    #[test]
    fn names_cannot_steer_the_terminal() {
        assert_eq!(shown(Path::new("a\n\u{1b}[2J b.png")), "a\\n\\u{1b}[2J b.png");
        assert_eq!(shown(Path::new("naïve name.png")), "naïve name.png");
    }
}
