//! What is read, against pydicom and dcm2niix: voxels, places and units, at factor 1.

use super::super::{Judge, Place, samples};

const JUDGES: Judge = Judge {
    script: "dicom_in/judge.py",
    modules: "pydicom, dcm2niix, nibabel, numpy, openjpeg, gdcm",
    packages: "pydicom, pylibjpeg-openjpeg, python-gdcm, dcm2niix and nibabel",
};

#[test]
fn series_of_all_kinds_are_read_as_the_judges_read_them() {
    if !JUDGES.is_ready() {
        return;
    }
    let place = Place::new();
    let more = if cfg!(feature = "jpegls") { vec!["jpegls"] } else { vec![] };
    JUDGES.judge(&place, &[&["make", "in"], &more[..]].concat());
    let told = place.made(&["in", "-o", "out/", "--name", "{stem}.nii.gz", "-s", "1"]);
    assert!(told.contains("have RescaleSlope and RescaleIntercept of their own"), "{told}");
    let mut kinds = 0;
    for entry in std::fs::read_dir(place.0.path().join("in")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        // A single file gives its name.
        let single = ["single", "enhanced", "enhanced-scaled"].contains(&name.as_str());
        let file = if single {
            std::fs::read_dir(place.0.path().join("in").join(&name)).unwrap().next()
        } else {
            None
        };
        let result = match file {
            Some(file) => format!("out/{name}/{}.nii.gz", file.unwrap().file_name().into_string().unwrap()),
            None => format!("out/{name}.nii.gz"),
        };
        let but = match name.as_str() {
            // dcm2niix reads no deflated file, some without meta group only, and makes three files of these times.
            "bare" | "deflated" | "enhanced-times" => "apart",
            // It applies one slope to all slices.
            "scaled" | "enhanced-scaled" => "scaled",
            _ => "",
        };
        JUDGES.judge(&place, &["compare", &format!("in/{name}"), &result, but]);
        kinds += 1;
    }
    assert_eq!(kinds, 20 + more.len());
}

#[test]
#[ignore = "needs the public files in the folder that PARTDIFF_SAMPLES names"]
fn public_files_are_read_as_the_judges_read_them() {
    if !JUDGES.is_ready() {
        return;
    }
    let samples = samples();
    let sample = |name: &str| samples.join(name).to_str().unwrap().to_owned();
    let place = Place::new();
    for (name, path) in [
        ("small", "mri-peers/MR_small.dcm"),
        ("implicit", "mri-peers/MR_small_implicit.dcm"),
        ("overlay", "mri-peers/MR_overlay_siemens.dcm"),
        ("jpeg2000", "mri-peers/MR2_J2KR.dcm"),
        ("sagittal", "mri-peers/series_sagittal_t1"),
        ("times", "mri-peers/enhanced_siemens_xa10"),
        ("adi", "mri/dicom_adi_T2"),
        ("papaya", "mri/dicom_papaya_PD"),
    ] {
        let result = format!("{name}.nii.gz");
        place.made(&[&sample(path), "-o", &result, "-s", "1"]);
        // dcm2niix takes the distance of the first two slices for all of them.
        let uneven = if name == "papaya" { "uneven" } else { "" };
        JUDGES.judge(&place, &["compare", &sample(path), &result, uneven]);
    }
    let told = place.made(&[&sample("mri-peers/series_sagittal_t1"), "-o", "gap.nii"]);
    assert!(told.contains("slices are 4 mm thick and lie 4.8 mm apart"), "{told}");
    let told = place.made(&[&sample("mri/dicom_adi_T2"), "-o", "adi2.nii", "-s", "2"]);
    assert!(
        told.contains("the acquired grid seems to be 269x512x8, interpolated before it was stored"),
        "{told}"
    );
    let output = place.upscale(&[&sample("mri-peers/emri_small_no_geometry.dcm")]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("NumberOfFrames is 10, but PerFrameFunctionalGroupsSequence is missing"), "{told}");
}
