//! Volumes in a watched folder: taken with their sidecars, by the model for them.

use std::fs;

use serde_json::Value;

use super::place::{Place, names, ppm};
use crate::volume::bad_inputs::nifti;

#[test]
fn volumes_are_made_beside_images_and_pairs_are_left_alone() {
    let Some(place) = Place::real() else { return };
    fs::write(place.path("in/a.ppm"), ppm(8, 1)).unwrap();
    fs::write(place.path("in/b.nii"), nifti(|_| {})).unwrap();
    fs::write(place.path("in/b.json"), r#"{"PatientName": "Doe", "EchoTime": 0.10}"#).unwrap();
    fs::write(place.path("in/sub-01_T1w.nii"), nifti(|header| header[148] = b'x')).unwrap();
    fs::write(place.path("in/old.img"), b"voxels").unwrap();
    fs::write(place.path("in/bad.nii"), b"no volume").unwrap();
    let listed = place.command("--dry-run").output().unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains("b.nii") && listed.contains("one file of a pair"), "{listed}");
    let ran = place.command("--once --attempts 1").output().unwrap();
    let log = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert_eq!(ran.status.code(), Some(1), "{log}");
    assert!(log.contains("one file of a pair") && !log.contains("Doe"), "{log}");
    assert_eq!(
        place.results(),
        names(&["a.ppm", "b.json", "b.nii", "sub-01_res-x4_desc-partdiff_T1w.nii"]),
        "{log}"
    );
    let sidecar = fs::read_to_string(place.path("out/b.json")).unwrap();
    assert!(sidecar.contains("\"EchoTime\": 0.10,"), "{sidecar}");
    let sidecar: Value = serde_json::from_str(&sidecar).unwrap();
    assert_eq!((&sidecar["PatientName"], &sidecar["Sources"][0]), (&"Doe".into(), &"../in/b.nii".into()));
    assert!(sidecar["GeneratedBy"][0]["Description"].as_str().unwrap().contains("model mri-x4"));
    // The result is what its record says.
    let (result, source) = (place.path("out/b.nii"), place.path("in/b.nii"));
    let mut verify = std::process::Command::new(env!("CARGO_BIN_EXE_partdiff"));
    let found = verify.arg("verify").args([result, source]).output().unwrap();
    assert_eq!(found.status.code(), Some(0), "{}", String::from_utf8_lossy(&found.stdout));
    // Nothing is made twice.
    place.command("--once --attempts 1").output().unwrap();
    assert_eq!(place.results().len(), 4);
}

#[test]
fn a_sidecar_keeps_the_name_of_its_volume_whatever_is_taken() {
    let Some(place) = Place::real() else { return };
    fs::create_dir_all(place.path("out")).unwrap();
    fs::write(place.path("out/b.json"), "{}").unwrap();
    fs::write(place.path("in/b.nii.gz"), nifti(|_| {})).unwrap();
    fs::write(place.path("in/b.json"), "{\"A\": 1}").unwrap();
    let ran = place.command("--once").output().unwrap();
    assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(place.results(), names(&["b-2.json", "b-2.nii", "b.json"]));
    assert_eq!(fs::read_to_string(place.path("out/b.json")).unwrap(), "{}");
}
