//! The files that make up an installed plug-in.

use std::env;
use std::path::{Path, PathBuf};

use super::{Generation, PLUG_IN, Profile};
use crate::cli::plug_in::{self, BUILT_LIBRARY, Host, Installed, LIBRARY, Package, RUNTIME, Removed, State};
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
    let mut files = vec![
        Installed { path: program_name(), bytes: program, program: true },
        Installed::file(place(LIBRARY), library),
    ];
    files.extend(
        CATALOGUES.map(|(language, bytes)| Installed::file(catalogue_path(language), bytes.to_vec())),
    );
    Ok(files)
}

impl Host for Profile {
    const NAME: &'static str = "GIMP";
    const COMMAND: &'static str = "gimp";

    fn target(&self) -> PathBuf {
        self.plug_in()
    }

    fn install(&self, package: &Package, runtime: Option<&Path>) -> Result<()> {
        plug_in::install(&self.plug_ins(), &files(package, self.generation)?)?;
        runtime.map_or(Ok(()), |runtime| plug_in::link_runtime(runtime, &self.plug_in()))
    }

    fn state(&self, package: &Package) -> Result<State> {
        plug_in::state(&self.plug_ins(), &[program_name()], || files(package, self.generation))
    }

    fn uninstall(&self) -> Result<Removed> {
        let mut ours = vec![program_name(), place(LIBRARY), place(RUNTIME)];
        ours.extend(CATALOGUES.map(|(language, _)| catalogue_path(language)));
        plug_in::remove(&self.plug_ins(), Path::new(PLUG_IN), &ours)
    }
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
        assert_eq!(profile.state(&package).unwrap(), State::Absent);
        assert_eq!(profile.uninstall().unwrap(), Removed::Nothing);
        for _ in 0..2 {
            profile.install(&package, Some(Path::new("/nowhere/libonnxruntime.so"))).unwrap();
            assert_eq!(profile.state(&package).unwrap(), State::Current);
        }
        let target = profile.plug_in();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(profile.plug_ins().join(program_name())).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o755);
        }
        fs::write(target.join(LIBRARY), "older").unwrap();
        assert_eq!(profile.state(&package).unwrap(), State::Different);
        assert_eq!(profile.uninstall().unwrap(), Removed::All);
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
        profile.install(&package, None).unwrap();
        let mine = profile.plug_in().join("locale/notes.txt");
        fs::write(&mine, "mine").unwrap();
        assert_eq!(profile.uninstall().unwrap(), Removed::Others);
        assert_eq!(fs::read_dir(profile.plug_in()).unwrap().count(), 1);
        assert!(mine.exists());
    }

    #[test]
    fn a_missing_program_is_named_and_nothing_is_made() {
        let (built, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (package, profile) = (package(built.path()), profile(home.path(), Generation::Two));
        let error = profile.install(&package, None).unwrap_err().to_string();
        assert!(error.starts_with(&Generation::Two.program()), "{error}");
        assert!(!profile.plug_in().exists());
    }
}
