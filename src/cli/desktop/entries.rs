//! The files that make the entries "Upscale with PartDiff".

use std::path::{Path, PathBuf};

use crate::cli::plug_in::Installed;
use crate::error::{Error, ErrorKind, Result};

/// Where each goes below `share`, its text, and whether it must be executable: outside of system folders Dolphin wants
/// that.
const ENTRIES: [(&str, &str, bool); 4] = [
    ("applications/partdiff-upscale.desktop", include_str!("open_with.desktop"), false),
    ("kio/servicemenus/partdiff-upscale.desktop", include_str!("dolphin.desktop"), true),
    ("Thunar/sendto/partdiff-upscale.desktop", include_str!("thunar.desktop"), false),
    ("nautilus-python/extensions/partdiff_upscale.py", include_str!("nautilus.py"), false),
];

/// Where the entries go, below `share`.
pub fn paths() -> Vec<PathBuf> {
    ENTRIES.map(|(path, ..)| path.into()).into()
}

/// The entries, which run `program`.
///
/// # Errors
/// `Output` where the entries could not name it.
pub fn entries(program: &Path) -> Result<Vec<Installed>> {
    let name = program.to_str().filter(|name| !name.contains(['"', '`', '$', '\\', '%', '\n']));
    let name = name.ok_or_else(|| {
        let message = format!(
            "entries of file managers cannot name {}: move the program to a path without quotes, $, % and backslashes",
            program.display()
        );
        Error::new(ErrorKind::Output, message)
    })?;
    let entry = |(path, text, program): (&str, &str, bool)| Installed {
        path: path.into(),
        bytes: text.replace("@PARTDIFF@", name).into_bytes(),
        program,
    };
    Ok(ENTRIES.map(entry).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_runs_the_program_that_it_is_given() {
        for entry in entries(Path::new("/opt/with space/partdiff")).unwrap() {
            let text = String::from_utf8(entry.bytes).unwrap();
            assert!(text.contains("\"/opt/with space/partdiff\""), "{}", entry.path.display());
            assert!(!text.contains('@'), "{}", entry.path.display());
        }
    }

    #[test]
    fn a_path_that_would_mean_something_else_is_refused() {
        for path in ["/opt/a\"b", "/opt/$HOME", "/opt/100%f", "/opt/`x`"] {
            assert!(entries(Path::new(path)).unwrap_err().to_string().contains(path));
        }
    }
}
