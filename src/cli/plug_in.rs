//! What the installers of plug-ins share: files beside this program, a folder that they fill, the link to ONNX Runtime.

use std::env;
use std::fmt::Display;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::cli::output::stdout::print;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::atomic_file;
use crate::fs::folder::{folder_of, make_folder};
use crate::runtime::{Device, find};

/// The library's name where cargo has built it.
pub const BUILT_LIBRARY: &str = if cfg!(windows) {
    "partdiff_capi.dll"
} else if cfg!(target_os = "macos") {
    "libpartdiff_capi.dylib"
} else {
    "libpartdiff_capi.so"
};

/// The library's name where it is installed.
pub const LIBRARY: &str = if cfg!(windows) {
    "partdiff.dll"
} else if cfg!(target_os = "macos") {
    "libpartdiff.1.dylib"
} else {
    "libpartdiff.so.1"
};

/// Name of the link to ONNX Runtime in a plug-in's folder.
pub const RUNTIME: &str =
    if cfg!(target_os = "macos") { "libonnxruntime.dylib" } else { "libonnxruntime.so" };

/// What plug-ins are made of, as it lies with this program.
#[derive(Clone, Debug)]
pub struct Package {
    folders: Vec<PathBuf>,
}

impl Package {
    /// The package beside the running program, or in `lib/partdiff` and `lib` of the same installation.
    ///
    /// # Errors
    /// `Output` where the system does not tell where the program lies.
    pub fn beside_program() -> Result<Self> {
        let program = env::current_exe().map_err(|error| {
            Error::with_source(ErrorKind::Output, "cannot find the folder of this program", error)
        })?;
        let folder = program.parent().unwrap_or(Path::new("")).to_owned();
        let lib = folder.join("../lib");
        Ok(Self { folders: vec![folder, lib.join("partdiff"), lib] })
    }

    /// The package in one folder.
    #[cfg(test)]
    pub fn in_folder(folder: &Path) -> Self {
        Self { folders: vec![folder.to_owned()] }
    }

    /// This package with a further folder, which is looked into last.
    pub fn and(mut self, folder: &Path) -> Self {
        self.folders.push(folder.to_owned());
        self
    }

    /// The file with one of `names`.
    ///
    /// # Errors
    /// `Output` naming the first where there is none.
    fn find(&self, names: &[&str]) -> Result<PathBuf> {
        let places = self.folders.iter().flat_map(|folder| names.iter().map(|name| folder.join(name)));
        places.into_iter().find(|path| path.is_file()).ok_or_else(|| {
            let message = format!(
                "{} is neither in {} nor in its ../lib: build everything with `cargo build --release` in a clone, \
                 or install a package that has the plug-ins",
                names[0],
                self.folders[0].display()
            );
            Error::new(ErrorKind::Output, message)
        })
    }

    /// The contents of the file with one of `names`.
    ///
    /// # Errors
    /// As [`find`](Self::find), and `Output` where it cannot be read.
    pub fn read(&self, names: &[&str]) -> Result<Vec<u8>> {
        let path = self.find(names)?;
        fs::read(&path).map_err(|error| {
            Error::with_source(ErrorKind::Output, format!("cannot read {}", path.display()), error)
        })
    }
}

/// A program of the user that takes a plug-in of ours.
pub trait Host: Display {
    /// What it is called.
    const NAME: &'static str;
    /// The subcommand that installs the plug-in.
    const COMMAND: &'static str;

    /// The folder that the plug-in is put into.
    fn target(&self) -> PathBuf;

    /// Puts the plug-in there, each file whole or not at all. `runtime` is linked to.
    ///
    /// # Errors
    /// `Output` naming the file that is missing or cannot be written.
    fn install(&self, package: &Package, runtime: Option<&Path>) -> Result<()>;

    /// What it has.
    ///
    /// # Errors
    /// As [`install`](Self::install), where this program lacks the files to compare with.
    fn state(&self, package: &Package) -> Result<State>;

    /// Takes our files out; others in the plug-in's folder stay, and it with them.
    ///
    /// # Errors
    /// `Output` naming the file that cannot be removed.
    fn uninstall(&self) -> Result<Removed>;
}

/// What a host gets, for messages.
const PLUG_IN: &str = "plug-in";

/// Installs the plug-in in all `hosts`, and says so.
///
/// # Errors
/// As [`Host::install`].
pub fn install_in<H: Host>(hosts: &[H]) -> Result<()> {
    let package = Package::beside_program()?;
    let runtime = find(None, Device::Auto);
    for host in hosts {
        host.install(&package, runtime.as_ref().ok().map(|library| library.path.as_path()))?;
        print(&format!("{host}: installed in {}\n", host.target().display()))?;
    }
    if let Err(error) = runtime {
        eprintln!("The plug-in will not run yet: {}", error.report());
    }
    eprintln!("Start {} anew; the entry is Image > Upscale with PartDiff….", H::NAME);
    Ok(())
}

/// Removes the plug-in from all `hosts`, and says so.
///
/// # Errors
/// As [`Host::uninstall`].
pub fn uninstall_from<H: Host>(hosts: &[H]) -> Result<()> {
    hosts.iter().try_for_each(|host| print(&format!("{host}: {}\n", host.uninstall()?.text(PLUG_IN))))
}

/// Says what all `hosts` have.
///
/// # Errors
/// As [`Host::state`].
pub fn tell_states<H: Host>(hosts: &[H]) -> Result<()> {
    let package = Package::beside_program()?;
    hosts
        .iter()
        .try_for_each(|host| print(&format!("{host}: {}\n", host.state(&package)?.text(PLUG_IN, H::COMMAND))))
}

