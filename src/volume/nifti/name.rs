//! Names of volumes.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Extensions that only volumes have.
const NAMES: [&str; 5] = [".nii", ".nii.gz", ".hdr.gz", ".img", ".img.gz"];

/// Extensions of volumes in other formats, and how to convert them to NIfTI.
const FOREIGN: [(&str, &str, &str); 6] = [
    (".mgh", "MGH", "mri_convert in.mgh out.nii.gz"),
    (".mgz", "MGH", "mri_convert in.mgz out.nii.gz"),
    (".mgh.gz", "MGH", "mri_convert in.mgh.gz out.nii.gz"),
    (".mnc", "MINC", "mnc2nii in.mnc out.nii"),
    (".head", "AFNI", "3dAFNItoNIFTI in.HEAD"),
    (".brik", "AFNI", "3dAFNItoNIFTI in.BRIK"),
];

/// Whether the file at `path` is a volume, by its name, or, where that may mean something else, by its first bytes.
pub fn is_volume(path: &Path) -> bool {
    let name = lower(path);
    if NAMES.iter().any(|ending| name.ends_with(ending)) || foreign(&name).is_some() {
        return true;
    }
    // Radiance has the same extension, and pipes can be read only once.
    name.ends_with(".hdr") && path.is_file() && has_header(path)
}

/// Whether a file in a folder is a volume to make, by its name alone. The data file of a pair is not: its header stands
/// for both. `.hdr` may be either.
pub fn is_found(path: &Path) -> bool {
    let name = lower(path);
    [".nii", ".nii.gz", ".hdr.gz"].iter().any(|ending| name.ends_with(ending))
}

/// Why a volume is not taken from a watched folder, by its name.
pub fn not_watched(path: &Path) -> Option<String> {
    let name = lower(path);
    let is_pair = [".img", ".img.gz", ".hdr.gz"].iter().any(|ending| name.ends_with(ending));
    advice(path).or_else(|| {
        let why = "one file of a pair, which may come at different times: convert both to .nii.gz, or use partdiff upscale";
        is_pair.then(|| why.into())
    })
}

/// Whether a result of this name is compressed; `None` for names of other files.
pub fn name_means_packed(path: &Path) -> Option<bool> {
    let name = lower(path);
    [(".nii", false), (".nii.gz", true)]
        .into_iter()
        .find(|(ending, _)| name.ends_with(ending))
        .map(|(_, packed)| packed)
}

/// What is to be done about a volume of another format.
pub fn advice(path: &Path) -> Option<String> {
    let (_, format, command) = foreign(&lower(path))?;
    Some(format!("{format} volumes cannot be read: convert it to NIfTI, for instance with {command}"))
}

/// `path` without `.gz`.
pub fn without_gz(path: &Path) -> PathBuf {
    match path.extension() {
        Some(extension) if extension.eq_ignore_ascii_case("gz") => path.with_extension(""),
        _ => path.to_path_buf(),
    }
}

/// The other file of a pair: where it would lie, in the order in which it is looked for.
pub(super) fn companions(path: &Path, extension: &str) -> [PathBuf; 2] {
    let plain = without_gz(path).with_extension(extension);
    let mut packed = plain.clone().into_os_string();
    packed.push(".gz");
    if path == without_gz(path) { [plain, packed.into()] } else { [packed.into(), plain] }
}

/// Whether it is the data file of a pair.
pub(super) fn is_data(path: &Path) -> bool {
    without_gz(path).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("img"))
}

/// Whether it may be a file of Analyze, which has no magic number.
pub(super) fn may_be_analyze(path: &Path) -> bool {
    without_gz(path).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("hdr"))
}

fn lower(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().to_lowercase()
}

fn foreign(name: &str) -> Option<&'static (&'static str, &'static str, &'static str)> {
    FOREIGN.iter().find(|(ending, ..)| name.ends_with(ending))
}

/// Whether the file begins with the size of a header.
fn has_header(path: &Path) -> bool {
    let mut start = [0; 4];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && super::Header::kind(start).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_are_known_by_name_and_hdr_by_contents() {
        for name in ["a.nii", "b.NII.GZ", "c.img", "d.hdr.gz", "e.mgz"] {
            assert!(is_volume(Path::new(name)), "{name}");
        }
        for name in ["a.png", "a.gz", "nii", "a.hdr"] {
            assert!(!is_volume(Path::new(name)), "{name}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.hdr");
        std::fs::write(&path, b"#?RADIANCE\n").unwrap();
        assert!(!is_volume(&path));
        std::fs::write(&path, 348i32.to_be_bytes()).unwrap();
        assert!(is_volume(&path));
        assert!(advice(Path::new("x.mgz")).unwrap().contains("mri_convert"));
    }

    #[test]
    fn the_other_file_of_a_pair_is_looked_for_beside_it() {
        let names = |path: &str, extension: &str| {
            companions(Path::new(path), extension).map(|path| path.to_str().unwrap().to_owned())
        };
        assert_eq!(names("x/a.b.hdr", "img"), ["x/a.b.img", "x/a.b.img.gz"]);
        assert_eq!(names("a.img.gz", "hdr"), ["a.hdr.gz", "a.hdr"]);
    }
}
