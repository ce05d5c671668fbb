//! How much memory is free, and what the program takes of it.

use sysinfo::System;

use crate::error::{Error, Result};

/// The program, ONNX Runtime, the model's weights and the buffers of reading and writing files, as measured.
pub const PROGRAM_BYTES: u64 = 128 << 20;

/// What is left for images and networks of all the memory that the user grants, in bytes.
///
/// # Errors
/// `InvalidOption` where that is nothing.
pub fn engine_memory(granted: u64) -> Result<u64> {
    granted.checked_sub(PROGRAM_BYTES).filter(|&left| left > 0).ok_or_else(|| {
        let message = format!(
            "memory is {} MiB: expected more than {} MiB, which the program itself needs",
            granted >> 20,
            PROGRAM_BYTES >> 20
        );
        Error::invalid_option(message)
    })
}

/// Bytes of memory that can be had without swapping, within the limits of a container.
///
/// Not within those of a systemd unit: sysinfo reads the control group that is mounted as the root, which is a
/// container's own, and not the one that a process outside containers is in.
pub fn available_memory() -> u64 {
    let mut system = System::new();
    system.refresh_memory();
    let machine = system.available_memory();
    system.cgroup_limits().map_or(machine, |limits| limits.free_memory.min(machine))
}

/// Has glibc give freed images back to the system, for a process whose memory is limited; to be called before there
/// are
/// other threads. By default it raises the size from which it does so up to 32 MiB, and keeps a heap for each thread.
/// Costs 2 to 4 % of the time with small images.
#[cfg(feature = "watch")]
pub fn return_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const MAPPED_FROM: libc::c_int = 1 << 20;
        const HEAPS: libc::c_int = 2;
        // SAFETY: mallopt only changes settings of the allocator, and no other thread runs yet.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_FROM);
            libc::mallopt(libc::M_ARENA_MAX, HEAPS);
        }
    }
}
