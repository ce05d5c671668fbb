//! The files that make up an installed plug-in.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Generation, PLUG_IN, Profile};
use crate::error::{Error, ErrorKind, Result};
use crate::fs::atomic_file;
use crate::fs::folder::{folder_of, make_folder};

/// The message catalogues, by language, as the build script has compiled them.
const CATALOGUES: [(&str, &[u8]); 2] = [
    ("de", include_bytes!(concat!(env!("OUT_DIR"), "/de.mo"))),
    ("fr", include_bytes!(concat!(env!("OUT_DIR"), "/fr.mo"))),
];

/// The library's name beside the plug-in, where that looks for it.
const LIBRARY: &str = if cfg!(windows) {
    "partdiff.dll"
} else if cfg!(target_os = "macos") {
    "libpartdiff.1.dylib"
} else {
    "libpartdiff.so.1"
};

/// The library's name where cargo has built it.
const BUILT_LIBRARY: &str = if cfg!(windows) {
    "partdiff_capi.dll"
} else if cfg!(target_os = "macos") {
    "libpartdiff_capi.dylib"
} else {
    "libpartdiff_capi.so"
};

/// Name of the link to ONNX Runtime beside the plug-in.
const RUNTIME: &str = if cfg!(target_os = "macos") { "libonnxruntime.dylib" } else { "libonnxruntime.so" };

/// What is installed: the programs and the library, as they lie with this program.
#[derive(Clone, Debug)]
pub struct Package {
    folders: Vec<PathBuf>,
}

/// What a profile has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No plug-in.
    Absent,
    /// What this program would install.
    Current,
    /// Files that differ, or some of them only.
    Different,
}

/// What an uninstallation did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// There was nothing.
    Nothing,
    /// Everything is gone.
    All,
    /// Files that are not ours stay in the folder.
    Others,
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

    /// Path in the plug-in's folder, contents, and whether it is a program.
    fn files(&self, generation: Generation) -> Result<Vec<(PathBuf, Vec<u8>, bool)>> {
        let program = self.find(&[&generation.program()])?;
        let library = self.find(&[LIBRARY, BUILT_LIBRARY])?;
        let read = |path: &Path| {
            fs::read(path).map_err(|error| {
                Error::with_source(ErrorKind::Output, format!("cannot read {}", path.display()), error)
            })
        };
        let mut files =
            vec![(program_name(), read(&program)?, true), (LIBRARY.into(), read(&library)?, false)];
        for (language, bytes) in CATALOGUES {
            files.push((catalogue_path(language), bytes.to_vec(), false));
        }
        Ok(files)
    }

    /// Puts the plug-in into `profile`, each file whole or not at all. `runtime` is linked to, for a GIMP in a
    /// sandbox that sees the user's files but not where programs look for theirs.
    ///
    /// # Errors
    /// `Output` naming the file that is missing or cannot be written.
    pub fn install(&self, profile: &Profile, runtime: Option<&Path>) -> Result<()> {
        let target = profile.plug_in();
        for (name, bytes, program) in self.files(profile.generation)? {
            let path = target.join(name);
            make_folder(folder_of(&path))?;
            atomic_file::write(&path, &bytes, true)?;
            if program {
                make_executable(&path)?;
            }
        }
        if let Some(runtime) = runtime {
            link(runtime, &target.join(RUNTIME))?;
        }
        Ok(())
    }

    /// What `profile` has.
    ///
    /// # Errors
    /// As [`install`](Self::install), where this program lacks the files to compare with.
    pub fn state(&self, profile: &Profile) -> Result<State> {
        let target = profile.plug_in();
        if !target.join(program_name()).exists() {
            return Ok(State::Absent);
        }
        let same = self
            .files(profile.generation)?
            .iter()
            .all(|(name, bytes, _)| fs::read(target.join(name)).is_ok_and(|found| found == *bytes));
        Ok(if same { State::Current } else { State::Different })
    }
}

