//! Installation of ONNX Runtime's libraries below the user's data folder, whole or not at all.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use super::fetch::{Clients, Package};
use super::nvidia;
use super::places::is_library_name;
use super::record::{FileRecord, Flavour, InstallRecord, RECORD_FILE, runtime_folder};
use super::wheel::Wheel;
use crate::error::{Error, ErrorKind, Result};

/// What an installation is going to download, and where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstallPlan {
    /// What is installed.
    pub flavour: Flavour,
    /// The folder that holds it afterwards.
    pub folder: PathBuf,
    /// The wheels to download, one after the other.
    pub packages: &'static [Package],
    /// Why an installation that is there has to be replaced.
    pub replaces: Option<String>,
}

impl InstallPlan {
    /// About how many megabytes are downloaded in all.
    pub fn megabytes(&self) -> u32 {
        self.packages.iter().map(|package| package.megabytes).sum()
    }
}

/// How an installation went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Installed {
    /// It was there, whole; nothing was downloaded.
    AlreadyThere(PathBuf),
    /// It is there now. The path is the library's, as for the other.
    Fresh(PathBuf),
}

/// Follows an installation.
pub trait InstallObserver {
    /// Shows the plan before anything is downloaded; `false` calls it off.
    fn confirm(&mut self, plan: &InstallPlan) -> bool;
    /// A wheel is going to be downloaded.
    fn fetching(&mut self, package: &Package);
}

/// The wheels of a flavour. NVIDIA's are of the CUDA release that the provider was built for.
fn packages(flavour: Flavour) -> &'static [Package] {
    const CPU: [Package; 1] = [Package { name: "onnxruntime", version: "1.32.0", megabytes: 28 }];
    const CUDA: [Package; 5] = [
        Package { name: "onnxruntime-gpu", version: "1.31.1", megabytes: 256 },
        Package { name: "nvidia-cuda-runtime", version: "13.5.37", megabytes: 3 },
        Package { name: "nvidia-cublas", version: "13.4.3.11", megabytes: 405 },
        Package { name: "nvidia-curand", version: "10.4.5.25", megabytes: 77 },
        Package { name: "nvidia-cudnn-cu13", version: "9.26.1.1", megabytes: 519 },
    ];
    match flavour {
        Flavour::Cpu => &CPU,
        Flavour::Cuda => &CUDA,
    }
}

/// Installs `flavour` below [`runtime_folder`], unless it is there and intact (every hash is compared).
///
/// Everything is downloaded and verified in a temporary folder beside the final one, which then takes its name:
/// a broken-off installation leaves nothing that would be used.
///
/// # Errors
/// `ErrorKind::Runtime` if it cannot be downloaded, verified or written; `ErrorKind::Cancelled` if called off.
pub fn install(flavour: Flavour, observer: &mut dyn InstallObserver) -> Result<Installed> {
    let root = runtime_folder().ok_or_else(|| {
        let message = "there is no home folder to install into; name a folder with PARTDIFF_DATA_DIR";
        Error::new(ErrorKind::Runtime, message)
    })?;
    install_below(&root, flavour, packages(flavour), &Clients::of_user(), observer)
}

fn install_below(
    root: &Path,
    flavour: Flavour,
    packages: &'static [Package],
    clients: &Clients,
    observer: &mut dyn InstallObserver,
) -> Result<Installed> {
    let folder = root.join(flavour.folder_name());
    let replaces = match intact(&folder) {
        Some(Ok(library)) => return Ok(Installed::AlreadyThere(library)),
        Some(Err(reason)) => Some(reason),
        None => None,
    };
    let plan = InstallPlan { flavour, folder, packages, replaces };
    if !observer.confirm(&plan) {
        return Err(Error::cancelled());
    }
    let unwritable = |error| {
        Error::with_source(ErrorKind::Runtime, format!("{}: cannot be written", root.display()), error)
    };
    std::fs::create_dir_all(root).map_err(unwritable)?;
    remove_leftovers(root);
    let work = tempfile::Builder::new().prefix(WORK_PREFIX).tempdir_in(root).map_err(unwritable)?;
    let set = work.path().join("set");
    std::fs::create_dir(&set).map_err(unwritable)?;
    let mut files = Vec::new();
    for package in packages {
        observer.fetching(package);
        let path = clients.fetch(package, work.path())?;
        files.extend(take_libraries(&path, &set)?);
        // The largest wheels are half a gigabyte each.
        let _ = std::fs::remove_file(path);
    }
    let library = write_record(&set, flavour, files)?;
    put_in_place(&work, &set, &plan.folder)?;
    Ok(Installed::Fresh(plan.folder.join(library)))
}

