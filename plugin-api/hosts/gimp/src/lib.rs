//! PartDiff's plug-ins for GIMP 2.10 and GIMP 3, one binary each.
//!
//! libgimp is opened at run time, so that building needs neither GIMP nor its headers; what both generations have
//! in common is written once, generic over how they name images and layers (`host::Handle`).

mod engine;
pub mod gimp2;
pub mod gimp3;
mod host;
mod job;
mod pixels;
mod preview;
mod settings;
mod source;
mod symbols;
mod text;
mod toolkit;
mod writer;

/// Runs a plug-in's `main` and returns the exit code; a reason why it did not start goes to standard error.
///
/// To be called before the process has a second thread.
pub fn run(main: impl FnOnce() -> Result<i32, String>) -> std::process::ExitCode {
    // libpartdiff leaves the environment to its host. ONNX Runtime's telemetry can only be kept off by it.
    const NO_TELEMETRY: &str = "ORT_DISABLE_TELEMETRY";
    if std::env::var_os(NO_TELEMETRY).is_none() {
        // SAFETY: no other thread runs yet.
        unsafe { std::env::set_var(NO_TELEMETRY, "1") };
    }
    match main() {
        Ok(code) => std::process::ExitCode::from(code.clamp(0, 255) as u8),
        Err(message) => {
            eprintln!("partdiff-gimp: {message}\nThis program is a plug-in: GIMP starts it.");
            std::process::ExitCode::FAILURE
        }
    }
}
