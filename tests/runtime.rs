//! Loading of ONNX Runtime's library, good and bad, in a process of its own.

#![cfg(target_os = "linux")]

#[macro_use]
#[path = "support/skipped.rs"]
mod skipped;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use partdiff::ErrorKind;
use partdiff::runtime::{Device, Runtime, find};

/// A bad library costs an error and leaves the process able to load a good one.
#[test]
fn bad_libraries_are_named_and_a_good_one_still_loads() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |path: &Path| {
        let error = Runtime::open(Some(path), Device::Cpu).err().expect("must be refused");
        assert_eq!(error.kind(), ErrorKind::Runtime);
        let report = error.report();
        let start = format!("{} (given by --library): ", path.display());
        assert!(report.starts_with(&start), "{report}");
        report[start.len()..].to_owned()
    };
    assert_eq!(refused(&folder.path().join("libonnxruntime.so")), "no such file");
    assert_eq!(refused(folder.path()), "is a folder, not a library file");
    let text = folder.path().join("text.so");
    std::fs::write(&text, "this is no library. ".repeat(100)).unwrap();
    assert_eq!(refused(&text), "is not a shared library (64-bit ELF)");
    std::fs::write(&text, "").unwrap();
    assert_eq!(refused(&text), "is not a shared library (64-bit ELF)");
    let map = std::fs::read_to_string("/proc/self/maps").unwrap();
    let line = map.lines().find(|line| line.contains("libc.so")).expect("no C library is mapped");
    let other = Path::new(&line[line.find('/').unwrap()..]);
    assert_eq!(refused(other), "is not ONNX Runtime: it does not export OrtGetApiBase");

    let library = match find(None, Device::Cpu) {
        Ok(library) => library,
        Err(error) => return skipped!("{}", error.report()),
    };
    let whole = std::fs::read(&library.path).unwrap();
    let cut = folder.path().join("cut.so");
    for length in [whole.len() / 6, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&cut, &whole[..length]).unwrap();
        let reason = refused(&cut);
        assert!(reason.starts_with("is truncated: its headers describe "), "{length}: {reason}");
    }

    let runtime = Runtime::open(Some(&library.path), Device::Cpu).unwrap();
    assert!(runtime.version().starts_with("1."), "{}", runtime.version());
    assert_eq!(runtime.library().path, library.path);
    assert!(Runtime::open(None, Device::Cpu).is_ok());
    let error = Runtime::open(Some(&text), Device::Cpu).err().expect("a second library must be refused");
    assert!(error.to_string().contains("this process already uses"), "{error}");
}

/// A host's environment is its own: changing it while other threads read it is not safe.
#[test]
fn loading_leaves_the_environment_as_it_was() {
    const CHILD: &str = "PARTDIFF_TEST_ENVIRONMENT";
    if std::env::var_os(CHILD).is_some() {
        let before: BTreeMap<_, _> = std::env::vars_os().collect();
        Runtime::open(None, Device::Cpu).unwrap();
        assert_eq!(std::env::vars_os().collect::<BTreeMap<_, _>>(), before);
        return;
    }
    let library = match find(None, Device::Cpu) {
        Ok(library) => library.path,
        Err(error) => return skipped!("{}", error.report()),
    };
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "loading_leaves_the_environment_as_it_was"])
        .env_remove("ORT_DISABLE_TELEMETRY")
        // Keeps the telemetry off as well, and nobody but ONNX Runtime's own tests would set it.
        .env("ORT_RUNNING_UNIT_TESTS", "1")
        .env("ORT_DYLIB_PATH", library)
        .env(CHILD, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}
