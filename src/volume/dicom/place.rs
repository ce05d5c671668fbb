//! Where the bytes of a DICOM file lie: in a file of its own, or in a zip file.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use zip::ZipArchive;

use super::content::{self, TOLD_BY};

/// Most bytes of one DICOM file; what a zip file makes of few is bounded by it.
const MAX_BYTES: u64 = 8 << 30;

/// Most entries of a zip file.
const MAX_ENTRIES: usize = 1 << 20;

/// A file, or an entry of a zip file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// Number and name inside it, where it is a zip file.
    pub entry: Option<(usize, String)>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.entry {
            None => write!(f, "{path}"),
            Some((_, name)) => write!(f, "{name:?} in {path}"),
        }
    }
}

impl Place {
    /// The file at `path`, if it is DICOM; a pipe, which can be read only once, is not.
    ///
    /// # Errors
    /// As the file cannot be read.
    pub fn of_file(path: &Path) -> io::Result<Option<Self>> {
        let is_dicom = path.is_file() && is_dicom(File::open(path)?)?;
        Ok(is_dicom.then(|| Self { path: path.to_path_buf(), entry: None }))
    }

    /// All DICOM files in a zip file, in the order of its entries; none where it is no zip file.
    ///
    /// # Errors
    /// As the file cannot be read.
    pub fn all_in_zip(path: &Path) -> io::Result<Vec<Self>> {
        let mut magic = [0; 4];
        let is_zip =
            path.is_file() && File::open(path)?.read_exact(&mut magic).is_ok() && magic == *b"PK\x03\x04";
        if !is_zip {
            return Ok(Vec::new());
        }
        let mut archive = open_zip(path)?;
        let mut found = Vec::new();
        for index in 0..archive.len().min(MAX_ENTRIES) {
            let entry = archive.by_index(index).map_err(io::Error::other)?;
            let name = entry.name().map_or_else(|_| format!("entry {index}"), |name| name.into_owned());
            if entry.is_file() && is_dicom(entry)? {
                found.push(Self { path: path.to_path_buf(), entry: Some((index, name)) });
            }
        }
        Ok(found)
    }

    /// Hands all bytes to `read`.
    ///
    /// # Errors
    /// As they cannot be read; what `read` returns.
    pub fn read<T, E: From<io::Error>>(
        &self,
        read: impl FnOnce(&mut dyn Read) -> Result<T, E>,
    ) -> Result<T, E> {
        match &self.entry {
            None => read(&mut BufReader::new(File::open(&self.path)?)),
            Some((index, _)) => {
                let mut archive = open_zip(&self.path)?;
                let entry = archive.by_index(*index).map_err(io::Error::other)?;
                read(&mut entry.take(MAX_BYTES))
            }
        }
    }
}

fn open_zip(path: &Path) -> io::Result<ZipArchive<BufReader<File>>> {
    ZipArchive::new(BufReader::new(File::open(path)?)).map_err(io::Error::other)
}

fn is_dicom(file: impl Read) -> io::Result<bool> {
    let mut bytes = Vec::with_capacity(TOLD_BY);
    file.take(TOLD_BY as u64).read_to_end(&mut bytes)?;
    Ok(content::start(&bytes).is_some())
}
