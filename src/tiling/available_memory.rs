//! How much memory is free, and what the program takes of it.

use sysinfo::System;

use crate::error::{Error, ErrorKind, Result};

/// The program, ONNX Runtime, the model's weights and the buffers of reading and writing files, as measured.
pub const PROGRAM_BYTES: u64 = 128 << 20;

/// What is left for images and networks of all the memory that the user grants, in bytes.
///
/// # Errors
/// `InvalidOption` where that is nothing.
pub fn engine_memory(granted: u64) -> Result<u64> {
    granted.checked_sub(PROGRAM_BYTES).ok_or_else(|| {
        let message =
            format!("memory is {} MiB: the program alone takes {} MiB", granted >> 20, PROGRAM_BYTES >> 20);
        Error::new(ErrorKind::InvalidOption, message)
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
