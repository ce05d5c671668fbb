//! How thick slices were acquired, which the correction through the plane needs.

use std::fs;

use super::Place;
use super::bad_inputs::{nifti, put};
use crate::cli::has_runtime;

/// Sides of the volume along i, j and k; its slices lie 4 mm apart, and its voxels are 1 mm in the plane.
const SIDES: [usize; 3] = [12, 10, 6];

fn value([i, j, k]: [usize; 3]) -> f32 {
    1000.0 + 400.0 * (i as f32 * 0.4 + k as f32 * 1.3).sin() * (j as f32 * 0.3).cos()
}

fn volume() -> Vec<u8> {
    let mut bytes = nifti(|header| {
        (0..3).for_each(|axis| put(header, 42 + 2 * axis, (SIDES[axis] as i16).to_le_bytes()));
        put(header, 70, 16i16.to_le_bytes());
        put(header, 72, 32i16.to_le_bytes());
        put(header, 88, 4f32.to_le_bytes());
        put(header, 254, 1i16.to_le_bytes());
        (0..3).for_each(|axis| put(header, 280 + 20 * axis, [1f32, 1.0, 4.0][axis].to_le_bytes()));
    });
    bytes.truncate(352);
    let [i, j, k] = SIDES;
    bytes.extend((0..i * j * k).flat_map(|at| value([at % i, at / i % j, at / i / j]).to_le_bytes()));
    bytes
}

impl Place {
    /// The result of `a.nii` with slices of 1 mm, made with these arguments, and what was told.
    #[track_caller]
    fn finer(&self, arguments: &[&str]) -> (Vec<u8>, String) {
        let words = ["a.nii", "-o", "result.nii", "--through", "1mm", "--overwrite", "--no-provenance"];
        let told = self.made(&[&words, arguments].concat());
        (fs::read(self.0.path().join("result.nii")).unwrap(), told)
    }

    fn sidecar(&self, thickness: &str) {
        self.put("a.json", format!("{{\"SliceThickness\": {thickness}}}").as_bytes());
    }
}

/// The largest difference of any acquired voxel from the mean of the `rows` of the four that were made of it.
fn apart(result: &[u8], rows: std::ops::Range<usize>) -> f32 {
    let voxels: Vec<f32> =
        result[352..].chunks(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect();
    let [i, j, k] = SIDES;
    assert_eq!(voxels.len(), i * j * 4 * k);
    let mut most = 0f32;
    for at in 0..i * j * k {
        let (in_plane, slice) = (at % (i * j), at / (i * j));
        let sum: f32 = rows.clone().map(|row| voxels[in_plane + i * j * (4 * slice + row)]).sum();
        let mean = sum / rows.len() as f32;
        most = most.max((mean - value([in_plane % i, in_plane / i, slice])).abs());
    }
    most
}

#[test]
fn acquired_slices_keep_their_means_over_the_thickness_that_is_stated() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    place.put("a.nii", &volume());
    let (whole, told) = place.finer(&[]);
    assert!(!told.contains("warning"), "{told}");
    assert!(apart(&whole, 0..4) < 4.0 && apart(&whole, 1..3) > 20.0, "{}", apart(&whole, 1..3));
    let (thin, told) = place.finer(&["--thickness", "2mm"]);
    assert!(told.contains("slices are 2 mm thick and lie 4 mm apart: the gaps were not measured"), "{told}");
    assert!(apart(&thin, 1..3) < 4.0 && apart(&thin, 0..4) > 20.0, "{}", apart(&thin, 0..4));
    // A sidecar says the same, and the option has the last word.
    place.sidecar("2.0");
    let (stated, told) = place.finer(&[]);
    assert!(stated == thin && told.contains("slices are 2 mm thick"), "{told}");
    assert!(place.finer(&["--thickness", "4"]).0 == whole);
    for (thickness, warning) in [
        ("4", None),
        ("\"2\"", None),
        ("0", Some("SliceThickness of its sidecar is 0 mm, and slices lie 4 mm apart: expected 0.4 to 8 mm")),
        ("0.002", Some("of its sidecar is 0.002 mm")),
    ] {
        place.sidecar(thickness);
        let (result, told) = place.finer(&[]);
        assert!(result == whole, "{thickness}");
        assert_eq!(told.contains("warning: "), warning.is_some(), "{told}");
        assert!(warning.is_none_or(|warning| told.contains(warning)), "{told}");
    }
    // In the plane it plays no part.
    place.sidecar("0");
    assert!(!place.made(&["a.nii", "-o", "plane.nii", "-s", "2"]).contains("SliceThickness"));
}

#[test]
fn a_result_is_made_again_with_the_thickness_of_its_record() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    place.put("a.nii", &volume());
    place.made(&["a.nii", "-o", "whole.nii", "--through", "1"]);
    place.sidecar("3.2");
    place.made(&["a.nii", "-o", "thin.nii", "--through", "1"]);
    assert_eq!(place.verdict("whole.nii", "a.nii")["verdict"], "identical");
    fs::remove_file(place.0.path().join("a.json")).unwrap();
    assert_eq!(place.verdict("thin.nii", "a.nii")["verdict"], "identical");
}

#[test]
fn the_option_says_more_than_a_series() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    place.add_slices("head", &[0.0, 5.0, 10.0]);
    let made = |more: &[&str]| {
        let words = ["head", "-o", "a.nii", "--through", "1", "--overwrite", "--no-provenance"];
        place.made(&[&words, more].concat());
        fs::read(place.0.path().join("a.nii")).unwrap()
    };
    let (own, thin) = (made(&[]), made(&["--thickness", "1.5"]));
    assert!(own != thin && thin == made(&["--thickness", "1.5mm"]));
}

#[test]
fn a_thickness_that_cannot_be_is_told() {
    let place = Place::new();
    place.put("a.nii", &volume());
    let expected = "expected millimetres above 0, such as 4 or 2.5mm";
    for (arguments, message) in [
        (&["--through", "1", "--thickness", "thick"][..], expected),
        (&["--through", "1", "--thickness", "0"], expected),
        (&["--through", "1", "--thickness=-2"], expected),
        (&["--thickness", "2"], "--through <iso|MM>"),
        (
            &["--through", "1", "--thickness", "0.3"],
            "--thickness is 0.3 mm, and slices lie 4 mm apart: expected 0.4 to 8 mm",
        ),
        (&["--through", "1", "--thickness", "9"], "--thickness is 9 mm, and slices lie 4 mm apart"),
    ] {
        let output = place.upscale(&[&["a.nii"], arguments].concat());
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && told.contains(message), "{arguments:?}: {told}");
    }
    assert_eq!(place.files(), ["a.nii"]);
}
