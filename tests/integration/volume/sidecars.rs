//! JSON files beside volumes, and names of the Brain Imaging Data Structure.

use std::fs;

use serde_json::{Value, json};

use super::Place;
use super::bad_inputs::nifti;
use crate::cli::has_runtime;

/// As dcm2niix writes it, with what must not be shown, and numbers that a program might spell anew.
const SIDECAR: &str = r#"{
    "PatientName": "Jane^Doe",
    "EchoTime": 0.0030000,
    "SliceThickness": 2.5,
    "SpacingBetweenSlices": 3,
    "AcquisitionVoxelSize": [1.0, 1.0, 2.5],
    "PhaseEncodingDirection": "j-",
    "ReconMatrixPE": 7,
    "EffectiveEchoSpacing": 0.0005,
    "TotalReadoutTime": 0.003,
    "SliceTiming": [0, 1.25],
    "Sources": ["bids::older.nii"],
    "GeneratedBy": [{"Name": "dcm2niix", "Version": "1"}]
}"#;

impl Place {
    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.0.path().join(name)).unwrap()).unwrap()
    }

    /// As `upscale`, and it must fail; what it said.
    #[track_caller]
    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.upscale(arguments);
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    }
}

fn place() -> Place {
    let place = Place::new();
    place.put("b.nii", &nifti(|_| {}));
    place.put("b.json", SIDECAR.as_bytes());
    place
}

#[test]
fn fields_are_kept_and_sizes_follow_the_grid() {
    if !has_runtime() {
        return;
    }
    let place = place();
    let told = place.made(&["b.nii"]);
    assert!(!told.contains("Doe"), "{told}");
    let text = fs::read_to_string(place.0.path().join("b_x4.json")).unwrap();
    assert!(text.starts_with("{\n\t\"PatientName\": \"Jane^Doe\",\n\t\"EchoTime\": 0.0030000,\n"), "{text}");
    let new = place.json("b_x4.json");
    for (field, value) in [
        ("SliceThickness", json!(2.5)),
        ("SpacingBetweenSlices", json!(3)),
        ("AcquisitionVoxelSize", json!([1.0, 1.0, 2.5])),
        ("SliceTiming", json!([0, 1.25])),
        ("ReconMatrixPE", json!(28)),
        ("TotalReadoutTime", json!(0.003)),
        ("Sources", json!(["b.nii"])),
        ("Resolution", json!("0.25 x 0.25 x 3 mm, 4 times as fine along the axes ij as the source")),
    ] {
        assert_eq!(new[field], value, "{field}");
    }
    // 6 gaps of lines were 3 ms; so are 27.
    assert!((new["EffectiveEchoSpacing"].as_f64().unwrap() * 27.0 - 0.003).abs() < 1e-9);
    assert_eq!(new["GeneratedBy"][0]["Name"], "dcm2niix");
    assert_eq!(new["GeneratedBy"][1]["Name"], "PartDiff");
    let told = place.made(&["b.nii", "--through", "1", "-o", "c.nii", "--no-provenance"]);
    assert!(told.contains("SliceTiming of its sidecar does not fit the new slices: left out"), "{told}");
    let new = place.json("c.json");
    assert_eq!((&new["SliceThickness"], &new["SpacingBetweenSlices"]), (&json!(1.0), &json!(1.0)));
    assert_eq!((&new["ReconMatrixPE"], &new["Sources"]), (&json!(7), &json!(["bids::older.nii"])));
    assert!(new.get("SliceTiming").is_none());
    // At factor 1 all sizes stay.
    place.made(&["b.nii", "-s", "1", "-o", "d.nii"]);
    let new = place.json("d.json");
    assert!(new.get("Resolution").is_none() && new["SliceThickness"] == json!(2.5), "{new}");
}

