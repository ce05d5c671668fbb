//! Contexts: where models run.

use std::ffi::c_char;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use partdiff::RuntimeOptions;
use partdiff::model::{Bundle, DEFAULT_BUNDLE};
use partdiff::runtime::{Device, Runtime};
use partdiff::settings::Settings;

use crate::abi::{
    PARTDIFF_ABI_MAJOR, PARTDIFF_ABI_MINOR, partdiff_context, partdiff_status, partdiff_status as Status,
};
use crate::failure::Failure;
use crate::guard::{guard, guard_alone};
use crate::handles::{self, Object};
use crate::options::expected;
use crate::strings::{give, optional, put, required, unknown_key};

/// Behind a `partdiff_context`.
#[derive(Default)]
pub struct Context {
    runtime: Mutex<RuntimeOptions>,
    failure: Mutex<String>,
}

impl Object for Context {
    type Handle = partdiff_context;
    const NAME: &'static str = "context";
    fn latest_failure(&self) -> &Mutex<String> {
        &self.failure
    }
}

impl Context {
    /// A copy of the settings as they are now.
    pub fn runtime(&self) -> RuntimeOptions {
        self.runtime.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Limits the memory of models opened from now on; `None` takes the limit away.
    fn set_memory(&self, memory: Option<&str>) -> Result<(), Failure> {
        let mut settings = Settings::default();
        if let Some(text) = memory {
            settings.set("memory", text).map_err(|problem| expected("memory", text, &problem))?;
        }
        let memory = settings.options()?.memory;
        self.change(|runtime| runtime.memory = memory);
        Ok(())
    }

    fn change(&self, change: impl FnOnce(&mut RuntimeOptions)) {
        change(&mut self.runtime.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Makes a context for a host built for ABI `major`.`minor`: pass PARTDIFF_ABI_MAJOR and PARTDIFF_ABI_MINOR.
///
/// PARTDIFF_STATUS_ABI_MISMATCH if this library does not serve that ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn partdiff_context_create(
    major: u32,
    minor: u32,
    context: *mut *mut partdiff_context,
) -> partdiff_status {
    guard_alone(|| {
        if major != PARTDIFF_ABI_MAJOR || minor > PARTDIFF_ABI_MINOR {
            return Err(Failure::new(Status::AbiMismatch, "another ABI"));
        }
        if context.is_null() {
            return Err(Failure::argument("context is null"));
        }
        // SAFETY: promised by the caller.
        unsafe { put(handles::insert(Context::default()), context, "context") }
    })
}

/// Ends a context. Models opened with it stay.
#[unsafe(no_mangle)]
pub extern "C" fn partdiff_context_destroy(context: *mut partdiff_context) -> partdiff_status {
    guard_alone(|| handles::remove::<Context>(context).map(drop))
}

/// Sets a text for models opened from now on; null brings the default back.
///
/// "device": "auto" (default: the fastest that really runs here with 32-bit results), "cpu", "openvino",
/// "openvino:bf16", "openvino:gpu", "openvino:npu", "webgpu", "cuda", "tensorrt".
/// "library": path of ONNX Runtime's library (default: found as the command finds it).
/// "memory": what the library may take with a model and its jobs, such as "2G" or a number of bytes, more than 128 MiB
/// (default: no limit but the jobs' own, which goes before this one). A small limit also lowers the number of threads.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn partdiff_context_set_text(
    context: *mut partdiff_context,
    key: *const c_char,
    value: *const c_char,
) -> partdiff_status {
    guard::<Context>(context, |context| {
        // SAFETY: promised by the caller.
        let (key, value) = unsafe { (required(key, "key")?, optional(value, "value")?) };
        match key {
            "device" => {
                let device: Device = value.map_or(Ok(Device::Auto), str::parse)?;
                context.change(|runtime| runtime.device = device);
            }
            "library" => context.change(|runtime| runtime.library = value.map(PathBuf::from)),
            "memory" => context.set_memory(value)?,
            _ => return Err(unknown_key(key, &["device", "library", "memory"])),
        }
        Ok(())
    })
}

/// Sets a number for models opened from now on.
///
/// "threads": threads on the processor, 0 for one per core (default). "memory": bytes, as
/// partdiff_context_set_text() says, 0 for no limit (default).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn partdiff_context_set_int(
    context: *mut partdiff_context,
    key: *const c_char,
    value: i64,
) -> partdiff_status {
    guard::<Context>(context, |context| {
        // SAFETY: promised by the caller.
        let key = unsafe { required(key, "key")? };
        match key {
            "threads" => {
                let threads =
                    usize::try_from(value).ok().filter(|&threads| threads <= 4096).ok_or_else(|| {
                        Failure::new(Status::InvalidOption, format!("threads is {value}: expected 0 to 4096"))
                    })?;
                context.change(|runtime| runtime.threads = Some(threads).filter(|&threads| threads > 0));
                Ok(())
            }
            "memory" => context.set_memory((value != 0).then(|| value.to_string()).as_deref()),
            _ => Err(unknown_key(key, &["threads", "memory"])),
        }
    })
}

/// Gives a text.
///
/// "models": the names of the models inside the library, one a line. "default_model": the one opened for null.
/// "runtime": the path of ONNX Runtime's library, "runtime_version": its version; both empty until a model is open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn partdiff_context_get_text(
    context: *const partdiff_context,
    key: *const c_char,
    buffer: *mut c_char,
    size: usize,
    length: *mut usize,
) -> partdiff_status {
    guard::<Context>(context, |_| {
        // SAFETY: promised by the caller.
        let text = match unsafe { required(key, "key")? } {
            "models" => Bundle::embedded_names().collect::<Vec<_>>().join("\n"),
            "default_model" => DEFAULT_BUNDLE.to_owned(),
            "runtime" => Runtime::loaded()
                .map(|runtime| runtime.library().path.display().to_string())
                .unwrap_or_default(),
            "runtime_version" => {
                Runtime::loaded().map(|runtime| runtime.version().to_owned()).unwrap_or_default()
            }
            key => return Err(unknown_key(key, &["models", "default_model", "runtime", "runtime_version"])),
        };
        // SAFETY: promised by the caller.
        unsafe { give(&text, buffer, size, length) }
    })
}

/// Gives the sentence on the latest failure of a call on this context; empty if there was none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn partdiff_context_error(
    context: *const partdiff_context,
    buffer: *mut c_char,
    size: usize,
    length: *mut usize,
) -> partdiff_status {
    // SAFETY: promised by the caller.
    guard_alone(|| unsafe { give_failure::<Context>(context, buffer, size, length) })
}

/// Gives the latest failure of any object.
///
/// # Safety
/// `buffer` is null or has `size` bytes; `length` is null or valid for writing.
pub(crate) unsafe fn give_failure<T: Object>(
    handle: *const T::Handle,
    buffer: *mut c_char,
    size: usize,
    length: *mut usize,
) -> Result<(), Failure> {
    let object = handles::get::<T>(handle)?;
    let text = object.latest_failure().lock().unwrap_or_else(PoisonError::into_inner).clone();
    // SAFETY: promised by the caller.
    unsafe { give(&text, buffer, size, length) }
}
