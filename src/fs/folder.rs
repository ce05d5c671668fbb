//! The folder that a file lies in.

use std::fs;
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};

/// The folder of `path`; "." for a name alone.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Makes `folder` and those above it, where they are missing.
///
/// # Errors
/// `Output`, naming it, where that fails.
pub fn make_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(|error| {
        Error::with_source(ErrorKind::Output, format!("cannot make {}", folder.display()), error)
    })
}
