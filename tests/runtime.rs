//! Loading of ONNX Runtime's library, good and bad, in a process of its own.

#![cfg(target_os = "linux")]

#[macro_use]
#[path = "support/skipped.rs"]
mod skipped;

use std::path::Path;

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
