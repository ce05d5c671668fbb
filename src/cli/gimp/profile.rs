//! GIMP's profile folders.

use std::env;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use directories::BaseDirs;

/// A generation of GIMP, by how plug-ins talk to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// 2.10.
    Two,
    /// 3.0 and later.
    Three,
}

impl Generation {
    /// The generation of a profile folder's name, which is a version such as `2.10` or `3.2`.
    fn of(version: &str) -> Option<Self> {
        let (major, minor) = version.split_once('.')?;
        match (major, minor.parse::<u32>().ok()?) {
            ("2", 10) => Some(Self::Two),
            ("3", _) => Some(Self::Three),
            _ => None,
        }
    }

    /// The plug-in program's name where it was built.
    pub fn program(self) -> String {
        let number = match self {
            Self::Two => 2,
            Self::Three => 3,
        };
        format!("partdiff-gimp{number}{}", env::consts::EXE_SUFFIX)
    }
}

/// A profile folder of GIMP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// What it is called to the user.
    pub name: String,
    /// Which plug-in it takes.
    pub generation: Generation,
    /// The folder.
    pub folder: PathBuf,
}

impl Profile {
    /// The folder of its plug-ins.
    pub fn plug_ins(&self) -> PathBuf {
        self.folder.join("plug-ins")
    }

    /// The folder of our plug-in in it.
    pub fn plug_in(&self) -> PathBuf {
        self.plug_ins().join(super::PLUG_IN)
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.folder.display())
    }
}

/// The profiles of this user: 2.10 and 3.x, Flatpak's too. The variables GIMP2_DIRECTORY and GIMP3_DIRECTORY name one
/// themselves, as they do to GIMP.
pub fn profiles() -> Vec<Profile> {
    let mut found = Vec::new();
    for (variable, generation) in
        [("GIMP2_DIRECTORY", Generation::Two), ("GIMP3_DIRECTORY", Generation::Three)]
    {
        if let Some(folder) = env::var_os(variable).filter(|folder| !folder.is_empty()) {
            found.push(Profile { name: format!("GIMP of {variable}"), generation, folder: folder.into() });
        }
    }
    if let Some(base) = BaseDirs::new() {
        found.extend(profiles_in(&base.config_dir().join("GIMP"), "GIMP"));
        let flatpak = base.home_dir().join(".var/app/org.gimp.GIMP/config/GIMP");
        found.extend(profiles_in(&flatpak, "GIMP in Flatpak"));
    }
    found
}

/// The profiles below `folder`, oldest version first.
fn profiles_in(folder: &Path, name: &str) -> Vec<Profile> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<Profile> = entries
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| {
            let version = entry.file_name().into_string().ok()?;
            let generation = Generation::of(&version)?;
            Some(Profile { name: format!("{name} {version}"), generation, folder: entry.path() })
        })
        .collect();
    found.sort_by(|one, other| one.folder.cmp(&other.folder));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_tell_the_generation() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["2.8", "2.10", "3.0", "3.2", "3.x", "2.99", "backup"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        fs::write(folder.path().join("3.1"), "a file").unwrap();
        let found: Vec<_> = profiles_in(folder.path(), "GIMP")
            .into_iter()
            .map(|profile| (profile.name, profile.generation))
            .collect();
        let expected = [
            ("GIMP 2.10", Generation::Two),
            ("GIMP 3.0", Generation::Three),
            ("GIMP 3.2", Generation::Three),
        ];
        assert_eq!(found, expected.map(|(name, generation)| (name.to_owned(), generation)));
        assert!(profiles_in(Path::new("/nowhere"), "GIMP").is_empty());
    }
}
