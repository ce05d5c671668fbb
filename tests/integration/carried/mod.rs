//! What results of the command carry, as ExifTool, ImageMagick, libvips, Pillow and tifffile see it: nothing of ours
//! reads here what ours wrote.

pub(crate) mod color;
#[cfg(feature = "heif")]
mod heif;
mod metadata;
mod pixels;
mod rewritten;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::cli::has_runtime;
use crate::real_model::data;

/// Whether the tools and the runtime are here; says on standard error what is not.
pub(crate) fn ready() -> bool {
    let missing = [
        ("exiftool", "-ver"),
        ("convert", "-version"),
        ("identify", "-version"),
        ("vipsheader", "--version"),
    ]
    .into_iter()
    .find(|(tool, version)| Command::new(tool).arg(version).output().is_err());
    if let Some((tool, _)) = missing {
        skipped!("{tool} is not installed");
        return false;
    }
    if python().is_none() {
        skipped!("no python3 with Pillow, NumPy and tifffile");
        return false;
    }
    has_runtime()
}

/// A Python with the libraries that `look.py` needs.
fn python() -> Option<&'static str> {
    static FOUND: OnceLock<Option<String>> = OnceLock::new();
    FOUND.get_or_init(|| crate::python::python("numpy, PIL.ImageCms, tifffile")).as_deref()
}

/// What `look.py` answers.
#[track_caller]
pub(crate) fn look<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/integration/carried/look.py");
    let mut command = Command::new(python().unwrap());
    serde_json::from_str(&output(command.arg(script).args(arguments))).unwrap()
}

/// Standard output of a program that must succeed.
#[track_caller]
pub(crate) fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Runs `partdiff upscale` with one step and returns what it says.
#[track_caller]
pub(crate) fn upscale<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_partdiff"));
    command.args(["upscale", "--device", "cpu", "--steps", "1"]).args(arguments);
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}: {told}");
    told
}

/// A part of a photograph, 40x28 pixels, as a PNG file without anything else.
pub(crate) fn photo(folder: &Path) -> PathBuf {
    let path = folder.join("photo.png");
    let dog = data("dog.png");
    output(Command::new("convert").arg(dog).args(["-crop", "40x28+40+40", "+repage", "-strip"]).arg(&path));
    path
}

/// The photograph at `photo` as a JPEG file of that name, of which the EXIF block alone says that it is Adobe RGB.
fn said_adobe(photo: &Path, name: &str) -> PathBuf {
    let path = photo.with_file_name(name);
    output(Command::new("convert").arg(photo).arg(&path));
    let said = ["-q", "-n", "-overwrite_original", "-EXIF:ColorSpace=65535", "-InteropIndex=R03"];
    output(Command::new("exiftool").args(said).arg(&path));
    path
}

/// The tags of a file as ExifTool has them, numbers as numbers, by "GROUP:SUBGROUP:NAME" (its families 0 and 1, of which
/// equal ones stand once).
pub(crate) struct Tags(BTreeMap<String, Value>);

impl Tags {
    /// The tags of many files, asked for at once: starting ExifTool takes longer than its work.
    #[track_caller]
    pub(crate) fn of<P: AsRef<OsStr>>(paths: &[P]) -> Vec<Self> {
        let mut exiftool = Command::new("exiftool");
        exiftool.args(["-q", "-j", "-n", "-a", "-G0:1", "-struct"]).args(paths);
        let Value::Array(files) = serde_json::from_str(&output(&mut exiftool)).unwrap() else { panic!() };
        assert_eq!(files.len(), paths.len());
        files.into_iter().map(|file| Self(file.as_object().unwrap().clone().into_iter().collect())).collect()
    }

    /// The tags of a group, by "SUBGROUP:NAME".
    fn group(&self, group: &str) -> BTreeMap<&str, &Value> {
        let inside = |name: &str| name.strip_prefix(group).is_some_and(|rest| rest.starts_with(':'));
        let found = self.0.iter().filter(|(name, _)| inside(name));
        found.map(|(name, value)| (&name[group.len() + 1..], value)).collect()
    }

    /// The value of "GROUP:NAME", in which the group may be one of either kind, as text; empty if there is none.
    pub(crate) fn text(&self, wanted: &str) -> String {
        let (group, name) = wanted.split_once(':').unwrap();
        let mut found = self.0.iter().filter(|(full, _)| {
            let mut parts = full.rsplit(':');
            parts.next() == Some(name) && parts.any(|part| part == group)
        });
        match found.next() {
            None => String::new(),
            Some((_, Value::String(text))) => text.clone(),
            Some((_, value)) => value.to_string(),
        }
    }

    /// Whether any group has a tag of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.keys().any(|full| full.rsplit(':').next() == Some(name))
    }
}
