//! Names of results in OUT.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

use crate::batch::naming::{NameFields, Template, numbered};
use crate::error::{Error, Result};
use crate::volume::bids::result_name;
use crate::volume::nifti::{name_means_packed, without_gz};
use crate::watch::worker::protocol::Made;

/// A template that gives different inputs of a folder different names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names(Template);

impl Default for Names {
    fn default() -> Self {
        Self(Template::elsewhere())
    }
}

impl Names {
    /// The template as written.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The name for the result `made` of `input` with `preset`; a `number` above 1 tells results of one name apart.
    pub fn render(&self, input: &Path, made: &Made, preset: Option<&str>, number: u32) -> OsString {
        let is_volume = name_means_packed(input).is_some();
        let input = &if is_volume { without_gz(input) } else { input.to_path_buf() };
        let stem = input.file_stem().and_then(OsStr::to_str);
        // Unless names were asked for.
        let bids = stem.filter(|_| is_volume && *self == Self::default());
        let bids = bids.and_then(|stem| result_name(stem, &made.scale));
        let name = bids.map(|name| format!("{name}.{}", made.ext).into());
        let name = name.unwrap_or_else(|| {
            self.0.render(&NameFields {
                input,
                ext: &made.ext,
                scale: &made.scale,
                model: &made.model,
                preset: preset.unwrap_or("default"),
                size: (made.width, made.height),
            })
        });
        if number < 2 { name } else { numbered(&name, number) }
    }
}

impl FromStr for Names {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let template = Template::parse(text)?;
        if !template.has_stem() {
            let message = format!("name template {text:?}: without {{stem}} all results would have one name");
            return Err(Error::invalid_option(message));
        }
        Ok(Self(template))
    }
}

crate::settings::units::read_from_text!(Names);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_told_apart() {
        let made = Made { ext: "png".into(), scale: "4".into(), width: 8, height: 6, ..Made::default() };
        let names: Names = "{stem}-{from}_x{scale}_{preset}_{width}x{height}.{ext}".parse().unwrap();
        assert_eq!(names.render(Path::new("d/p.one.JPG"), &made, None, 1), "p.one-JPG_x4_default_8x6.png");
        assert_eq!(Names::default().render(Path::new("p.one.JPG"), &made, None, 3), "p.one-3.png");
        let made = Made { ext: "nii.gz".into(), ..made };
        assert_eq!(Names::default().render(Path::new("a/b.nii.gz"), &made, None, 2), "b-2.nii.gz");
        let name = Path::new("a/sub-01_T1w.nii.gz");
        assert_eq!(Names::default().render(name, &made, None, 1), "sub-01_res-x4_desc-partdiff_T1w.nii.gz");
        assert_eq!(names.render(name, &made, None, 1), "sub-01_T1w-nii_x4_default_8x6.nii.gz");
        assert!("x.{ext}".parse::<Names>().unwrap_err().to_string().contains("one name"));
        assert!("a/{stem}".parse::<Names>().is_err());
    }
}
