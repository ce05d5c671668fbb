//! Where Krita keeps what belongs to the user.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use directories::BaseDirs;

use super::PLUG_IN;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::atomic_file;
use crate::fs::folder::{folder_of, make_folder};

/// A Krita of this user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    /// What it is called to the user.
    pub name: &'static str,
    /// The folder of its resources.
    pub resources: PathBuf,
    /// Its settings, in a file of groups and keys.
    pub settings: PathBuf,
}

impl Installation {
    /// Has Krita load the plug-in when it starts next, unless the user has said otherwise; returns whether it will.
    ///
    /// # Errors
    /// `Output` naming the settings that cannot be read or written.
    pub fn enable(&self) -> Result<bool> {
        let text = match fs::read_to_string(&self.settings) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                let message = format!("cannot read {}", self.settings.display());
                return Err(Error::with_source(ErrorKind::Output, message, error));
            }
            text => text.unwrap_or_default(),
        };
        let Some(text) = enabled(&text) else {
            let off = format!("{}=false", key());
            return Ok(!text.lines().any(|line| line.replace(' ', "") == off));
        };
        make_folder(folder_of(&self.settings))?;
        atomic_file::write(&self.settings, text.as_bytes(), true)?;
        Ok(true)
    }
}

/// The setting that says whether the plug-in is loaded.
fn key() -> String {
    format!("enable_{PLUG_IN}")
}

/// `settings` with the plug-in switched on; None where they speak of it.
fn enabled(settings: &str) -> Option<String> {
    const GROUP: &str = "[python]";
    let key = key();
    let mut lines: Vec<_> = settings.lines().map(str::to_owned).collect();
    if lines.iter().any(|line| line.split('=').next().is_some_and(|name| name.trim() == key)) {
        return None;
    }
    let line = format!("{key}=true");
    match lines.iter().position(|line| line.trim() == GROUP) {
        Some(at) => lines.insert(at + 1, line),
        None => lines.extend([GROUP.to_owned(), line]),
    }
    Some(lines.join("\n") + "\n")
}

impl fmt::Display for Installation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.resources.display())
    }
}

/// The Kritas of this user: the system's and Flatpak's, if they have been started once.
pub fn installations() -> Vec<Installation> {
    let Some(base) = BaseDirs::new() else { return Vec::new() };
    let settings = if cfg!(windows) { base.data_local_dir() } else { base.preference_dir() };
    let flatpak = base.home_dir().join(".var/app/org.kde.krita");
    let of = |name, data: &Path, settings: &Path| Installation {
        name,
        resources: data.join("krita"),
        settings: settings.join("kritarc"),
    };
    let mut found = vec![
        of("Krita", base.data_dir(), settings),
        of("Krita in Flatpak", &flatpak.join("data"), &flatpak.join("config")),
    ];
    found.retain(|installation| installation.resources.is_dir());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plug_in_is_switched_on_once_and_never_against_the_user() {
        let on = "[python]\nenable_partdiff_krita=true\n";
        assert_eq!(enabled("").unwrap(), on);
        assert_eq!(enabled("[a]\nb=c").unwrap(), format!("[a]\nb=c\n{on}"));
        let among = enabled("[python]\nenable_other=true\n\n[z]\ny=1\n").unwrap();
        assert_eq!(among, "[python]\nenable_partdiff_krita=true\nenable_other=true\n\n[z]\ny=1\n");
        for said in [on, "[python]\nenable_partdiff_krita=false\n"] {
            assert_eq!(enabled(said), None);
        }
    }
}
