//! What the processor and the memory are, as far as speed depends on them.

use serde::Serialize;
use sysinfo::{CpuRefreshKind, System};

/// The machine that this program runs on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// The processor's name, where the system tells it.
    pub processor: Option<String>,
    /// Instruction sets that ONNX Runtime's kernels make use of, of those that the processor has.
    pub features: Vec<&'static str>,
    /// Threads that this process may run at once.
    pub threads: usize,
    /// Memory in bytes, where the system tells it.
    pub memory: Option<u64>,
    /// Bytes of it that are free or can be freed.
    pub memory_available: Option<u64>,
}

impl Machine {
    /// Looks at this machine.
    pub fn look() -> Self {
        let mut system = System::new();
        system.refresh_memory();
        system.refresh_cpu_list(CpuRefreshKind::nothing());
        let processor = system.cpus().first().map(|processor| processor.brand().trim().to_owned());
        let known = |bytes: u64| (bytes > 0).then_some(bytes);
        Self {
            processor: processor.filter(|name| !name.is_empty()),
            features: features(),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            memory: known(system.total_memory()),
            memory_available: known(system.available_memory()),
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn features() -> Vec<&'static str> {
    let mut found = Vec::new();
    macro_rules! look {
        ($($name:tt)*) => { $(if std::is_x86_feature_detected!($name) { found.push($name); })* };
    }
    look!("sse4.1" "avx" "avx2" "fma" "avx512f" "avx512bw" "avx512vl" "avx512vnni" "avx512bf16" "avx512fp16" "avxvnni");
    // The standard library cannot tell these yet.
    let flags = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let flags = flags.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
    found.extend(
        ["amx_tile", "amx_int8", "amx_bf16"]
            .iter()
            .filter(|name| flags.split(' ').any(|flag| flag == **name)),
    );
    found
}

#[cfg(target_arch = "aarch64")]
fn features() -> Vec<&'static str> {
    let mut found = Vec::new();
    macro_rules! look {
        ($($name:tt)*) => { $(if std::arch::is_aarch64_feature_detected!($name) { found.push($name); })* };
    }
    look!("neon" "dotprod" "fp16" "bf16" "i8mm" "sve");
    found
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn features() -> Vec<&'static str> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn this_machine_is_described() {
        let machine = Machine::look();
        assert!(machine.threads >= 1);
        assert!(machine.processor.is_some());
        assert!(machine.memory.unwrap() >= machine.memory_available.unwrap());
    }
}
