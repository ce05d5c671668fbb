//! Execution providers in libraries of their own: where the library lies, and its devices.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ort::session::builder::SessionBuilder;

use super::binary_format::check_shared_library;
use super::environment::Runtime;
use super::plugin_api::{Hardware, MINIMUM_MINOR};
use super::provider::Provider;
use super::record::{Flavour, InstallRecord, runtime_folder};
use crate::error::{Error, ErrorKind, Result};

/// A library with one execution provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlugIn {
    /// Intel's OpenVINO.
    OpenVino,
    /// WebGPU, over Vulkan, Direct3D 12 or Metal.
    WebGpu,
}

impl PlugIn {
    /// All that this program can use.
    pub const ALL: [Self; 2] = [Self::OpenVino, Self::WebGpu];

    /// ONNX Runtime's name of its provider.
    fn provider(self) -> &'static str {
        match self {
            Self::OpenVino => "OpenVINOExecutionProvider",
            Self::WebGpu => "WebGpuExecutionProvider",
        }
    }

    /// What `partdiff runtime install` calls it.
    fn flavour(self) -> Flavour {
        match self {
            Self::OpenVino => Flavour::OpenVino,
            Self::WebGpu => Flavour::WebGpu,
        }
    }

    /// The Python package that holds its library.
    pub(super) fn package(self) -> &'static str {
        match self {
            Self::OpenVino => "onnxruntime_ep_openvino",
            Self::WebGpu => "onnxruntime_ep_webgpu",
        }
    }

    /// The file name of its library on this system.
    pub(super) fn file_name(self) -> String {
        let name = match self {
            Self::OpenVino => "onnxruntime_providers_openvino_plugin",
            Self::WebGpu => "onnxruntime_providers_webgpu",
        };
        format!("{}{name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX)
    }

    /// Its library: beside ONNX Runtime's, installed by us, or in a Python package beside `onnxruntime`.
    ///
    /// `Err` says what is wrong with the first that was found; `None` where there is none.
    pub(super) fn find(self, onnxruntime: &Path) -> Option<Result<PathBuf, String>> {
        self.find_in(onnxruntime, runtime_folder().as_deref())
    }

    fn find_in(self, onnxruntime: &Path, installations: Option<&Path>) -> Option<Result<PathBuf, String>> {
        let name = self.file_name();
        let installed = installations.map(|root| root.join(self.flavour().folder_name()));
        let package = onnxruntime.ancestors().nth(3).map(|packages| packages.join(self.package()));
        let beside = onnxruntime.parent().map(Path::to_owned);
        let folders = [(beside, false), (installed, true), (package, false)];
        folders.into_iter().find_map(|(folder, recorded)| {
            let folder = folder?;
            let path = folder.join(&name);
            // Of an installation also the folder alone counts: what is damaged is told, not passed over.
            if !(path.exists() || recorded && folder.exists()) {
                return None;
            }
            let whole = if recorded { intact(&folder, self.flavour()) } else { Ok(()) };
            let checked = whole.and_then(|()| {
                check_shared_library(&path).map_err(|reason| format!("{}: {reason}", path.display()))
            });
            Some(checked.map(|()| path))
        })
    }
}

/// Whether an installation is as its record says; hashes are compared where files were touched.
fn intact(folder: &Path, flavour: Flavour) -> Result<(), String> {
    let checked = match InstallRecord::read(folder) {
        Ok(Some(record)) => record.verify(folder, false),
        Ok(None) => Err("the installation record is missing".to_owned()),
        Err(error) => Err(error.report()),
    };
    checked.map_err(|reason| {
        format!(
            "{}: {reason}; run `partdiff runtime install --device {flavour}` to replace it",
            folder.display()
        )
    })
}

/// What became of each plug-in in this process; a library is registered once.
#[derive(Default)]
pub(super) struct Registered(Mutex<[Option<Result<(), String>>; PlugIn::ALL.len()]>);

