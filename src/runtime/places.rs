//! The places where ONNX Runtime's library may lie, nearest first, looked at one after the other.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::candidate::{Candidate, Source};
use super::provider::Device;
use super::record::{Flavour, runtime_folder};

/// Looks into one kind of place.
type Look = Box<dyn FnOnce() -> Vec<PathBuf>>;

/// All candidates in order of preference. Lazy: Python is asked only if nothing nearer was good.
pub(super) fn candidates(device: Device) -> impl Iterator<Item = Candidate> {
    let mut steps: [(Source, Look); 5] = [
        (Source::Python, Box::new(own_environment)),
        (Source::Installed, Box::new(move || installed(device))),
        (Source::BesideExecutable, Box::new(beside_executable)),
        (Source::Python, Box::new(python_packages)),
        (Source::System, Box::new(system)),
    ];
    if matches!(device, Device::Cuda | Device::TensorRt) {
        // pip brings ONNX Runtime for the processor along; what was installed for a GPU was meant.
        steps.swap(0, 1);
    }
    steps
        .into_iter()
        .flat_map(|(source, look)| look().into_iter().map(move |path| Candidate { path, source }))
}

/// Our installations; where a GPU may be used, the one that can use it comes first.
fn installed(device: Device) -> Vec<PathBuf> {
    let Some(root) = runtime_folder() else { return Vec::new() };
    let order = match device {
        Device::Auto | Device::Cuda | Device::TensorRt => [Flavour::Cuda, Flavour::Cpu],
        _ => [Flavour::Cpu, Flavour::Cuda],
    };
    order.into_iter().flat_map(|flavour| libraries_in(&root.join(flavour.folder_name()))).collect()
}

/// Libraries of the package `onnxruntime` beside the package `partdiff` that brought this program.
fn own_environment() -> Vec<PathBuf> {
    let program = std::env::current_exe().and_then(|program| program.canonicalize()).unwrap_or_default();
    program.parent().and_then(Path::parent).map(environment_libraries).unwrap_or_default()
}

/// Libraries for [`own_environment`] of the Python environment at `root`, found without running Python.
fn environment_libraries(root: &Path) -> Vec<PathBuf> {
    let versions = ["lib", "lib64"]
        .into_iter()
        .flat_map(|name| std::fs::read_dir(root.join(name)).into_iter().flatten().flatten())
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with("python3")))
        .map(|entry| entry.path());
    let windows = cfg!(windows).then(|| root.join("Lib"));
    let mut packages: Vec<PathBuf> = versions
        .chain(windows)
        .flat_map(|folder| ["site-packages", "dist-packages"].map(|name| folder.join(name)))
        .filter(|folder| folder.join("partdiff").is_dir())
        .collect();
    packages.sort();
    packages.iter().flat_map(|folder| libraries_in(&folder.join("onnxruntime").join("capi"))).collect()
}

fn beside_executable() -> Vec<PathBuf> {
    let Ok(program) = std::env::current_exe() else { return Vec::new() };
    let Some(folder) = program.parent() else { return Vec::new() };
    [folder.to_owned(), folder.join("lib")].iter().flat_map(|folder| libraries_in(folder)).collect()
}

/// Libraries of the package `onnxruntime` that Python would import; the package itself is not run.
fn python_packages() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for python in pythons() {
        for library in package_folder(&python).iter().flat_map(|folder| libraries_in(&folder.join("capi"))) {
            if !found.contains(&library) {
                found.push(library);
            }
        }
    }
    found
}

/// Python interpreters to ask: the active virtual environment's, then those on the search path.
pub(super) fn pythons() -> Vec<PathBuf> {
    let mut pythons = Vec::new();
    if let Some(environment) = std::env::var_os("VIRTUAL_ENV").filter(|path| !path.is_empty()) {
        let inside = if cfg!(windows) { "Scripts\\python.exe" } else { "bin/python" };
        let python = Path::new(&environment).join(inside);
        if python.is_file() {
            pythons.push(python);
        }
    }
    pythons.extend(["python3", "python"].map(PathBuf::from));
    pythons
}

