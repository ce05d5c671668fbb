//! What the program sets for its own process, before there is any other thread.

/// Sets up the process.
pub fn prepare() {
    forbid_telemetry();
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    return_freed_memory();
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

/// Has glibc give freed images back to the system. By default it raises the size from which it does so up to 32 MiB, and
/// keeps a heap for each thread, so that the process holds far more than is in use.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn return_freed_memory() {
    const MAPPED_FROM: libc::c_int = 1 << 20;
    const HEAPS: libc::c_int = 2;
    // SAFETY: mallopt only changes settings of the allocator, and no other thread runs yet.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_FROM);
        libc::mallopt(libc::M_ARENA_MAX, HEAPS);
    }
}
