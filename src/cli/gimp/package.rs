//! The files that make up an installed plug-in.

use std::env;
use std::path::{Path, PathBuf};

use super::{Generation, PLUG_IN, Profile};
use crate::cli::plug_in::{self, BUILT_LIBRARY, Installed, LIBRARY, Package, RUNTIME, Removed, State};
use crate::error::Result;

/// The message catalogues, by language, as the build script has compiled them.
const CATALOGUES: [(&str, &[u8]); 2] = [
    ("de", include_bytes!(concat!(env!("OUT_DIR"), "/de.mo"))),
    ("fr", include_bytes!(concat!(env!("OUT_DIR"), "/fr.mo"))),
];

/// The plug-in for a generation of GIMP: the program, the library, and the catalogues.
fn files(package: &Package, generation: Generation) -> Result<Vec<Installed>> {
    let program = package.read(&[&generation.program()])?;
    let library = package.read(&[LIBRARY, BUILT_LIBRARY])?;
    let file = |path, bytes| Installed { path, bytes, program: false };
    let mut files = vec![
        Installed { path: program_name(), bytes: program, program: true },
        file(place(LIBRARY), library),
    ];
    files.extend(CATALOGUES.map(|(language, bytes)| file(catalogue_path(language), bytes.to_vec())));
    Ok(files)
}

/// Puts the plug-in into `profile`, each file whole or not at all. `runtime` is linked to.
///
/// # Errors
/// `Output` naming the file that is missing or cannot be written.
pub fn install(package: &Package, profile: &Profile, runtime: Option<&Path>) -> Result<()> {
    plug_in::install(&profile.plug_ins(), &files(package, profile.generation)?)?;
    runtime.map_or(Ok(()), |runtime| plug_in::link_runtime(runtime, &profile.plug_in()))
}

/// What `profile` has.
///
/// # Errors
/// As [`install`], where this program lacks the files to compare with.
pub fn state(package: &Package, profile: &Profile) -> Result<State> {
    plug_in::state(&profile.plug_ins(), &[program_name()], || files(package, profile.generation))
}

/// Takes our files out of `profile`; others in the plug-in's folder stay, and it with them.
///
/// # Errors
/// `Output` naming the file that cannot be removed.
pub fn uninstall(profile: &Profile) -> Result<Removed> {
    let mut ours = vec![program_name(), place(LIBRARY), place(RUNTIME)];
    ours.extend(CATALOGUES.map(|(language, _)| catalogue_path(language)));
    plug_in::remove(&profile.plug_ins(), Path::new(PLUG_IN), &ours)
}

/// Path of a file of the plug-in's own folder, from the folder of all plug-ins.
fn place(name: &str) -> PathBuf {
    Path::new(PLUG_IN).join(name)
}

fn program_name() -> PathBuf {
    place(&format!("{PLUG_IN}{}", env::consts::EXE_SUFFIX))
}

fn catalogue_path(language: &str) -> PathBuf {
    place("locale").join(language).join("LC_MESSAGES").join(format!("{PLUG_IN}.mo"))
}

#[cfg(test)]
mod tests {
    use std::fs;

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
        assert_eq!(state(&package, &profile).unwrap(), State::Absent);
        assert_eq!(uninstall(&profile).unwrap(), Removed::Nothing);
        for _ in 0..2 {
            install(&package, &profile, Some(Path::new("/nowhere/libonnxruntime.so"))).unwrap();
            assert_eq!(state(&package, &profile).unwrap(), State::Current);
        }
        let target = profile.plug_in();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(profile.plug_ins().join(program_name())).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o755);
        }
        fs::write(target.join(LIBRARY), "older").unwrap();
        assert_eq!(state(&package, &profile).unwrap(), State::Different);
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
        install(&package, &profile, None).unwrap();
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
        let error = install(&package, &profile, None).unwrap_err().to_string();
        assert!(error.starts_with(&Generation::Two.program()), "{error}");
        assert!(!profile.plug_in().exists());
    }
}
