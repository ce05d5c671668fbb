//! Where the bytes of a DICOM file lie: in a file of its own, or in a zip file.

use std::path::{Path, PathBuf};

/// A file, or an entry of a zip file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// The name inside it, where it is a zip file.
    pub entry: Option<String>,
}

impl Place {
    /// Of a file.
    pub fn file(path: &Path) -> Self {
        Self { path: path.to_path_buf(), entry: None }
    }
}
