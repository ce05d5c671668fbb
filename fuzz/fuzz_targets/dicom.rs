//! DICOM: frames in any places are grouped and sorted without loss, and by nothing but their places; headers of any
//! contents are read or refused.
#![no_main]

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use partdiff::volume::dicom::found::{Details, Found, Key, Plane, Time};
use partdiff::volume::dicom::{Collection, Component, Group, Place, Sample, files_of, sort};

/// Most bytes that may be set aside at once: a small file needs no more, whatever lengths it states.
const MOST: usize = 64 << 20;

/// The system's allocator, which ends the process where more is asked for: a length that was taken for true.
struct Capped;

// SAFETY: everything is the system's.
unsafe impl GlobalAlloc for Capped {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() > MOST {
            std::process::abort();
        }
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static CAPPED: Capped = Capped;

static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a folder"));

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    // 8 bytes are a frame.
    let frames: Vec<_> = data.chunks_exact(8).take(200).enumerate().map(|(file, bytes)| frame(file, bytes)).collect();
    let places = |count: usize| -> Vec<_> {
        (0..count).map(|file| Place { path: PathBuf::from(file.to_string()), entry: None }).collect()
    };
    let groups = sort(&places(frames.len()), frames.clone());
    let mut seen = HashSet::new();
    for file in groups.iter().flat_map(|group| &group.files) {
        assert!(seen.insert(*file), "a frame belongs to two groups");
    }
    assert_eq!(seen.len(), frames.len());
    groups.iter().for_each(check);
    // The other way round it is the same.
    let mut reversed = frames;
    reversed.reverse();
    let again = sort(&places(reversed.len()), reversed);
    assert_eq!(again.len(), groups.len());
    for (a, b) in groups.iter().zip(&again) {
        assert_eq!(a.outcome, b.outcome);
    }
    let path = FOLDER.path().join("a");
    fs::write(&path, data).expect("written");
    if let Ok(places) = files_of(&path) {
        Collection::read(&places);
    }
});

/// A frame that often lies on a grid.
fn frame(file: usize, bytes: &[u8]) -> Found {
    let directions = [[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], [[0.0, 1.0, 0.0], [0.0, 0.0, -1.0]]];
    let off = f64::from(bytes[1] % 16) * 1e-3;
    let mut position = [f64::from(bytes[2] % 4), 0.0, f64::from(bytes[0]) + off];
    if bytes[3] == 255 {
        position = [f64::from_bits(u64::from_le_bytes(bytes.try_into().expect("8 bytes"))); 3];
    }
    let is_lost = bytes[3] == 254 || !position[0].is_finite();
    Found {
        file,
        number: 0,
        // Equal ones would be told apart by the file, which stands for the order in which they were found.
        instance: format!("2.25.{file}"),
        key: Key {
            uid: (bytes[4] % 3).to_string(),
            number: Some(i64::from(bytes[4] % 3)),
            component: if bytes[4] & 16 == 0 { Component::Magnitude } else { Component::Phase },
            echo: Some(i64::from(bytes[4] >> 6)),
            size: (4, 4),
            sample: Sample { allocated: 16, stored: 12, signed: false },
        },
        plane: if is_lost {
            Err("lost".into())
        } else {
            Ok(Plane { position, directions: directions[usize::from(bytes[5] % 2)], spacing: [1.0, 1.0] })
        },
        time: Time { position: Some(i64::from(bytes[6] % 4)), ..Time::default() },
        scaling: (f64::from(bytes[7] % 2 + 1), 0.0),
        thickness: None,
        between: None,
        details: Details::default(),
    }
}

/// Slices of a series stand in order along their normal, each once.
fn check(group: &Group) {
    let Ok(series) = &group.outcome else { return };
    let grid = &series.grid;
    assert_eq!(series.frames.len(), grid.slices * grid.times);
    assert_eq!(series.frames.len(), group.files.len());
    let height = |position: [f64; 3]| position.iter().zip(grid.normal()).map(|(a, b)| a * b).sum::<f64>();
    for time in series.frames.chunks_exact(grid.slices) {
        assert!(time.windows(2).all(|two| height(two[0].position) < height(two[1].position)));
    }
}