/// Folder of the importable package `onnxruntime`.
fn package_folder(python: &Path) -> Option<PathBuf> {
    // The current folder is taken off the path: it may hold anybody's files.
    const SCRIPT: &str = "import sys; sys.path[:] = [p for p in sys.path if p]\n\
        import os, importlib.util\n\
        spec = importlib.util.find_spec('onnxruntime')\n\
        if spec and spec.origin: sys.stdout.buffer.write(os.fsencode(os.path.dirname(spec.origin)))";
    let output =
        Command::new(python).args(["-c", SCRIPT]).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    if !output.status.success() || output.stdout.is_empty() {
        return None;
    }
    Some(PathBuf::from(os_string(output.stdout)?)).filter(|folder| folder.is_absolute())
}

#[cfg(unix)]
fn os_string(bytes: Vec<u8>) -> Option<OsString> {
    use std::os::unix::ffi::OsStringExt;
    Some(OsString::from_vec(bytes))
}

#[cfg(not(unix))]
fn os_string(bytes: Vec<u8>) -> Option<OsString> {
    String::from_utf8(bytes).ok().map(OsString::from)
}

/// The loader's folders. Not Windows' own: its ONNX Runtime is old and belongs to the system.
fn system() -> Vec<PathBuf> {
    let variable = if cfg!(target_os = "macos") { "DYLD_LIBRARY_PATH" } else { "LD_LIBRARY_PATH" };
    let mut folders: Vec<PathBuf> = std::env::var_os(variable)
        .map(|paths| std::env::split_paths(&paths).filter(|path| path.is_absolute()).collect())
        .unwrap_or_default();
    if cfg!(unix) {
        let triplet = format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
        let usual = [
            "/usr/local/lib",
            "/opt/homebrew/lib",
            "/opt/onnxruntime/lib",
            &triplet,
            "/usr/lib64",
            "/usr/lib",
        ];
        folders.extend(usual.map(PathBuf::from));
    }
    folders.iter().flat_map(|folder| libraries_in(folder)).collect()
}

/// ONNX Runtime's libraries in one folder, one path per real file, newest version first.
pub(super) fn libraries_in(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<(PathBuf, PathBuf)> = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if !name.to_str().is_some_and(is_library_name) {
            continue;
        }
        let real = entry.path().canonicalize().unwrap_or_else(|_| entry.path());
        found.push((real, entry.path()));
    }
    found.sort_by_key(|(real, path)| (std::cmp::Reverse(version(real)), path.clone()));
    found.dedup_by(|one, other| one.0 == other.0);
    found.into_iter().map(|(_, path)| path).collect()
}

/// Whether `name` is that of ONNX Runtime's main library on this system; providers' libraries are not.
pub(super) fn is_library_name(name: &str) -> bool {
    if cfg!(windows) {
        name.eq_ignore_ascii_case("onnxruntime.dll")
    } else if cfg!(target_os = "macos") {
        name.starts_with("libonnxruntime.") && name.ends_with(".dylib")
    } else {
        name == "libonnxruntime.so" || name.starts_with("libonnxruntime.so.")
    }
}

/// Numbers in a library's name, to compare versions.
fn version(path: &Path) -> Vec<u32> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.split('.').filter_map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn folders_give_each_library_once_and_the_newest_first() {
        let folder = tempfile::tempdir().unwrap();
        let names = [
            "libonnxruntime.so.1.9.0",
            "libonnxruntime.so.1.21.0",
            "libonnxruntime_providers_shared.so",
            "libonnxruntime.soup",
        ];
        for name in names {
            std::fs::write(folder.path().join(name), name).unwrap();
        }
        std::os::unix::fs::symlink("libonnxruntime.so.1.21.0", folder.path().join("libonnxruntime.so"))
            .unwrap();
        let found = libraries_in(folder.path());
        assert_eq!(
            found,
            ["libonnxruntime.so", "libonnxruntime.so.1.9.0"].map(|name| folder.path().join(name)).to_vec()
        );
        assert!(libraries_in(&folder.path().join("absent")).is_empty());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_program_from_a_wheel_takes_the_library_beside_its_package() {
        let root = tempfile::tempdir().unwrap();
        let packages = root.path().join("lib/python3.12/site-packages");
        let library = packages.join("onnxruntime/capi/libonnxruntime.so.1.32.0");
        std::fs::create_dir_all(library.parent().unwrap()).unwrap();
        std::fs::write(&library, "").unwrap();
        // Any other program may lie in such a folder, /usr/bin for one.
        assert!(environment_libraries(root.path()).is_empty());
        std::fs::create_dir(packages.join("partdiff")).unwrap();
        assert_eq!(environment_libraries(root.path()), [library]);
    }
}
