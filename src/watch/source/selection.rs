//! Which files in a watched folder are images to work on.

use std::ffi::OsStr;
use std::path::Path;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::settle::Role;
use crate::error::{Error, ErrorKind, Result};
use crate::image::{ImageFormat, unreadable};
use crate::volume::nifti::{name_means_packed, not_watched};

/// Extensions of files that go with an image of the same stem.
const SIDECARS: [&str; 6] = ["xmp", "pp3", "dop", "aae", "json", "thm"];

/// Extensions of files that some program has not finished.
const UNFINISHED: [&str; 9] =
    ["part", "partial", "tmp", "temp", "crdownload", "download", "opdownload", "filepart", "swp"];

/// Folders that systems and servers make for themselves.
const SYSTEM_FOLDERS: [&str; 6] =
    ["@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found", "#snapshot"];

/// The rules of one watch.
#[derive(Clone, Debug)]
pub struct Selection {
    include: Option<GlobSet>,
    exclude: GlobSet,
}

impl Selection {
    /// Rules from globs on paths relative to the watched folder. A glob without `/` matches at any depth; none to
    /// include means every file with the extension of a readable format.
    ///
    /// # Errors
    /// `InvalidOption` naming the glob that is wrong.
    pub fn new(include: &[String], exclude: &[String]) -> Result<Self> {
        let include = if include.is_empty() { None } else { Some(globs("include", include)?) };
        Ok(Self { include, exclude: globs("exclude", exclude)? })
    }

    /// Whether to look into the folder `relative`.
    pub fn enters(&self, relative: &Path) -> bool {
        let name = relative.file_name().unwrap_or_default();
        !is_hidden(name)
            && !SYSTEM_FOLDERS.iter().any(|folder| name == OsStr::new(folder))
            && !self.excludes(relative)
    }

    /// Whether the globs exclude `relative` or a folder above it.
    pub fn excludes(&self, relative: &Path) -> bool {
        relative.ancestors().any(|path| !path.as_os_str().is_empty() && self.exclude.is_match(path))
    }

    /// What the file `relative` is to this watch; `None` for what it leaves alone.
    pub fn role(&self, relative: &Path) -> Option<Role> {
        let name = relative.file_name()?;
        if is_hidden(name) || is_unfinished(name) || self.excludes(relative) {
            return None;
        }
        let ext = relative.extension().and_then(OsStr::to_str).unwrap_or_default();
        let wanted = match &self.include {
            Some(include) => include.is_match(relative),
            None => {
                ImageFormat::from_extension(ext).is_some_and(ImageFormat::can_read)
                    || name_means_packed(relative).is_some()
            }
        };
        if wanted {
            return Some(Role::Image);
        }
        let goes_with = SIDECARS.contains(&ext.to_ascii_lowercase().as_str())
            || unreadable(ext).is_some()
            || not_watched(relative).is_some();
        goes_with.then_some(Role::Companion)
    }

    /// Why the image `relative` cannot be read; `None` for what can be, is no image, or was not asked for.
    pub fn unreadable(&self, relative: &Path) -> Option<String> {
        let ext = relative.extension().and_then(OsStr::to_str)?;
        if self.include.is_none() { unreadable(ext).or_else(|| not_watched(relative)) } else { None }
    }
}