impl Runtime {
    /// The library of the plug-in that `provider` needs here, or what is wrong with it; `None` where it is built in, or
    /// there is none.
    pub(super) fn plugin_library(&self, provider: Provider) -> Option<Result<PathBuf, String>> {
        provider.plugin().filter(|_| !provider.compiled_in())?.find(&self.library().path)
    }

    /// Has sessions of `builder` run on the first device of `plugin` that is `hardware`.
    pub(super) fn append_plugin(
        &self,
        builder: &mut SessionBuilder,
        plugin: PlugIn,
        hardware: Hardware,
        options: &[(&str, String)],
    ) -> Result<()> {
        let failed = |message: String| Error::new(ErrorKind::Runtime, message);
        let found = plugin.find(&self.library().path).ok_or_else(|| failed(NOT_INSTALLED.to_owned()))?;
        let path = found.map_err(failed)?;
        let api = self.plugin_api().ok_or_else(|| failed(too_old(self.version())))?;
        let broken = |error: ort::Error| Error::with_source(ErrorKind::Runtime, "the plug-in failed", error);
        let register = || {
            api.register(self.environment(), plugin.provider(), &path)
                .map_err(|error| format!("{} cannot be loaded: {}", path.display(), error.message()))
        };
        // Held until the end: the list of devices is good until another library is registered.
        let mut registered = self.registered.0.lock().unwrap_or_else(PoisonError::into_inner);
        registered[plugin as usize].get_or_insert_with(register).clone().map_err(failed)?;
        let devices = api.devices(self.environment()).map_err(broken)?;
        let own: Vec<_> = devices.iter().filter(|device| device.provider == plugin.provider()).collect();
        let device = own.iter().find(|device| device.is(hardware)).ok_or_else(|| {
            failed(format!("{} finds no {} that it can use here", path.display(), hardware_name(hardware)))
        })?;
        api.append(self.environment(), builder, device, options).map_err(broken)
    }
}

fn hardware_name(hardware: Hardware) -> &'static str {
    match hardware {
        Hardware::Processor => "processor",
        Hardware::Gpu => "GPU",
        Hardware::Npu => "NPU",
    }
}

/// Why there is no provider where a plug-in could bring it.
pub(super) const NOT_INSTALLED: &str = "its plug-in is not installed";

/// Why a library cannot have plug-ins.
pub(super) fn too_old(version: &str) -> String {
    format!("ONNX Runtime {version} takes no plug-ins; 1.{MINIMUM_MINOR} or newer is needed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn the_nearest_library_is_found_and_a_bad_one_told() {
        let root = tempfile::tempdir().unwrap();
        let capi = root.path().join("onnxruntime/capi");
        let package = root.path().join("onnxruntime_ep_webgpu");
        let installations = root.path().join("runtime");
        let installed = installations.join(Flavour::WebGpu.folder_name());
        for folder in [&capi, &package] {
            std::fs::create_dir_all(folder).unwrap();
        }
        let onnxruntime = capi.join("libonnxruntime.so.1.32.0");
        let find = || PlugIn::WebGpu.find_in(&onnxruntime, Some(&installations));
        assert_eq!(find(), None);

        let name = PlugIn::WebGpu.file_name();
        assert_eq!(name, "libonnxruntime_providers_webgpu.so");
        let whole = std::env::current_exe().unwrap();
        std::fs::copy(&whole, package.join(&name)).unwrap();
        assert_eq!(find(), Some(Ok(package.join(&name))));
        std::fs::create_dir_all(&installed).unwrap();
        let reason = find().unwrap().unwrap_err();
        assert!(
            reason.contains(
                "the installation record is missing; run `partdiff runtime install --device webgpu`"
            )
        );
        std::fs::write(capi.join(&name), "no library".repeat(10)).unwrap();
        let reason = find().unwrap().unwrap_err();
        assert!(reason.ends_with("libonnxruntime_providers_webgpu.so: is not a shared library (64-bit ELF)"));
        assert_eq!(PlugIn::OpenVino.find_in(&onnxruntime, None), None);
    }
}
