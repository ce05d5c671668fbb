//! The files that make up the installed plug-in.

use std::path::{Path, PathBuf};

use super::{Installation, PLUG_IN};
use crate::cli::plug_in::{self, BUILT_LIBRARY, Host, Installed, LIBRARY, Package, RUNTIME, Removed, State};
use crate::error::Result;

/// Where a clone has the plug-in.
const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/plugin-api/hosts");

/// Files of the plug-in's folder, of which Krita reads the first itself.
const FILES: [&str; 9] = [
    "../partdiff_krita.desktop",
    "__init__.py",
    "action.py",
    "dialog.py",
    "engine.py",
    "manual.html",
    "pixels.py",
    "settings.py",
    "upscale.py",
];

/// Modules of the Python package that the plug-in has a copy of, and the file that makes them a package.
const SHARED: [&str; 5] = ["__init__.py", "_abi.py", "_command.py", "_run.py", "errors.py"];

/// What Python calls the library.
const MODULE_LIBRARY: &str = if cfg!(windows) {
    "partdiff.dll"
} else if cfg!(target_os = "macos") {
    "libpartdiff.dylib"
} else {
    "libpartdiff.so"
};

/// Path of a file in the folder of Krita's plug-ins; `..` leads out of the plug-in's own.
fn place(name: &str) -> PathBuf {
    match name.strip_prefix("../") {
        Some(name) => name.into(),
        None => Path::new(PLUG_IN).join(name),
    }
}

fn shared_place(name: &str) -> PathBuf {
    Path::new(PLUG_IN).join("partdiff").join(name)
}

/// The plug-in: its own files, the shared modules, and the library beside those.
fn files(package: &Package) -> Result<Vec<Installed>> {
    let package = package.clone().and(Path::new(SOURCE));
    let mut files = Vec::new();
    for path in FILES.map(place) {
        let bytes = package.read(&[&format!("krita/{}", path.display())])?;
        files.push(Installed::file(path, bytes));
    }
    for name in SHARED {
        let installed = format!("krita/{PLUG_IN}/partdiff/{name}");
        let bytes = package.read(&[&installed, &format!("../python/src/partdiff/{name}")])?;
        files.push(Installed::file(shared_place(name), bytes));
    }
    let library = package.read(&[LIBRARY, BUILT_LIBRARY])?;
    files.push(Installed::file(shared_place(MODULE_LIBRARY), library));
    Ok(files)
}

impl Host for Installation {
    const NAME: &'static str = "Krita";
    const COMMAND: &'static str = "krita";

    fn target(&self) -> PathBuf {
        self.resources.join("pykrita")
    }

    /// Switches it on too, and says so where the user has switched it off.
    fn install(&self, package: &Package, runtime: Option<&Path>) -> Result<()> {
        plug_in::install(&self.target(), &files(package)?)?;
        runtime.map_or(Ok(()), |runtime| plug_in::link_runtime(runtime, &self.target().join(PLUG_IN)))?;
        if !self.enable()? {
            eprintln!(
                "It is switched off there: switch it on in Settings > Configure Krita > Python Plugin Manager."
            );
        }
        Ok(())
    }

    fn state(&self, package: &Package) -> Result<State> {
        plug_in::state(&self.target(), &ours(), || files(package))
    }

    fn uninstall(&self) -> Result<Removed> {
        plug_in::remove(&self.target(), Path::new(PLUG_IN), &ours())
    }
}

/// Paths of all files that an installation may have put there.
fn ours() -> Vec<PathBuf> {
    let own = FILES.map(place).into_iter().chain(SHARED.map(shared_place));
    own.chain([shared_place(MODULE_LIBRARY), place(RUNTIME)]).collect()
}
