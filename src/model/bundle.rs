//! Model bundles: a manifest and its graphs, from a folder, a zip or the program itself.

use std::borrow::Cow;
use std::fs;
use std::io::{Cursor, Read};
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::fs::hash::sha256_hex;
use crate::model::Manifest;

/// Name of the manifest in a bundle.
pub const MANIFEST_FILE: &str = "model.json";

/// The bundle used when none is named and no factor asks for another.
pub const DEFAULT_BUNDLE: &str = "natural-x4";

/// A graph beyond this is refused before it is read; ONNX's own limit for one file.
const MAX_FILE_BYTES: u64 = 2 << 30;

struct Embedded {
    name: &'static str,
    files: &'static [(&'static str, &'static [u8])],
}

macro_rules! embedded {
    ($name:literal: $($file:literal),+) => {
        Embedded {
            name: $name,
            files: &[$((
                $file,
                include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/onnx/models/", $name, "/", $file)),
            )),+],
        }
    };
}

static EMBEDDED: &[Embedded] = &[
    embedded!("natural-x4": "model.json", "encoder.onnx", "denoiser.onnx", "estimator.onnx"),
    embedded!("natural-x4-int8": "model.json", "encoder.onnx", "denoiser.onnx", "estimator.onnx"),
    embedded!("mri-x4": "model.json", "encoder.onnx", "denoiser.onnx"),
];

/// A bundle in memory, its manifest checked and its files verified against their hashes.
#[derive(Clone, Debug)]
pub struct Bundle {
    manifest: Manifest,
    encoder: Option<Cow<'static, [u8]>>,
    denoiser: Cow<'static, [u8]>,
    estimator: Option<Cow<'static, [u8]>>,
    digest: String,
}

impl Bundle {
    /// Opens a bundle folder or a zipped one (`NAME.partdiff`).
    ///
    /// # Errors
    /// `Model`, naming the path, the field or file, and what was expected.
    pub fn open(path: &Path) -> Result<Self> {
        let named = |error: Error| error.context(path.display());
        let found = fs::metadata(path)
            .map_err(|error| Error::with_source(ErrorKind::Model, "cannot open model bundle", error))
            .map_err(named)?;
        if found.is_dir() {
            Self::read(|file| read_file(&path.join(file))).map_err(named)
        } else {
            let file = fs::File::open(path)
                .map_err(|error| Error::with_source(ErrorKind::Model, "cannot open model bundle", error))
                .map_err(named)?;
            let mut archive = zip::ZipArchive::new(file)
                .map_err(|error| {
                    Error::with_source(
                        ErrorKind::Model,
                        "not a model bundle: expected a folder or a .partdiff file (a ZIP archive)",
                        error,
                    )
                })
                .map_err(named)?;
            Self::read(|file| read_zipped(&mut archive, file)).map_err(named)
        }
    }

