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

/// The exit code of a plug-in's `main`; a reason why it did not start goes to standard error.
pub fn exit(outcome: Result<i32, String>) -> std::process::ExitCode {
    match outcome {
        Ok(code) => std::process::ExitCode::from(code.clamp(0, 255) as u8),
        Err(message) => {
            eprintln!("partdiff-gimp: {message}\nThis program is a plug-in: GIMP starts it.");
            std::process::ExitCode::FAILURE
        }
    }
}