#[test]
fn an_existing_sidecar_follows_the_rules_of_results() {
    if !has_runtime() {
        return;
    }
    let place = place();
    place.put("b_x4.json", b"{}");
    for (arguments, message) in [
        (&["b.nii"][..], "b_x4.json exists already: give --overwrite"),
        (
            &["b.nii", "--skip-existing"],
            "b_x4.json exists without its volume: move it away, or give --overwrite",
        ),
    ] {
        let told = place.refused(arguments);
        assert!(told.contains(message), "{told}");
    }
    assert_eq!(place.files(), ["b.json", "b.nii", "b_x4.json"]);
    place.made(&["b.nii", "--overwrite"]);
    assert_eq!(place.json("b_x4.json")["PatientName"], "Jane^Doe");
    // The input's own is never replaced.
    let told = place.refused(&["b.nii", "-o", "b.nii.gz", "--overwrite"]);
    assert!(told.contains("b.json is the sidecar of the input"), "{told}");
    // Nor is that of another volume, which lies there under another extension.
    place.put("f.nii.gz", b"of somebody else");
    place.put("f.json", b"{}");
    let told = place.refused(&["b.nii", "-o", "f.nii", "--overwrite"]);
    assert!(told.contains("f.json belongs to f.nii.gz: choose another name or folder"), "{told}");
    assert_eq!(place.json("f.json"), json!({}));
    // A stranger stays, and is named.
    place.put("e.nii", &nifti(|_| {}));
    place.put("e_x4.json", b"{}");
    let told = place.made(&["e.nii"]);
    assert!(told.contains("e_x4.json is of another volume, and stays beside the result"), "{told}");
    assert_eq!(place.json("e_x4.json"), json!({}));
}

#[test]
fn a_volume_and_its_sidecar_come_together_or_not_at_all() {
    if !has_runtime() {
        return;
    }
    let place = place();
    let bytes = nifti(|_| {});
    place.put("b.nii", &bytes[..bytes.len() - 1]);
    place.refused(&["b.nii"]);
    assert_eq!(place.files(), ["b.json", "b.nii"]);
    // In place, both are kept.
    place.put("b.nii", &bytes);
    place.put("b.json.orig", b"");
    let told = place.refused(&["b.nii", "--in-place"]);
    assert!(told.contains("b.json.orig already exists"), "{told}");
    fs::remove_file(place.0.path().join("b.json.orig")).unwrap();
    place.made(&["b.nii", "--in-place"]);
    assert_eq!(place.files(), ["b.json", "b.json.orig", "b.nii", "b.nii.orig"]);
    assert_eq!(fs::read(place.0.path().join("b.json.orig")).unwrap(), SIDECAR.as_bytes());
    assert_eq!(place.json("b.json")["Sources"], json!(["b.nii.orig"]));
}

#[test]
fn what_is_no_json_is_named_and_not_copied() {
    if !has_runtime() {
        return;
    }
    for (text, line) in
        [("{\n\"PatientName\": \"Doe\",\n", "line 3"), ("[\"Doe\"]", "line 1"), ("{\"a\": NaN}", "line 1")]
    {
        let place = place();
        place.put("b.json", text.as_bytes());
        let told = place.made(&["b.nii"]);
        assert!(told.contains("its sidecar b.json is not a JSON object") && told.contains(line), "{told}");
        assert!(!told.contains("Doe"), "{told}");
        assert_eq!(place.files(), ["b.json", "b.nii", "b_x4.nii"]);
    }
}

#[test]
fn names_of_bids_stay_names_of_bids() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    fs::create_dir_all(place.0.path().join("raw/sub-01/anat")).unwrap();
    place.put("raw/dataset_description.json", b"{}");
    place.put("raw/sub-01/anat/sub-01_T1w.nii", &nifti(|_| {}));
    place.put("raw/sub-01/anat/sub-01_T1w.json", b"{}");
    let made = |name: &str| assert!(place.0.path().join(name).is_file(), "{name}");
    place.made(&["raw", "-o", "out/"]);
    made("out/sub-01/anat/sub-01_res-x4_desc-partdiff_T1w.nii");
    let sidecar = place.json("out/sub-01/anat/sub-01_res-x4_desc-partdiff_T1w.json");
    assert_eq!(sidecar["Sources"], json!(["../../../raw/sub-01/anat/sub-01_T1w.nii"]));
    place.made(&["raw", "-s", "1.5"]);
    made("raw/sub-01/anat/sub-01_res-x1p5_desc-partdiff_T1w.nii");
    let sidecar = place.json("raw/sub-01/anat/sub-01_res-x1p5_desc-partdiff_T1w.json");
    assert_eq!(sidecar["Sources"], json!(["bids::sub-01/anat/sub-01_T1w.nii"]));
    // A second run finds what the first one made.
    place.made(&["raw", "-s", "1.5", "--skip-existing"]);
    place.made(&[
        "raw/sub-01/anat/sub-01_T1w.nii",
        "-o",
        "other/",
        "--name",
        "{stem}_x{scale}.{ext}",
        "-s",
        "2",
    ]);
}
