//! The functions of ONNX Runtime for execution providers in libraries of their own.
//!
//! They came with version 1.22, and `ort`'s feature for them refuses everything older. Asked for at run time they cost
//! older libraries nothing.

use std::ffi::{CStr, CString, c_char, c_void};
use std::path::Path;

use ort::AsPointer;
use ort::environment::Environment;
use ort::session::builder::SessionBuilder;
use ort::sys::{OrtApi, OrtApiBase, OrtEnv, OrtSessionOptions, OrtStatusPtr, os_char};

/// The version of the API that has these functions, which is also the library's minor version.
pub(super) const MINIMUM_MINOR: u32 = 22;

/// A function that is not used here.
type Unused = usize;

/// The beginning of `OrtApi` as of 1.22, in the order of `onnxruntime_c_api.h`, which never changes.
#[repr(C)]
pub(super) struct PluginApi {
    _until_1_17: OrtApi,
    _until_1_22: [Unused; 25],
    register: unsafe extern "system" fn(*mut OrtEnv, *const c_char, *const os_char) -> OrtStatusPtr,
    _unregister: Unused,
    devices: unsafe extern "system" fn(*const OrtEnv, *mut *const *const c_void, *mut usize) -> OrtStatusPtr,
    append: unsafe extern "system" fn(
        *mut OrtSessionOptions,
        *mut OrtEnv,
        *const *const c_void,
        usize,
        *const *const c_char,
        *const *const c_char,
        usize,
    ) -> OrtStatusPtr,
    _policies: [Unused; 2],
    hardware_kind: unsafe extern "system" fn(*const c_void) -> i32,
    _about_hardware: [Unused; 4],
    provider_name: unsafe extern "system" fn(*const c_void) -> *const c_char,
    _about_provider: [Unused; 3],
    hardware: unsafe extern "system" fn(*const c_void) -> *const c_void,
}

// With a higher feature of `ort`, the structure would begin with more functions.
const _: () = assert!(ort::MINOR_VERSION == 17);

/// What a device is, as `OrtHardwareDeviceType` numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hardware {
    Processor = 0,
    Gpu = 1,
    Npu = 2,
}

/// A device that a provider offers. It lives as long as the environment.
pub(super) struct EpDevice {
    pointer: *const c_void,
    pub(super) provider: String,
    hardware: i32,
}

impl EpDevice {
    pub(super) fn is(&self, hardware: Hardware) -> bool {
        self.hardware == hardware as i32
    }
}

impl PluginApi {
    /// The functions of the library with this base; `None` where it is older than 1.22.
    ///
    /// # Safety
    /// `base` is what a library of version 1.`minor` gave, and the library stays loaded.
    pub(super) unsafe fn of(base: &OrtApiBase, minor: u32) -> Option<&'static Self> {
        if minor < MINIMUM_MINOR {
            return None;
        }
        // SAFETY: a library of at least this version returns a static table of at least these functions.
        unsafe { (base.GetApi)(MINIMUM_MINOR).cast::<Self>().as_ref() }
    }

    /// Loads the provider's library at `path`.
    pub(super) fn register(&self, environment: &Environment, name: &str, path: &Path) -> ort::Result<()> {
        let name = CString::new(name).unwrap_or_default();
        let path = os_text(path);
        // SAFETY: the environment lives, both texts are terminated.
        let status =
            unsafe { (self.register)(environment.ptr().cast_mut(), name.as_ptr(), path.as_ptr().cast()) };
        // SAFETY: the status came from the API.
        unsafe { ort::Error::result_from_status(status) }
    }

    /// All devices of all providers.
    pub(super) fn devices(&self, environment: &Environment) -> ort::Result<Vec<EpDevice>> {
        let (mut list, mut length) = (std::ptr::null(), 0);
        // SAFETY: the environment lives; the function sets both values.
        let status = unsafe { (self.devices)(environment.ptr(), &mut list, &mut length) };
        // SAFETY: the status came from the API.
        unsafe { ort::Error::result_from_status(status) }?;
        if list.is_null() {
            return Ok(Vec::new());
        }
        // SAFETY: the list holds that many devices, until another library is registered.
        let pointers = unsafe { std::slice::from_raw_parts(list, length) };
        let describe = |&pointer: &*const c_void| {
            // SAFETY: devices live as long as the environment; names are terminated.
            unsafe {
                let provider = CStr::from_ptr((self.provider_name)(pointer)).to_string_lossy().into_owned();
                EpDevice { pointer, provider, hardware: (self.hardware_kind)((self.hardware)(pointer)) }
            }
        };
        Ok(pointers.iter().map(describe).collect())
    }

    /// Has sessions of `builder` run on `device`.
    pub(super) fn append(
        &self,
        environment: &Environment,
        builder: &mut SessionBuilder,
        device: &EpDevice,
        options: &[(&str, String)],
    ) -> ort::Result<()> {
        let text = |text: &str| CString::new(text).unwrap_or_default();
        let keys: Vec<_> = options.iter().map(|(key, _)| text(key)).collect();
        let values: Vec<_> = options.iter().map(|(_, value)| text(value)).collect();
        let pointers = |texts: &[CString]| texts.iter().map(|text| text.as_ptr()).collect::<Vec<_>>();
        let (key_pointers, value_pointers) = (pointers(&keys), pointers(&values));
        // SAFETY: all of them live, and both lists are as long as said.
        let status = unsafe {
            (self.append)(
                builder.ptr_mut(),
                environment.ptr().cast_mut(),
                &device.pointer,
                1,
                key_pointers.as_ptr(),
                value_pointers.as_ptr(),
                options.len(),
            )
        };
        // SAFETY: the status came from the API.
        unsafe { ort::Error::result_from_status(status) }
    }
}

/// A path as ONNX Runtime takes it, terminated.
#[cfg(unix)]
fn os_text(path: &Path) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt;
    path.as_os_str().as_bytes().iter().copied().chain([0]).collect()
}

#[cfg(not(unix))]
fn os_text(path: &Path) -> Vec<u16> {
    use std::os::windows::ffi::OsStrExt;
    path.as_os_str().encode_wide().chain([0]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_where_the_functions_are() {
        let Some(runtime) = crate::runtime::test_runtime() else { return };
        let Some(api) = runtime.plugin_api() else {
            return skipped!("ONNX Runtime {} has no plug-ins", runtime.version());
        };
        let devices = api.devices(runtime.environment()).unwrap();
        assert!(
            devices
                .iter()
                .any(|device| device.provider == "CPUExecutionProvider" && device.is(Hardware::Processor))
        );
        let error =
            api.register(runtime.environment(), "absent", Path::new("/nowhere/provider.so")).unwrap_err();
        assert!(error.message().contains("/nowhere/provider.so"), "{error}");
    }
}
