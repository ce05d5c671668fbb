//! What the program sets for its own process, before there is any other thread.

/// Sets up the process.
pub fn prepare() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    return_freed_memory();
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
