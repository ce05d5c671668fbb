//! The one ONNX Runtime of the process. `ort` permits one library and one environment, for ever.

use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::candidate::Candidate;
use super::library::{Library, MINIMUM_MINOR, find_with};
use super::plugin::Registered;
use super::plugin_api::PluginApi;
use super::provider::{Canaries, Device};
use crate::error::{Error, ErrorKind, Result};

static RUNTIME: OnceLock<Runtime> = OnceLock::new();
static OPENING: Mutex<()> = Mutex::new(());

/// ONNX Runtime, loaded.
pub struct Runtime {
    environment: ort::environment::Environment,
    library: Library,
    version: String,
    plugin_api: Option<&'static PluginApi>,
    pub(super) registered: Registered,
    pub(super) canaries: Canaries,
}

impl Runtime {
    /// Finds and loads the library on the first call; later calls return the same runtime.
    ///
    /// Discovery is that of [`find`](super::library::find); a library that was not named by the user and cannot be
    /// loaded is passed over like one that fails the file checks.
    ///
    /// # Errors
    /// `ErrorKind::Runtime` if no library can be had, or `explicit` names another one than the process has loaded.
    pub fn open(explicit: Option<&Path>, device: Device) -> Result<&'static Self> {
        // A panic while holding the lock leaves nothing half-done behind it.
        let _opening = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = RUNTIME.get() {
            return runtime.agrees_with(explicit).map(|()| runtime);
        }
        let (library, loaded) = find_with(explicit, device, load)?;
        Ok(RUNTIME.get_or_init(|| Self {
            environment: loaded.environment,
            library,
            version: loaded.version,
            plugin_api: loaded.plugin_api,
            registered: Registered::default(),
            canaries: Canaries::default(),
        }))
    }

    /// The runtime, if it was opened already.
    pub fn loaded() -> Option<&'static Self> {
        RUNTIME.get()
    }

    /// The library in use.
    pub fn library(&self) -> &Library {
        &self.library
    }

    /// ONNX Runtime's version, such as "1.32.0".
    pub fn version(&self) -> &str {
        &self.version
    }

    pub(super) fn environment(&self) -> &ort::environment::Environment {
        &self.environment
    }

    /// The functions for plug-ins; `None` where the library is too old for them.
    pub(super) fn plugin_api(&self) -> Option<&'static PluginApi> {
        self.plugin_api
    }

    fn agrees_with(&self, explicit: Option<&Path>) -> Result<()> {
        let Some(explicit) = explicit else { return Ok(()) };
        let same = match (explicit.canonicalize(), self.library.path.canonicalize()) {
            (Ok(wanted), Ok(loaded)) => wanted == loaded,
            _ => false,
        };
        if same {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Runtime,
            format!(
                "{}: cannot be loaded, because this process already uses {}",
                explicit.display(),
                self.library.path.display()
            ),
        ))
    }
}

/// A library that was loaded.
struct Loaded {
    environment: ort::environment::Environment,
    version: String,
    plugin_api: Option<&'static PluginApi>,
}

/// Loads a checked candidate and makes the environment; after an error another candidate may be tried.
fn load(candidate: &Candidate) -> Result<Loaded> {
    let (base, version) = read_version(&candidate.path)?;
    let minor = version.strip_prefix("1.").and_then(|rest| rest.split('.').next()?.parse::<u32>().ok());
    let Some(minor) = minor.filter(|minor| *minor >= MINIMUM_MINOR) else {
        let message = format!("is version {version}; 1.{MINIMUM_MINOR} or a newer 1.x is needed");
        return Err(Error::new(ErrorKind::Runtime, message));
    };
    let environment = guarded("ONNX Runtime could not be started", || {
        let builder = ort::init_from(&candidate.path)
            .map_err(|error| Error::with_source(ErrorKind::Runtime, "cannot be loaded", error))?;
        builder
            .with_name("partdiff")
            // Builds for Linux and macOS from 1.29 on have sent something by then; `cli::process` says more.
            .with_telemetry(false)
            .with_logger(Arc::new(print_log))
            .build()
            .inspect(|environment| environment.set_log_level(log_level()))
            .map_err(|error| {
                Error::with_source(ErrorKind::Runtime, "cannot create an ONNX Runtime environment", error)
            })
    })?;
    // SAFETY: the library of that version gave it, and is never unloaded.
    let plugin_api = unsafe { PluginApi::of(base, minor) };
    Ok(Loaded { environment, version, plugin_api })
}

