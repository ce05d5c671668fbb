//! Models: a bundle and its networks.

use std::ffi::c_char;
use std::slice;
use std::sync::Mutex;

use partdiff::Upscaler;
use partdiff::model::{Bundle, DEFAULT_BUNDLE};

use crate::abi::{partdiff_context, partdiff_model, partdiff_status};
use crate::context::{Context, give_failure};
use crate::failure::Failure;
use crate::guard::{guard, guard_alone};
use crate::handles::{self, Object};
use crate::strings::{entry, give, optional, put, required};

/// Behind a `partdiff_model`.
pub struct Model {
    /// The engine.
    pub upscaler: Upscaler,
    /// Bytes that it may use for a job that names no limit of its own.
    pub memory: Option<u64>,
    failure: Mutex<String>,
}

impl Object for Model {
    type Handle = partdiff_model;
    const NAME: &'static str = "model";
    fn latest_failure(&self) -> &Mutex<String> {
        &self.failure
    }
}

impl Model {
    fn open(context: &Context, bundle: &Bundle) -> Result<*mut partdiff_model, Failure> {
        let runtime = context.runtime();
        let upscaler = Upscaler::open(bundle, &runtime)?;
        Ok(handles::insert(Self { upscaler, memory: runtime.memory, failure: Mutex::default() }))
    }

    fn text(&self, key: &str) -> Result<String, Failure> {
        let manifest = self.upscaler.manifest();
        let presets = || {
            let names = manifest.presets_by_steps().into_iter().map(|(name, _)| name);
            names.collect::<Vec<_>>().join("\n")
        };
        let texts: [(&str, &dyn Fn() -> String); 8] = [
            ("name", &|| manifest.name.clone()),
            ("version", &|| manifest.version.clone()),
            ("description", &|| manifest.description.clone()),
            ("licence", &|| manifest.licence.clone()),
            ("digest", &|| self.upscaler.digest().to_owned()),
            ("provider", &|| self.upscaler.provider().map(ToString::to_string).unwrap_or_default()),
            ("presets", &presets),
            ("manifest", &|| serde_json::to_string(manifest).expect("read from JSON")),
        ];
        Ok(entry(key, &texts)?())
    }

    fn int(&self, key: &str) -> Result<i64, Failure> {
        let manifest = self.upscaler.manifest();
        let numbers = [
            ("scale", manifest.scale as i64),
            ("channels", manifest.channels as i64),
            ("steps", manifest.defaults.steps as i64),
            ("start_step", manifest.start_step as i64),
            ("cleanup", manifest.takes_level().into()),
        ];
        entry(key, &numbers).copied()
    }
}

/// Opens a model: the name of one inside the library, or the path of a bundle directory or .partdiff file; null for
/// the default. ONNX Runtime is loaded with the first model.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn partdiff_model_open(
    context: *mut partdiff_context,
    name: *const c_char,
    model: *mut *mut partdiff_model,
) -> partdiff_status {
    guard::<Context>(context, |context| {
        // SAFETY: promised by the caller.
        let name = unsafe { optional(name, "name")? }.unwrap_or(DEFAULT_BUNDLE);
        if model.is_null() {
            return Err(Failure::argument("model is null"));
        }
        let opened = Model::open(context, &Bundle::resolve(name)?)?;
        // SAFETY: promised by the caller.
        unsafe { put(opened, model, "model") }
    })
}

/// Opens a model from the bytes of a .partdiff file, which are copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn partdiff_model_open_memory(
    context: *mut partdiff_context,
    bytes: *const u8,
    size: usize,
    model: *mut *mut partdiff_model,
) -> partdiff_status {
    guard::<Context>(context, |context| {
        if bytes.is_null() || model.is_null() {
            let name = if bytes.is_null() { "bytes" } else { "model" };
            return Err(Failure::argument(format!("{name} is null")));
        }
        if size > isize::MAX as usize {
            return Err(Failure::argument(format!("size is {size}: larger than any memory")));
        }
        // SAFETY: promised by the caller.
        let bytes = unsafe { slice::from_raw_parts(bytes, size) };
        let opened = Model::open(context, &Bundle::from_zip(bytes)?)?;
        // SAFETY: promised by the caller.
        unsafe { put(opened, model, "model") }
    })
}

/// Ends a model. Its memory is freed when its last job has gone.
#[unsafe(no_mangle)]
pub extern "C" fn partdiff_model_destroy(model: *mut partdiff_model) -> partdiff_status {
    guard_alone(|| handles::remove::<Model>(model).map(drop))
}

/// Gives a text: "name", "version", "description", "licence", "digest" (SHA-256 that identifies the model),
/// "provider" (what it really runs on, and why), "presets" (names, one a line, fewest steps first), "manifest" (JSON).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn partdiff_model_get_text(
    model: *const partdiff_model,
    key: *const c_char,
    buffer: *mut c_char,
    size: usize,
    length: *mut usize,
) -> partdiff_status {
    guard::<Model>(model, |model| {
        // SAFETY: promised by the caller.
        unsafe { give(&model.text(required(key, "key")?)?, buffer, size, length) }
    })
}

/// Gives a number: "scale" (the model's own factor), "channels" (1 or 3), "steps" (by default), "start_step" (the
/// most steps), "cleanup" (1 if the model takes a clean-up level).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn partdiff_model_get_int(
    model: *const partdiff_model,
    key: *const c_char,
    value: *mut i64,
) -> partdiff_status {
    guard::<Model>(model, |model| {
        // SAFETY: promised by the caller.
        unsafe { put(model.int(required(key, "key")?)?, value, "value") }
    })
}

/// Gives the sentence on the latest failure of a call on this model; empty if there was none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn partdiff_model_error(
    model: *const partdiff_model,
    buffer: *mut c_char,
    size: usize,
    length: *mut usize,
) -> partdiff_status {
    // SAFETY: promised by the caller.
    guard_alone(|| unsafe { give_failure::<Model>(model, buffer, size, length) })
}
