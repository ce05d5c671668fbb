//! What the program sets for its own process, before there is any other thread.

/// Sets up the process.
pub fn prepare() {
    forbid_telemetry();
    survive_large_files();
    if let Ok(program) = std::env::current_exe() {
        crate::runtime::set_trial_program(program);
    }
}

/// Has writing beyond a limit on file sizes fail like any other writing, so that it is told and nothing is left behind;
/// the signal would end the process. A handler does it instead of ignoring the signal, which other programs inherit.
fn survive_large_files() {
    #[cfg(unix)]
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, std::sync::Arc::default());
}

/// Keeps ONNX Runtime from sending anything, unless the user has decided about it.
///
/// Its official builds for Linux and macOS from 1.29 on write a device id and send an event while they start, before
/// `DisableTelemetryEvents` can be called; only this variable prevents it. The library leaves the environment to its
/// host, so each of our programs sets it.
fn forbid_telemetry() {
    const SWITCH: &str = "ORT_DISABLE_TELEMETRY";
    if std::env::var_os(SWITCH).is_none() {
        // SAFETY: no other thread runs yet.
        unsafe { std::env::set_var(SWITCH, "1") };
    }
}
