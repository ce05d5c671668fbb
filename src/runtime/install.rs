//! Installation of ONNX Runtime's libraries below the user's data folder, whole or not at all.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use super::fetch::Clients;
use super::nvidia;
use super::packages::{Package, packages};
use super::places::is_library_name;
use super::plugin::PlugIn;
use super::record::{FileRecord, Flavour, InstallRecord, RECORD_FILE, modified, runtime_folder, sha256};
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

/// Installs `flavour` below [`runtime_folder`], unless it is there and intact (every hash is compared).
///
/// pip downloads everything, compares it with the pinned hashes and unpacks it in a temporary folder beside the final one,
/// which then takes its name: an interrupted installation leaves nothing that would be used.
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
    // Known before anything is downloaded.
    packages.iter().try_for_each(|package| package.requirement().map(drop))?;
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
        files.extend(take_libraries(&clients.fetch(package, work.path())?, &set)?);
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

/// Moves what is needed of an unpacked wheel to `set`: ONNX Runtime's own libraries and NVIDIA's that it uses, or all
/// that comes with a plug-in but its Python files.
fn take_libraries(unpacked: &Path, set: &Path) -> Result<Vec<FileRecord>> {
    let own = |name: &str| {
        if cfg!(windows) {
            name.starts_with("onnxruntime") && name.ends_with(".dll")
        } else {
            name.starts_with("libonnxruntime") && (name.contains(".so") || name.ends_with(".dylib"))
        }
    };
    let mut files = Vec::new();
    let plugins = PlugIn::ALL.map(|plugin| unpacked.join(plugin.package()));
    for folder in nvidia::package_folders(unpacked).chain(plugins.clone()) {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let wanted = if plugins.contains(&folder) {
                !name.ends_with(".py")
            } else {
                own(&name) || nvidia::LIBRARIES.contains(&name.as_str())
            };
            if wanted && entry.file_type().is_ok_and(|kind| kind.is_file()) {
                files.push(take_file(&entry.path(), set, name)?);
            }
        }
    }
    if files.is_empty() {
        let message = format!("{}: holds no library to install", unpacked.display());
        return Err(Error::new(ErrorKind::Runtime, message));
    }
    files.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(files)
}

fn take_file(from: &Path, set: &Path, name: String) -> Result<FileRecord> {
    let path = set.join(&name);
    let take = || -> std::io::Result<FileRecord> {
        std::fs::rename(from, &path)?;
        let file = File::open(&path)?;
        file.sync_all()?;
        let (size, sha256) = (file.metadata()?.len(), sha256(&path)?);
        Ok(FileRecord { name, size, sha256, modified: modified(&path).unwrap_or(0) })
    };
    take().map_err(|error| {
        Error::with_source(ErrorKind::Runtime, format!("{}: cannot be written", path.display()), error)
    })
}

/// Writes `install.json` and returns the main library's name.
fn write_record(folder: &Path, flavour: Flavour, files: Vec<FileRecord>) -> Result<String> {
    let is_main = |name: &str| match flavour.plugin() {
        Some(plugin) => name == plugin.file_name(),
        None => is_library_name(name),
    };
    let library =
        files.iter().map(|file| &file.name).find(|name| is_main(name)).cloned().ok_or_else(|| {
            Error::new(
                ErrorKind::Runtime,
                "the downloaded wheels hold no library of ONNX Runtime or of a plug-in",
            )
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
