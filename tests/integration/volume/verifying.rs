//! `partdiff verify` of volumes: made again, and compared voxel by voxel and field by field.

use std::fs;
use std::process::Command;

use serde_json::Value;

use super::Place;
use super::bad_inputs::{nifti, put};
use crate::cli::has_runtime;

impl Place {
    /// The verdict, checked against the exit status.
    #[track_caller]
    pub(super) fn verdict(&self, result: &str, source: &str) -> Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_partdiff"));
        command.current_dir(self.0.path()).args(["verify", result, source, "--json", "--device", "cpu"]);
        let output = command.output().unwrap();
        let value: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(value["exit"].as_i64(), output.status.code().map(i64::from), "{value}");
        value
    }

    /// Changes the bytes of a file from `at` on.
    fn change<const N: usize>(&self, name: &str, at: usize, bytes: [u8; N]) {
        let path = self.0.path().join(name);
        let mut all = fs::read(&path).unwrap();
        put(&mut all, at, bytes);
        fs::write(path, all).unwrap();
    }
}

/// With a place in the world, so that corners can be compared.
fn placed() -> Vec<u8> {
    nifti(|header| {
        put(header, 254, 1i16.to_le_bytes());
        for (row, numbers) in
            [[1f32, 0.0, 0.0, -4.0], [0.0, 1.0, 0.0, -3.0], [0.0, 0.0, 3.0, 7.0]].iter().enumerate()
        {
            for (column, number) in numbers.iter().enumerate() {
                put(header, 280 + 16 * row + 4 * column, number.to_le_bytes());
            }
        }
    })
}

#[test]
fn results_of_every_kind_are_made_again() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    place.put("a.nii", &placed());
    for (index, arguments) in [
        &["--steps", "2", "--seed", "9"][..],
        &["-s", "2.5", "--datatype", "float32", "--cleanup", "0.3"],
        &["--through", "1", "--steps", "1"],
        &["--through", "1.5", "--thickness", "2.2"],
        &["--plane", "ik", "-s", "1.7"],
        &["-s", "1"],
        &["--steps", "3", "--noise-length", "7"],
        &["--consistency-kernel", "kspace", "-s", "3"],
    ]
    .into_iter()
    .enumerate()
    {
        let output = format!("{index}.nii.gz");
        place.made(&[&["a.nii", "-o", &output][..], arguments].concat());
        let value = place.verdict(&output, "a.nii");
        assert_eq!(value["verdict"], "identical", "{arguments:?}: {value}");
        assert!(value["volume"]["corners_mm"].as_f64().unwrap() < 1e-4, "{value}");
        assert!(value["volume"]["correlation"].as_f64().unwrap() > 0.9, "{value}");
        assert_eq!(value["volume"]["fields"], serde_json::json!([]));
        assert_eq!(value["volume"]["not_checked"][0], "the JSON sidecar");
    }
}

#[test]
fn a_result_made_with_a_mask_cannot_be_made_again() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    place.put("a.nii", &placed());
    place.made(&["a.nii", "-o", "b.nii", "--mask", "a.nii"]);
    let value = place.verdict("b.nii", "a.nii");
    assert_eq!(value["verdict"], "unverifiable", "{value}");
    assert!(value["reason"].as_str().unwrap().contains("made with a mask"), "{value}");
}

#[test]
fn what_was_changed_is_found() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    place.put("a.nii", &placed());
    place.made(&["a.nii", "-o", "r.nii"]);
    let whole = fs::read(place.0.path().join("r.nii")).unwrap();
    let length = whole.len();
    let again = || drop(place.put("r.nii", &whole));
    // A voxel, by one level and by many.
    let last = i16::from_le_bytes([whole[length - 2], whole[length - 1]]);
    place.change("r.nii", length - 2, (last + 1).to_le_bytes());
    let value = place.verdict("r.nii", "a.nii");
    assert_eq!((&value["verdict"], value["exit"].as_i64()), (&"equal".into(), Some(0)), "{value}");
    place.change("r.nii", length - 2, (last + 300).to_le_bytes());
    let value = place.verdict("r.nii", "a.nii");
    assert_eq!(value["verdict"], "different", "{value}");
    assert!(value["pages"][0]["max_difference"].as_f64().unwrap() > 50.0, "{value}");
    // The place, by 2 mm.
    again();
    place.change("r.nii", 292, (-2.375f32).to_le_bytes());
    let value = place.verdict("r.nii", "a.nii");
    assert_eq!(
        (&value["verdict"], &value["volume"]["fields"][0]),
        (&"different".into(), &"srow".into()),
        "{value}"
    );
    assert!((value["volume"]["corners_mm"].as_f64().unwrap() - 2.0).abs() < 1e-4, "{value}");
    again();
    place.change("r.nii", 112, 2f32.to_le_bytes());
    assert_eq!(place.verdict("r.nii", "a.nii")["volume"]["fields"][0], "scl_slope");
    // Another source, no record, and no volume.
    again();
    place.put("b.nii", &nifti(|_| {}));
    assert_eq!(place.verdict("r.nii", "b.nii")["verdict"], "other_source");
    let value = place.verdict("b.nii", "a.nii");
    assert!(value["reason"].as_str().unwrap().contains("has no provenance record"), "{value}");
    place.put("r.nii", &whole[..length - 1]);
    let value = place.verdict("r.nii", "a.nii");
    assert_eq!(value["exit"], 2);
    assert!(value["reason"].as_str().unwrap().contains("r.nii: the data is too short"), "{value}");
}
