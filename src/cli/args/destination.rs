//! Where results go.

use std::path::{MAIN_SEPARATOR, Path, PathBuf};

use super::inputs::STDIO;
use crate::batch::naming::shown;
use crate::error::{Error, Result};
use crate::image::ImageFormat;
use crate::volume::nifti::name_means_packed;

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
    /// Judges `-o`: a folder if it is one, ends in a separator, or several results have to fit in; also one without an
    /// extension where results are `series`, which are folders themselves.
    ///
    /// # Errors
    /// `InvalidOption` where several images would go to standard output, or to one file.
    pub fn choose(output: Option<&Path>, inputs: &[PathBuf], series: bool) -> Result<Self> {
        let several = inputs.len() > 1 || inputs.iter().any(|input| input.is_dir());
        let Some(output) = output else {
            let piped = !several && inputs.iter().all(|input| input == Path::new(STDIO));
            return Ok(if piped { Self::Stdout } else { Self::Beside });
        };
        if output == Path::new(STDIO) {
            if several {
                let message = "standard output takes only one image: give one input file, or a folder as OUT";
                return Err(Error::invalid_option(message));
            }
            return Ok(Self::Stdout);
        }
        let last = output.as_os_str().as_encoded_bytes().last();
        let marked = last.is_some_and(|&byte| byte == b'/' || byte == MAIN_SEPARATOR as u8);
        let folder = marked || output.is_dir() || series && output.extension().is_none();
        // Several files may be one DICOM series, which is known when they are read.
        let may_be_one = name_means_packed(output).is_some();
        if several
            && !folder
            && !may_be_one
            && ImageFormat::from_path(output).is_some_and(ImageFormat::can_write)
        {
            return Err(single(output, "several inputs"));
        }
        if folder || several && !may_be_one {
            Ok(Self::Folder(output.to_path_buf()))
        } else {
            Ok(Self::File(output.to_path_buf()))
        }
    }
}

/// The error where `what` would go to the single file at `output`.
pub fn single(output: &Path, what: &str) -> Error {
    let message = format!(
        "{} names a single file, but there are {what}: give a folder as OUT, with a trailing / if its name looks like a \
         file's",
        shown(output)
    );
    Error::invalid_option(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations() {
        let folder = tempfile::tempdir().unwrap();
        let choose = |out: Option<&str>, inputs: &[&str]| {
            let inputs: Vec<_> = inputs.iter().map(PathBuf::from).collect();
            Destination::choose(out.map(Path::new), &inputs, false)
        };
        let here = folder.path().to_str().unwrap();
        assert_eq!(choose(None, &["a.png"]).unwrap(), Destination::Beside);
        assert_eq!(choose(None, &["-"]).unwrap(), Destination::Stdout);
        assert_eq!(choose(Some("-"), &["a.png"]).unwrap(), Destination::Stdout);
        assert!(choose(Some("-"), &["a.png", "b.png"]).is_err());
        assert!(choose(Some("-"), &[here]).is_err());
        assert!(choose(Some("o.png"), &["a.png", "b.png"]).unwrap_err().to_string().contains("a trailing /"));
        assert_eq!(choose(Some("o.png/"), &["a.png", here]).unwrap(), Destination::Folder("o.png/".into()));
        assert_eq!(choose(Some("o.png"), &["a.png"]).unwrap(), Destination::File("o.png".into()));
        assert_eq!(choose(Some("o/"), &["a.png"]).unwrap(), Destination::Folder("o/".into()));
        assert_eq!(choose(Some(here), &["a.png"]).unwrap(), Destination::Folder(here.into()));
        assert_eq!(choose(Some("o"), &["a.png", "b.png"]).unwrap(), Destination::Folder("o".into()));
        assert_eq!(choose(Some("o"), &[here]).unwrap(), Destination::Folder("o".into()));
        let series = |out| Destination::choose(Some(Path::new(out)), &["a.nii".into()], true).unwrap();
        assert_eq!(series("o"), Destination::Folder("o".into()));
        assert_eq!(series("o.nii"), Destination::File("o.nii".into()));
    }
}