/// A file of an installed plug-in.
#[derive(Debug)]
pub struct Installed {
    /// Path in the folder that the plug-in fills.
    pub path: PathBuf,
    /// Contents.
    pub bytes: Vec<u8>,
    /// Whether it is to be run.
    pub program: bool,
}

impl Installed {
    /// A file that is not to be run.
    pub fn file(path: impl Into<PathBuf>, bytes: Vec<u8>) -> Self {
        Self { path: path.into(), bytes, program: false }
    }
}

/// What a folder has of a plug-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing.
    Absent,
    /// What this program would install.
    Current,
    /// Files that differ, or some of them only.
    Different,
}

impl State {
    /// It in words, of `what` that `command` installs.
    pub fn text(self, what: &str, command: &str) -> String {
        match self {
            Self::Absent => format!("no {what} yet: `partdiff {command} install`"),
            Self::Current => format!("has this version of the {what}"),
            Self::Different => {
                format!("has another version of the {what}: `partdiff {command} install` replaces it")
            }
        }
    }
}

/// What an uninstallation did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// There was nothing.
    Nothing,
    /// Everything is gone.
    All,
    /// Files that are not ours stay where ours were.
    Others,
}

impl Removed {
    /// It in words; `what` was to be removed.
    pub fn text(self, what: &str) -> String {
        match self {
            Self::Nothing => format!("had no {what}"),
            Self::All => "removed".to_owned(),
            Self::Others => "removed, except for files that are not ours".to_owned(),
        }
    }
}

/// Writes `files` into `folder`, each whole or not at all.
///
/// # Errors
/// `Output` naming the file that cannot be written.
pub fn install(folder: &Path, files: &[Installed]) -> Result<()> {
    for Installed { path, bytes, program } in files {
        let path = folder.join(path);
        make_folder(folder_of(&path))?;
        atomic_file::write(&path, bytes, true)?;
        if *program {
            make_executable(&path)?;
        }
    }
    Ok(())
}

/// What `folder` has of `files`, which go to `paths`.
///
/// # Errors
/// Those of `files`.
pub fn state(
    folder: &Path,
    paths: &[PathBuf],
    files: impl FnOnce() -> Result<Vec<Installed>>,
) -> Result<State> {
    if !paths.iter().any(|path| folder.join(path).exists()) {
        return Ok(State::Absent);
    }
    let same =
        files()?.iter().all(|file| fs::read(folder.join(&file.path)).is_ok_and(|found| found == file.bytes));
    Ok(if same { State::Current } else { State::Different })
}

/// Removes the files at `paths` from `folder`, what Python has compiled of them, and the folders above them in it that
/// are then empty. `own` is the file or folder in it that only ours should be in.
///
/// # Errors
/// `Output` naming the file that cannot be removed.
pub fn remove(folder: &Path, own: &Path, paths: &[PathBuf]) -> Result<Removed> {
    let mut removed = Removed::Nothing;
    for path in paths.iter().flat_map(|path| with_compiled(&folder.join(path))) {
        let was_there = remove_file(&path).map_err(|error| {
            Error::with_source(ErrorKind::Output, format!("cannot remove {}", path.display()), error)
        })?;
        if was_there {
            removed = Removed::All;
        }
    }
    for path in paths {
        for above in path.ancestors().skip(1).filter(|above| *above != Path::new("")) {
            let _ = fs::remove_dir(folder.join(above));
        }
    }
    Ok(if removed == Removed::All && folder.join(own).exists() { Removed::Others } else { removed })
}

/// Removes the file at `path`; returns whether it was there.
fn remove_file(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        result => result.map(|()| true),
    }
}

/// `path`, and of a Python module what lies beside it in `__pycache__`, called `module.version.pyc`.
fn with_compiled(path: &Path) -> Vec<PathBuf> {
    let mut all = vec![path.to_owned()];
    if path.extension().is_some_and(|extension| extension == "py")
        && let (Some(folder), Some(stem)) = (path.parent(), path.file_stem())
    {
        let cache = folder.join("__pycache__");
        let start = format!("{}.", stem.display());
        let compiled = fs::read_dir(&cache).into_iter().flatten().flatten();
        all.extend(
            compiled
                .filter(|entry| entry.file_name().to_string_lossy().starts_with(&start))
                .map(|entry| entry.path()),
        );
    }
    all
}

/// Links to ONNX Runtime from `folder`, for a host in a sandbox that sees the user's files but not where programs look
/// for theirs.
///
/// # Errors
/// `Output` naming the link that cannot be made.
#[cfg(unix)]
pub fn link_runtime(runtime: &Path, folder: &Path) -> Result<()> {
    let path = folder.join(RUNTIME);
    let fail =
        |error| Error::with_source(ErrorKind::Output, format!("cannot link {}", path.display()), error);
    remove_file(&path).map_err(fail)?;
    std::os::unix::fs::symlink(runtime, &path).map_err(fail)
}

/// Links need rights that users of this system do not have.
#[cfg(not(unix))]
pub fn link_runtime(_: &Path, _: &Path) -> Result<()> {
    Ok(())
}

#[cfg(unix)]
fn make_executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).map_err(|error| {
        Error::with_source(ErrorKind::Output, format!("cannot make {} executable", path.display()), error)
    })
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> Result<()> {
    Ok(())
}
