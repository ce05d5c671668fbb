//! How much memory is free.

use sysinfo::System;

/// Bytes of memory that can be had without swapping, within the limits of a container.
pub fn available_memory() -> u64 {
    let mut system = System::new();
    system.refresh_memory();
    let machine = system.available_memory();
    system.cgroup_limits().map_or(machine, |limits| limits.free_memory.min(machine))
}
