//! The files that make up the installed plug-in.

use std::path::{Path, PathBuf};

use super::{Installation, PLUG_IN};
use crate::cli::plug_in::{self, BUILT_LIBRARY, Installed, LIBRARY, Package, RUNTIME, Removed, State};
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
    for name in FILES {
        let path = place(name);
        let bytes = package.read(&[&format!("krita/{}", path.display())])?;
        files.push(Installed { path, bytes, program: false });
    }
    for name in SHARED {
        let installed = format!("krita/{PLUG_IN}/partdiff/{name}");
        let bytes = package.read(&[&installed, &format!("../python/src/partdiff/{name}")])?;
        files.push(Installed { path: shared_place(name), bytes, program: false });
    }
    let library = package.read(&[LIBRARY, BUILT_LIBRARY])?;
    files.push(Installed { path: shared_place(MODULE_LIBRARY), bytes: library, program: false });
    Ok(files)
}

/// Puts the plug-in into `krita`, each file whole or not at all, and switches it on; returns whether it is on, as the user
/// may have switched it off. `runtime` is linked to.
///
/// # Errors
/// `Output` naming the file that is missing or cannot be written.
pub fn install(package: &Package, krita: &Installation, runtime: Option<&Path>) -> Result<bool> {
    let target = krita.plug_ins();
    plug_in::install(&target, &files(package)?)?;
    if let Some(runtime) = runtime {
        plug_in::link_runtime(runtime, &target.join(PLUG_IN))?;
    }
    krita.enable()
}

/// What `krita` has.
///
/// # Errors
/// As [`install`], where this program lacks the files to compare with.
pub fn state(package: &Package, krita: &Installation) -> Result<State> {
    plug_in::state(&krita.plug_ins(), &ours(), || files(package))
}

/// Takes our files out of `krita`; others in the plug-in's folder stay, and it with them.
///
/// # Errors
/// `Output` naming the file that cannot be removed.
pub fn uninstall(krita: &Installation) -> Result<Removed> {
    plug_in::remove(&krita.plug_ins(), Path::new(PLUG_IN), &ours())
}

/// Paths of all files that an installation may have put there.
fn ours() -> Vec<PathBuf> {
    let own = FILES.map(place).into_iter().chain(SHARED.map(shared_place));
    own.chain([shared_place(MODULE_LIBRARY), place(RUNTIME)]).collect()
}