/// Whether files with this extension are images, readable or not, so that `a.EXT.xmp` is about `a`.
pub fn is_image_extension(ext: &str) -> bool {
    ImageFormat::from_extension(ext).is_some() || unreadable(ext).is_some()
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

fn is_unfinished(name: &OsStr) -> bool {
    let bytes = name.as_encoded_bytes();
    let ext = Path::new(name).extension().and_then(OsStr::to_str).unwrap_or_default();
    bytes.starts_with(b"~")
        || bytes.ends_with(b"~")
        || UNFINISHED.contains(&ext.to_ascii_lowercase().as_str())
}

fn globs(field: &str, patterns: &[String]) -> Result<GlobSet> {
    let wrong = |error: globset::Error| {
        let pattern = error.glob().unwrap_or_default().to_string();
        Error::with_source(ErrorKind::InvalidOption, format!("{field}: bad glob {pattern:?}"), error)
    };
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let pattern = pattern.trim_end_matches('/');
        let anywhere = if pattern.contains('/') { pattern.to_string() } else { format!("**/{pattern}") };
        set.add(GlobBuilder::new(&anywhere).literal_separator(true).build().map_err(wrong)?);
    }
    set.build().map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(include: &[&str], exclude: &[&str]) -> Selection {
        let own = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        Selection::new(&own(include), &own(exclude)).unwrap()
    }

    #[test]
    fn images_by_extension_and_companions() {
        let rules = rules(&[], &[]);
        for image in ["a.png", "sub/b.JPG", "naïve.webp", "c.nii", "d.NII.gz"] {
            assert_eq!(rules.role(Path::new(image)), Some(Role::Image), "{image}");
        }
        for companion in ["a.xmp", "a.png.xmp", "a.CR2", "a.json", "a.img", "a.hdr.gz"] {
            assert_eq!(rules.role(Path::new(companion)), Some(Role::Companion), "{companion}");
        }
        for other in
            [".a.png", "a.gz", "a.png.part", "a.png~", "~a.png", "notes.txt", "png", "a.png.crdownload"]
        {
            assert_eq!(rules.role(Path::new(other)), None, "{other}");
            assert_eq!(rules.unreadable(Path::new(other)), None, "{other}");
        }
    }

    #[test]
    fn images_that_cannot_be_read_are_told_from_other_files() {
        let all = rules(&[], &[]);
        let unreadable = |name: &str| all.unreadable(Path::new(name));
        assert_eq!(unreadable("a.JP2").unwrap(), "JPEG 2000 files cannot be read");
        assert_eq!(unreadable("sub/a.CR3").unwrap(), "camera raw files cannot be read");
        assert!(unreadable("a.IMG").unwrap().starts_with("one file of a pair"));
        assert!(unreadable("a.mgz").unwrap().contains("mri_convert"));
        assert_eq!(unreadable("a.heic").is_some(), cfg!(not(feature = "heif")));
        assert_eq!(all.role(Path::new("a.psd")), Some(Role::Companion));
        for other in ["a.png", "a.xmp", "a.txt", "psd"] {
            assert_eq!(unreadable(other), None, "{other}");
        }
        // Who names what to take has left out the rest on purpose.
        assert_eq!(rules(&["*.png"], &[]).unreadable(Path::new("a.psd")), None);
    }

    #[test]
    fn globs_choose() {
        let rules = rules(&["*.scan", "good/*.png"], &["bad", "**/x?.scan", "dir/sub/"]);
        assert_eq!(rules.role(Path::new("a/b.scan")), Some(Role::Image));
        assert_eq!(rules.role(Path::new("good/a.png")), Some(Role::Image));
        assert_eq!(rules.role(Path::new("good/deeper/a.png")), None);
        assert_eq!(rules.role(Path::new("a/x1.scan")), None);
        assert_eq!(rules.role(Path::new("a/bad/c.scan")), None);
        assert!(!rules.enters(Path::new("a/bad")) && !rules.enters(Path::new("dir/sub")));
        assert!(rules.enters(Path::new("dir")) && !rules.enters(Path::new(".git")));
        assert!(!rules.enters(Path::new("x/@eaDir")));
        let error = Selection::new(&["a[".into()], &[]).unwrap_err();
        assert!(error.to_string().contains("include: bad glob \"**/a[\""), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_no_unicode_are_images_too() {
        let path = crate::fs::path_bytes::from_bytes(b"caf\xe9.png");
        assert_eq!(rules(&[], &[]).role(&path), Some(Role::Image));
        assert_eq!(rules(&["*.png"], &[]).role(&path), Some(Role::Image));
    }
}