/// Asks the library for its version, so that a wrong one is refused before `ort` commits to it.
fn read_version(path: &Path) -> Result<(&'static ort::sys::OrtApiBase, String)> {
    // SAFETY: the file was checked to be a whole library of this platform; it is in the caller's trust, as every
    // library is, and its initialisers run only once however often it is opened.
    let library = unsafe { libloading::Library::new(path) }
        .map_err(|error| Error::with_source(ErrorKind::Runtime, "cannot be loaded", error))?;
    // SAFETY: the symbol has this type in every release of ONNX Runtime.
    let base =
        unsafe { library.get::<unsafe extern "C" fn() -> *const ort::sys::OrtApiBase>(b"OrtGetApiBase") }
            .map_err(|_| {
                Error::new(ErrorKind::Runtime, "is not ONNX Runtime: it does not export OrtGetApiBase")
            })?;
    // SAFETY: the function takes nothing and returns a static structure, or null.
    let base: &'static ort::sys::OrtApiBase = unsafe { base().as_ref() }.ok_or_else(|| {
        Error::new(ErrorKind::Runtime, "is not ONNX Runtime: OrtGetApiBase returned nothing")
    })?;
    // SAFETY: GetVersionString returns a static, terminated string.
    let version = unsafe { CStr::from_ptr((base.GetVersionString)()) }.to_string_lossy().into_owned();
    // Kept open, so that `ort` gets the same handle instead of mapping the file anew.
    std::mem::forget(library);
    Ok((base, version))
}

/// Runs `work` and turns a panic of `ort` into an error.
pub(super) fn guarded<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("unknown panic");
        Err(Error::with_source(ErrorKind::Runtime, what, text))
    })
}

/// ONNX Runtime repeats its errors as log lines; they are shown only when asked for by `PARTDIFF_ORT_LOG`.
fn log_level() -> ort::logging::LogLevel {
    use ort::logging::LogLevel;
    match std::env::var("PARTDIFF_ORT_LOG").as_deref() {
        Ok("verbose") => LogLevel::Verbose,
        Ok("info") => LogLevel::Info,
        Ok("warning") => LogLevel::Warning,
        Ok("error") => LogLevel::Error,
        _ => LogLevel::Fatal,
    }
}

fn print_log(level: ort::logging::LogLevel, _: &str, _: &str, location: &str, message: &str) {
    // Lines from before the level was set arrive too.
    if level >= log_level() {
        eprintln!("onnxruntime: {level:?}: {location}: {message}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_become_errors() {
        let quiet = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let result: Result<()> = guarded("it failed", || panic!("deep {}", "inside"));
        std::panic::set_hook(quiet);
        let error = result.unwrap_err();
        assert_eq!((error.kind(), error.report()), (ErrorKind::Runtime, "it failed: deep inside".to_owned()));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn another_library_is_told_from_onnx_runtime() {
        let map = std::fs::read_to_string("/proc/self/maps").unwrap();
        let line = map.lines().find(|line| line.contains("libm.so") || line.contains("libc.so")).unwrap();
        let refused = |path: &Path| read_version(path).map(|(_, version)| version).unwrap_err();
        let error = refused(Path::new(&line[line.find('/').unwrap()..]));
        assert_eq!(error.report(), "is not ONNX Runtime: it does not export OrtGetApiBase");
        let error = refused(Path::new("/nowhere/libonnxruntime.so"));
        assert!(error.report().starts_with("cannot be loaded: "), "{}", error.report());
        assert!(error.report().contains("No such file"), "{}", error.report());
    }
}