    /// Reads a zipped bundle from memory.
    pub fn from_zip(bytes: &[u8]) -> Result<Self> {
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes))
            .map_err(|error| Error::with_source(ErrorKind::Model, "not a zipped model bundle", error))?;
        Self::read(|file| read_zipped(&mut archive, file))
    }

    /// The names of the bundles inside this program.
    pub fn embedded_names() -> impl Iterator<Item = &'static str> {
        EMBEDDED.iter().map(|bundle| bundle.name)
    }

    /// A bundle inside this program; `None` where it holds none of that name.
    pub fn embedded(name: &str) -> Option<Result<Self>> {
        let bundle = EMBEDDED.iter().find(|bundle| bundle.name == name)?;
        Some(Self::read(|file| {
            let (_, bytes) =
                bundle.files.iter().find(|(known, _)| *known == file).ok_or_else(|| {
                    Error::new(ErrorKind::Model, format!("{file} is missing from the bundle"))
                })?;
            Ok(Cow::Borrowed(*bytes))
        }))
    }

    /// The embedded bundle of that name, else the bundle at that path.
    ///
    /// # Errors
    /// `Model`, listing the embedded names where neither exists.
    pub fn resolve(name_or_path: &str) -> Result<Self> {
        if let Some(bundle) = Self::embedded(name_or_path) {
            return bundle;
        }
        let path = Path::new(name_or_path);
        if !path.exists() {
            let names: Vec<_> = Self::embedded_names().collect();
            return Err(Error::new(
                ErrorKind::Model,
                format!(
                    "model {name_or_path:?} is neither a built-in model nor an existing path: expected one of {}, a \
                     bundle folder or a .partdiff file",
                    names.join(", ")
                ),
            ));
        }
        Self::open(path)
    }

    fn read(mut file: impl FnMut(&str) -> Result<Cow<'static, [u8]>>) -> Result<Self> {
        let json = file(MANIFEST_FILE)?;
        let manifest = Manifest::parse(&json)?;
        let mut load = |name: &str, expected: &str| -> Result<Cow<'static, [u8]>> {
            let bytes = file(name)?;
            let actual = sha256_hex(&bytes);
            if !actual.eq_ignore_ascii_case(expected) {
                return Err(Error::new(
                    ErrorKind::Model,
                    format!(
                        "{name} does not match its hash in {MANIFEST_FILE}: sha256 is {actual}, expected {expected}"
                    ),
                ));
            }
            Ok(bytes)
        };
        let encoder = manifest.encoder.as_ref().map(|entry| load(&entry.file, &entry.sha256)).transpose()?;
        let denoiser = load(&manifest.denoiser.file, &manifest.denoiser.sha256)?;
        let estimator =
            manifest.estimator.as_ref().map(|entry| load(&entry.file, &entry.sha256)).transpose()?;
        // The manifest holds the graphs' hashes, so its own hash identifies the bundle.
        let digest = sha256_hex(&json);
        Ok(Self { manifest, encoder, denoiser, estimator, digest })
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The encoder graph's bytes.
    pub fn encoder(&self) -> Option<&[u8]> {
        self.encoder.as_deref()
    }

    /// The denoiser graph's bytes.
    pub fn denoiser(&self) -> &[u8] {
        &self.denoiser
    }

    /// The damage estimator's bytes.
    pub fn estimator(&self) -> Option<&[u8]> {
        self.estimator.as_deref()
    }

    /// The size of all graphs in bytes.
    pub fn size(&self) -> usize {
        let optional = [self.encoder(), self.estimator()];
        self.denoiser.len() + optional.into_iter().flatten().map(<[u8]>::len).sum::<usize>()
    }

    /// SHA-256 of the manifest in hexadecimal, which identifies the bundle.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

fn too_large(file: &str, size: u64) -> Error {
    Error::new(ErrorKind::Model, format!("{file} has {size} bytes: expected at most {MAX_FILE_BYTES}"))
}

fn read_file(path: &Path) -> Result<Cow<'static, [u8]>> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let cannot = |error| Error::with_source(ErrorKind::Model, format!("cannot read {name}"), error);
    let size = fs::metadata(path).map_err(cannot)?.len();
    if size > MAX_FILE_BYTES {
        return Err(too_large(&name, size));
    }
    fs::read(path).map(Cow::Owned).map_err(cannot)
}

fn read_zipped<R: Read + std::io::Seek>(
    archive: &mut zip::ZipArchive<R>,
    file: &str,
) -> Result<Cow<'static, [u8]>> {
    let entry = archive
        .by_name(file)
        .map_err(|error| Error::with_source(ErrorKind::Model, format!("cannot read {file}"), error))?;
    if entry.size() > MAX_FILE_BYTES {
        return Err(too_large(file, entry.size()));
    }
    let mut bytes = Vec::new();
    // The declared size may lie.
    entry
        .take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Error::with_source(ErrorKind::Model, format!("cannot read {file}"), error))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(too_large(file, bytes.len() as u64));
    }
    Ok(Cow::Owned(bytes))
}
