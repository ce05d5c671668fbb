//! TensorRT's set-up, and where it keeps the engines that it builds.
//!
//! An engine is built for each network and each size of tile, which takes far longer than running it. TensorRT tells the
//! engines of a folder apart by the structure of networks, not by their weights: each network has a folder of its own.

use std::path::{Path, PathBuf};

use ort::ep::TensorRT;

use super::outcomes::{file_key, nvidia_driver};
use super::record::runtime_folder;
use crate::fs::hash::sha256_hex;

/// Digits of a hash that tell folders apart.
const DIGITS: usize = 16;

/// The provider for the network `graph`, with ONNX Runtime's `library`. Without a folder that can be written to, engines are
/// built anew each time.
pub(super) fn provider(library: &Path, graph: &[u8]) -> TensorRT {
    let provider = TensorRT::default().with_device_id(0);
    let folder = runtime_folder().map(|folder| engines(&folder, library, &nvidia_driver(), graph));
    match folder.filter(|folder| std::fs::create_dir_all(folder).is_ok()) {
        None => provider,
        Some(folder) => {
            let folder = folder.to_string_lossy();
            provider
                .with_engine_cache(true)
                .with_engine_cache_path(&folder)
                .with_timing_cache(true)
                .with_timing_cache_path(&folder)
        }
    }
}

/// The folder for engines of `graph`, below the runtime's: another one for another library, driver or network. Engines of
/// other kinds of GPU have other names in it.
fn engines(runtime: &Path, library: &Path, driver: &str, graph: &[u8]) -> PathBuf {
    let name = |bytes: &[u8]| sha256_hex(bytes)[..DIGITS].to_owned();
    let machine = format!("{} | {driver}", file_key(library));
    runtime.join("tensorrt").join(name(machine.as_bytes())).join(name(graph))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_of_another_library_driver_or_network_is_never_found() {
        let root = tempfile::tempdir().unwrap();
        let library = root.path().join("libonnxruntime.so");
        std::fs::write(&library, "first").unwrap();
        let folder = |driver: &str, graph: &[u8]| engines(root.path(), &library, driver, graph);
        let first = folder("580.1", b"weights");
        assert_eq!(first, folder("580.1", b"weights"));
        assert_ne!(first, folder("580.2", b"weights"));
        assert_ne!(first, folder("580.1", b"weightS"));
        std::fs::write(&library, "replaced").unwrap();
        assert_ne!(first, folder("580.1", b"weights"));
        assert!(first.starts_with(root.path().join("tensorrt")));
    }
}
