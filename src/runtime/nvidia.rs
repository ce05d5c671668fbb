//! NVIDIA's libraries, loaded by full path before the CUDA provider asks the system for them by name.

use std::path::{Path, PathBuf};
use std::sync::Once;

use super::binary_format::check_shared_library;

/// What the provider of ONNX Runtime 1.31 links or opens, each after those it depends on.
#[cfg(not(windows))]
pub(super) const LIBRARIES: [&str; 14] = [
    "libcudart.so.13",
    "libcublasLt.so.13",
    "libcublas.so.13",
    "libcurand.so.10",
    "libnvrtc.so.13",
    "libcufft.so.12",
    "libcudnn.so.9",
    "libcudnn_graph.so.9",
    "libcudnn_ops.so.9",
    "libcudnn_heuristic.so.9",
    "libcudnn_adv.so.9",
    "libcudnn_cnn.so.9",
    "libcudnn_engines_precompiled.so.9",
    "libcudnn_engines_runtime_compiled.so.9",
];

/// What the provider of ONNX Runtime 1.31 links or opens, each after those it depends on.
#[cfg(windows)]
pub(super) const LIBRARIES: [&str; 12] = [
    "cudart64_13.dll",
    "cublasLt64_13.dll",
    "cublas64_13.dll",
    "cufft64_12.dll",
    "cudnn64_9.dll",
    "cudnn_graph64_9.dll",
    "cudnn_ops64_9.dll",
    "cudnn_heuristic64_9.dll",
    "cudnn_adv64_9.dll",
    "cudnn_cnn64_9.dll",
    "cudnn_engines_precompiled64_9.dll",
    "cudnn_engines_runtime_compiled64_9.dll",
];

/// Loads what lies beside `onnxruntime`, or in the `nvidia` packages of the same Python, once per process.
///
/// A missing or bad one is left out: the system may have it, and if not, the provider names it in its error.
pub(super) fn preload(onnxruntime: &Path) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let folders = folders(onnxruntime);
        for name in LIBRARIES {
            let found = folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file());
            if let Some(path) = found.filter(|path| check_shared_library(path).is_ok()) {
                // An error here comes again, with its reason, when the provider is registered.
                let _ = ort::util::preload_dylib(path);
            }
        }
    });
}

/// The library's own folder, then those of NVIDIA's packages for one in `site-packages/onnxruntime/capi`.
fn folders(onnxruntime: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = onnxruntime.parent().map(Path::to_owned).into_iter().collect();
    if let Some(packages) = onnxruntime.ancestors().nth(3) {
        folders.extend(package_folders(packages).skip(1));
    }
    folders
}

/// Directories of Python packages that hold libraries: `onnxruntime/capi`, then `nvidia/*/lib`.
pub(super) fn package_folders(packages: &Path) -> impl Iterator<Item = PathBuf> {
    let inner = if cfg!(windows) { "bin" } else { "lib" };
    let entries = std::fs::read_dir(packages.join("nvidia")).into_iter().flatten().flatten();
    let mut nvidia: Vec<PathBuf> = entries.map(|entry| entry.path().join(inner)).collect();
    nvidia.sort();
    std::iter::once(packages.join("onnxruntime/capi")).chain(nvidia)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_packages_are_searched_after_the_own_folder() {
        let root = tempfile::tempdir().unwrap();
        let capi = root.path().join("onnxruntime/capi");
        let inner = if cfg!(windows) { "bin" } else { "lib" };
        std::fs::create_dir_all(&capi).unwrap();
        std::fs::create_dir_all(root.path().join("nvidia/cudnn")).unwrap();
        std::fs::create_dir_all(root.path().join("nvidia/cu13")).unwrap();
        let nvidia = root.path().join("nvidia");
        assert_eq!(
            folders(&capi.join("libonnxruntime.so.1.31.1")),
            [capi, nvidia.join("cu13").join(inner), nvidia.join("cudnn").join(inner)]
        );
    }
}