/// Takes our files out of `profile`; others in the plug-in's folder stay, and it with them.
///
/// # Errors
/// `Output` naming the file that cannot be removed.
pub fn uninstall(profile: &Profile) -> Result<Removed> {
    let target = profile.plug_in();
    if !target.exists() {
        return Ok(Removed::Nothing);
    }
    let ours = [program_name(), LIBRARY.into(), RUNTIME.into()];
    let catalogues = CATALOGUES.map(|(language, _)| catalogue_path(language));
    for name in ours.iter().chain(&catalogues) {
        let path = target.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                let message = format!("cannot remove {}", path.display());
                return Err(Error::with_source(ErrorKind::Output, message, error));
            }
            _ => {}
        }
    }
    // Folders go only if nothing is left in them.
    for name in &catalogues {
        for folder in name.ancestors().skip(1).filter(|folder| *folder != Path::new("")) {
            let _ = fs::remove_dir(target.join(folder));
        }
    }
    Ok(if fs::remove_dir(&target).is_ok() { Removed::All } else { Removed::Others })
}

fn program_name() -> PathBuf {
    format!("{PLUG_IN}{}", env::consts::EXE_SUFFIX).into()
}

fn catalogue_path(language: &str) -> PathBuf {
    Path::new("locale").join(language).join("LC_MESSAGES").join(format!("{PLUG_IN}.mo"))
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

#[cfg(unix)]
fn link(to: &Path, path: &Path) -> Result<()> {
    let fail =
        |error| Error::with_source(ErrorKind::Output, format!("cannot link {}", path.display()), error);
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(fail(error)),
        _ => {}
    }
    std::os::unix::fs::symlink(to, path).map_err(fail)
}

#[cfg(not(unix))]
fn link(_: &Path, _: &Path) -> Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(folder: &Path) -> Package {
        for name in [&Generation::Three.program(), BUILT_LIBRARY] {
            fs::write(folder.join(name), name).unwrap();
        }
        Package::in_folder(folder)
    }

    fn profile(folder: &Path, generation: Generation) -> Profile {
        Profile { name: "GIMP".into(), generation, folder: folder.to_owned() }
    }

    #[test]
    fn what_is_installed_is_current_until_it_changes_and_goes_without_a_trace() {
        let (built, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (package, profile) = (package(built.path()), profile(home.path(), Generation::Three));
        assert_eq!(package.state(&profile).unwrap(), State::Absent);
        assert_eq!(uninstall(&profile).unwrap(), Removed::Nothing);
        for _ in 0..2 {
            package.install(&profile, Some(Path::new("/nowhere/libonnxruntime.so"))).unwrap();
            assert_eq!(package.state(&profile).unwrap(), State::Current);
        }
        let target = profile.plug_in();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(target.join(program_name())).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o755);
        }
        fs::write(target.join(LIBRARY), "older").unwrap();
        assert_eq!(package.state(&profile).unwrap(), State::Different);
        assert_eq!(uninstall(&profile).unwrap(), Removed::All);
        assert!(!target.exists());
    }

    #[test]
    fn catalogues_are_what_gettext_reads() {
        for (language, bytes) in CATALOGUES {
            assert_eq!(bytes[..4], 0x9504_12de_u32.to_ne_bytes(), "{language}");
            let text = String::from_utf8_lossy(bytes);
            assert!(
                text.contains("charset=UTF-8\n") && text.contains("\0Upscale with PartDiff\0"),
                "{language}"
            );
        }
    }

    #[test]
    fn files_of_others_stay() {
        let (built, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (package, profile) = (package(built.path()), profile(home.path(), Generation::Three));
        package.install(&profile, None).unwrap();
        let mine = profile.plug_in().join("locale/notes.txt");
        fs::write(&mine, "mine").unwrap();
        assert_eq!(uninstall(&profile).unwrap(), Removed::Others);
        assert_eq!(fs::read_dir(profile.plug_in()).unwrap().count(), 1);
        assert!(mine.exists());
    }

    #[test]
    fn a_missing_program_is_named_and_nothing_is_made() {
        let (built, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (package, profile) = (package(built.path()), profile(home.path(), Generation::Two));
        let error = package.install(&profile, None).unwrap_err().to_string();
        assert!(error.starts_with(&Generation::Two.program()), "{error}");
        assert!(!profile.plug_in().exists());
    }
}
