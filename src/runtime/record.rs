//! Where installed libraries lie and what was written about them.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::plugin::PlugIn;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::hash::hex;

/// Name of the record in an installation folder.
pub(crate) const RECORD_FILE: &str = "install.json";

/// Which set of libraries an installation holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Flavour {
    /// ONNX Runtime for the processor.
    Cpu,
    /// ONNX Runtime with the CUDA provider, and NVIDIA's libraries.
    Cuda,
    /// The plug-in with Intel's OpenVINO.
    OpenVino,
    /// The plug-in for WebGPU.
    WebGpu,
}

impl Flavour {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Cpu, Self::Cuda, Self::OpenVino, Self::WebGpu];

    /// The pinned version: of ONNX Runtime, or of the plug-in.
    pub fn version(self) -> &'static str {
        match self {
            Self::Cpu => "1.32.0",
            Self::Cuda => "1.31.1",
            Self::OpenVino => "1.8.1",
            Self::WebGpu => "0.4.0",
        }
    }

    /// The plug-in, for those that add one to an ONNX Runtime which is there.
    pub fn plugin(self) -> Option<PlugIn> {
        match self {
            Self::Cpu | Self::Cuda => None,
            Self::OpenVino => Some(PlugIn::OpenVino),
            Self::WebGpu => Some(PlugIn::WebGpu),
        }
    }

    /// The installation's folder below a runtime folder.
    pub fn folder_name(self) -> String {
        match self.plugin() {
            None => format!("onnxruntime-{}-{self}", self.version()),
            Some(_) => format!("{self}-plugin-{}", self.version()),
        }
    }
}

impl std::fmt::Display for Flavour {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::OpenVino => "openvino",
            Self::WebGpu => "webgpu",
        })
    }
}

/// One installed file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRecord {
    /// Name in the installation folder.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Hash, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// Modification time as nanoseconds since 1970, taken right after the file was verified.
    pub modified: u64,
}

/// What an installation consists of; `install.json` in its folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstallRecord {
    /// Layout of this record: 1.
    pub format: u32,
    /// Version of ONNX Runtime, or of the plug-in.
    pub version: String,
    /// What was installed.
    pub flavour: Flavour,
    /// Name of ONNX Runtime's or the plug-in's library among `files`.
    pub library: String,
    /// All files but the record itself.
    pub files: Vec<FileRecord>,
}

impl InstallRecord {
    /// Reads the record of an installation; `None` where `folder` has none.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(RECORD_FILE);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(&path, error)),
        };
        let record: Self = serde_json::from_slice(&text).map_err(|error| unreadable(&path, error))?;
        if record.format != 1 {
            return Err(unreadable(&path, format!("its format is {}, expected 1", record.format)));
        }
        if let Some(file) = record.files.iter().find(|file| !is_plain_name(&file.name)) {
            return Err(unreadable(
                &path,
                format!("it names {:?}, which is not a plain file name", file.name),
            ));
        }
        Ok(Some(record))
    }

    /// Checks every file of the installation against the record: `Err` says which one differs and how.
    ///
    /// Sizes always; hashes where `thorough`, or where a file was touched since it was verified.
    pub fn verify(&self, folder: &Path, thorough: bool) -> Result<(), String> {
        self.files.iter().try_for_each(|file| verify_file(folder, file, thorough))
    }

    /// Bytes of all files.
    pub fn total_size(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }
}

fn unreadable(path: &Path, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::with_source(
        ErrorKind::Runtime,
        format!("{}: the installation record cannot be read", path.display()),
        cause,
    )
}

/// Whether `name` stays inside the folder it is joined to.
pub(crate) fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\\', ':', '\0'])
}

fn verify_file(folder: &Path, file: &FileRecord, thorough: bool) -> Result<(), String> {
    let path = folder.join(&file.name);
    let size = std::fs::metadata(&path).map_err(|error| format!("{}: {error}", file.name))?.len();
    if size != file.size {
        return Err(format!("{} has {size} bytes, {} were installed", file.name, file.size));
    }
    // Hashing everything at each start would cost up to half a second; a touched file is hashed again.
    if !thorough && modified(&path) == Some(file.modified) {
        return Ok(());
    }
    let actual = sha256(&path).map_err(|error| format!("{}: {error}", file.name))?;
    if actual != file.sha256 {
        return Err(format!(
            "{} was changed: its SHA-256 is {actual}, installed was {}",
            file.name, file.sha256
        ));
    }
    Ok(())
}

/// Modification time in nanoseconds since 1970; `None` where the file system has none.
pub(crate) fn modified(path: &Path) -> Option<u64> {
    let time: SystemTime = std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok()?;
    u64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_nanos()).ok()
}

/// SHA-256 of a file as lower-case hexadecimal digits.
pub(crate) fn sha256(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(&buffer[..read]);
    }
}

/// The folder that holds installations: `runtime/` in `PARTDIFF_DATA_DIR`, or in the user's data folder.
///
/// `None` where the user has no home folder.
pub fn runtime_folder() -> Option<PathBuf> {
    let data = match std::env::var_os("PARTDIFF_DATA_DIR") {
        Some(folder) if !folder.is_empty() => std::path::absolute(folder).ok()?,
        _ => directories::ProjectDirs::from("", "", "partdiff")?.data_dir().to_owned(),
    };
    Some(data.join("runtime"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installation(folder: &Path) -> InstallRecord {
        std::fs::write(folder.join("lib.so"), b"abc").unwrap();
        InstallRecord {
            format: 1,
            version: "1.32.0".to_owned(),
            flavour: Flavour::Cpu,
            library: "lib.so".to_owned(),
            files: vec![FileRecord {
                name: "lib.so".to_owned(),
                size: 3,
                // The well-known digest of "abc".
                sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned(),
                modified: modified(&folder.join("lib.so")).unwrap(),
            }],
        }
    }

    #[test]
    fn verification_finds_size_and_content_changes() {
        let folder = tempfile::tempdir().unwrap();
        let mut record = installation(folder.path());
        record.verify(folder.path(), true).unwrap();
        std::fs::write(folder.path().join("lib.so"), b"ab").unwrap();
        assert_eq!(record.verify(folder.path(), false).unwrap_err(), "lib.so has 2 bytes, 3 were installed");
        std::fs::write(folder.path().join("lib.so"), b"abd").unwrap();
        // As if the file had been written long after.
        record.files[0].modified = 1;
        assert!(record.verify(folder.path(), false).unwrap_err().starts_with("lib.so was changed"));
        std::fs::remove_file(folder.path().join("lib.so")).unwrap();
        assert!(record.verify(folder.path(), false).unwrap_err().starts_with("lib.so: "));
    }

    #[test]
    fn records_round_trip_and_refuse_paths() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(InstallRecord::read(folder.path()).unwrap(), None);
        let mut record = installation(folder.path());
        let write = |record: &InstallRecord| {
            std::fs::write(folder.path().join(RECORD_FILE), serde_json::to_vec(record).unwrap()).unwrap();
        };
        write(&record);
        assert_eq!(InstallRecord::read(folder.path()).unwrap(), Some(record.clone()));
        record.files[0].name = "../lib.so".to_owned();
        write(&record);
        let error = InstallRecord::read(folder.path()).unwrap_err();
        assert!(error.report().contains("not a plain file name"), "{}", error.report());
        std::fs::write(folder.path().join(RECORD_FILE), b"{").unwrap();
        assert!(InstallRecord::read(folder.path()).unwrap_err().to_string().contains("cannot be read"));
    }
}