/// The library of the installation in `folder`, or what is wrong with it; `None` where there is none.
pub(super) fn intact(folder: &Path) -> Option<Result<PathBuf, String>> {
    if !folder.is_dir() {
        return None;
    }
    Some(match InstallRecord::read(folder) {
        Ok(Some(record)) => record.verify(folder, true).map(|()| folder.join(record.library)),
        Ok(None) => Err(format!("{RECORD_FILE} is missing")),
        Err(error) => Err(error.report()),
    })
}

/// Extracts what is needed of a wheel: ONNX Runtime's own libraries, and NVIDIA's that it uses.
fn take_libraries(path: &Path, folder: &Path) -> Result<Vec<FileRecord>> {
    let mut wheel = Wheel::open(path)?;
    let wanted = |name: &&str| {
        let short = name.rsplit('/').next().unwrap_or(name);
        let own = name.starts_with("onnxruntime/capi/")
            && if cfg!(windows) {
                short.starts_with("onnxruntime") && short.ends_with(".dll")
            } else {
                short.starts_with("libonnxruntime") && (short.contains(".so") || short.ends_with(".dylib"))
            };
        own || (name.starts_with("nvidia/") && nvidia::LIBRARIES.contains(&short))
    };
    let mut names: Vec<String> = wheel.names().filter(wanted).map(str::to_owned).collect();
    names.sort();
    if names.is_empty() {
        return Err(Error::new(
            ErrorKind::Runtime,
            format!("{}: holds no library to install", path.display()),
        ));
    }
    names.iter().map(|name| wheel.extract(name, folder)).collect()
}

/// Writes `install.json` and returns the main library's name.
fn write_record(folder: &Path, flavour: Flavour, files: Vec<FileRecord>) -> Result<String> {
    let library =
        files.iter().map(|file| &file.name).find(|name| is_library_name(name)).cloned().ok_or_else(|| {
            Error::new(ErrorKind::Runtime, "the downloaded wheels hold no ONNX Runtime library")
        })?;
    let record = InstallRecord {
        format: 1,
        version: flavour.version().to_owned(),
        flavour,
        library: library.clone(),
        files,
    };
    let path = folder.join(RECORD_FILE);
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&path)?;
        serde_json::to_writer_pretty(&mut file, &record)?;
        file.sync_all()
    };
    write().map_err(|error| {
        Error::with_source(ErrorKind::Runtime, format!("{}: cannot be written", path.display()), error)
    })?;
    Ok(library)
}

/// Gives the finished set its name; what bore it before goes with the work folder.
fn put_in_place(work: &TempDir, set: &Path, folder: &Path) -> Result<()> {
    let rename = || {
        if folder.exists() {
            std::fs::rename(folder, work.path().join("old"))?;
        }
        std::fs::rename(set, folder)
    };
    rename().or_else(|error| match intact(folder) {
        // Another process was quicker.
        Some(Ok(_)) => Ok(()),
        _ => Err(Error::with_source(
            ErrorKind::Runtime,
            format!("{}: cannot be put in place", folder.display()),
            error,
        )),
    })
}

const WORK_PREFIX: &str = ".installing-";

/// Removes work folders of installations that were killed; one that is younger than an hour may still be at work.
fn remove_leftovers(root: &Path) {
    for entry in std::fs::read_dir(root).into_iter().flatten().flatten() {
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(WORK_PREFIX));
        let age = entry.metadata().and_then(|data| data.modified()).ok();
        let age = age.and_then(|time| SystemTime::now().duration_since(time).ok());
        if ours && age.is_some_and(|age| age > Duration::from_secs(3600)) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// An installation found below the runtime folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    /// What it is.
    pub flavour: Flavour,
    /// Its folder.
    pub folder: PathBuf,
    /// Its library and size in bytes, or what is wrong with it.
    pub state: Result<(PathBuf, u64), String>,
}

/// The installations that are there, each compared in full with its record.
pub fn installations() -> Vec<Installation> {
    let Some(root) = runtime_folder() else { return Vec::new() };
    let look = |flavour: Flavour| {
        let folder = root.join(flavour.folder_name());
        let state = intact(&folder)?.map(|library| {
            let size = InstallRecord::read(&folder).ok().flatten().map_or(0, |record| record.total_size());
            (library, size)
        });
        Some(Installation { flavour, folder, state })
    };
    Flavour::ALL.into_iter().filter_map(look).collect()
}

#[cfg(test)]
#[path = "install_tests.rs"]
mod tests;
