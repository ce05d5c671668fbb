//! Series that cannot be written: a message that says why, and nothing left behind.

use std::fs;

use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::tags;

use super::super::Place;
use super::super::bad_inputs::{nifti, put};
use super::super::dicom_in::series::{short, slice, text, write};
use super::tree;
use crate::cli::has_runtime;

/// Expects that the command fails with `message`.
#[track_caller]
fn fails(place: &Place, arguments: &[&str], message: &str) {
    let output = place.upscale(arguments);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && told.contains(message), "{arguments:?}: {told}");
}

#[test]
fn a_side_longer_than_dicom_stores_is_refused_before_work() {
    let place = Place::new();
    let mut wide = slice(0.0);
    wide.put(short(tags::COLUMNS, 20_000));
    wide.put(short(tags::ROWS, 2));
    wide.put(DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(vec![7; 40_000].into())));
    write(wide, &place.0.path().join("head/a"));
    let message =
        "the result has 80000 columns and 8 rows: expected at most 65535 of each, as DICOM stores no more";
    fails(&place, &["head"], message);
    assert_eq!(tree(&place), ["head/a"]);
}

#[test]
fn a_source_without_uid_is_told() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    place.add_slices("head", &[5.0]);
    let mut nameless = slice(0.0);
    nameless.put(text(tags::SOP_INSTANCE_UID, VR::UI, ""));
    write(nameless, &place.0.path().join("head/IM1"));
    fails(&place, &["head"], "IM1 has no SOPInstanceUID: expected one, which the result refers to");
    assert_eq!(tree(&place), ["head/IM0", "head/IM1"]);
}

#[test]
fn options_and_targets_that_do_not_suit_are_told() {
    let place = Place::new();
    place.add_slices("head", &[5.0, 0.0]);
    place.put("a.nii", &nifti(|_| {}));
    for (arguments, message) in [
        (&["head", "--datatype", "int16"][..], "--datatype is for NIfTI"),
        (&["head/IM0", "-o", "x.png"], "or for DICOM a folder, with a trailing /"),
        (&["head", "--like", "head"], "--like is for NIfTI: a DICOM series has attributes of its own"),
        (
            &["a.nii", "--like", "head", "-o", "x.nii"],
            "--like writes DICOM, and OUT is x.nii: expected a folder",
        ),
        (&["a.nii", "--like", "a.nii"], "--like: a.nii holds 0 DICOM series: expected one"),
        (&["a.nii", "--like", "gone"], "--like: gone: cannot read"),
        (&["a.nii", "--like", "head"], "so the volume does not say where it lies"),
    ] {
        fails(&place, arguments, message);
    }
    assert_eq!(tree(&place), ["a.nii", "head/IM0", "head/IM1"]);
}

#[test]
fn a_volume_goes_to_dicom_only_where_the_series_lies() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    place.add_slices("head", &[0.0, 5.0, 10.0]);
    place.made(&["head", "-o", "a.nii", "-s", "1"]);
    place.made(&["a.nii", "--like", "head", "-o", "out/", "-s", "2"]);
    assert_eq!(fs::read_dir(place.0.path().join("out/a")).unwrap().count(), 3);
    // A folder that does not exist yet needs no slash.
    place.made(&["a.nii", "--like", "head", "-o", "new", "-s", "2"]);
    assert_eq!(fs::read_dir(place.0.path().join("new/a")).unwrap().count(), 3);
    // What is finer already lies there too.
    place.made(&["head", "-o", "fine.nii", "-s", "2"]);
    place.made(&["fine.nii", "--like", "head", "-o", "out/", "-s", "1"]);
    let whole = fs::read(place.0.path().join("a.nii")).unwrap();
    // Of bytes too, pixels are stored as in the series: no type of NIfTI is told of.
    let (header, voxels) = whole.split_at(f32::from_le_bytes(whole[108..112].try_into().unwrap()) as usize);
    let bytes: Vec<u8> = voxels.chunks(2).map(|voxel| voxel[0] / 4 + voxel[1] * 64).collect();
    let mut bytes = [header, &bytes].concat();
    put(&mut bytes, 70, 2i16.to_le_bytes());
    put(&mut bytes, 72, 8i16.to_le_bytes());
    place.put("bytes.nii", &bytes);
    let told = place.made(&["bytes.nii", "--like", "head", "-o", "out/", "-s", "2"]);
    assert!(!told.contains("become float32"), "{told}");
    let changed = |name: &str, change: fn(&mut [u8])| {
        let mut bytes = whole.clone();
        change(&mut bytes);
        place.put(name, &bytes);
    };
    // srow_x[3], and qform_code, which then has no say.
    changed("moved.nii", |bytes| put(bytes, 292, 99f32.to_le_bytes()));
    fails(
        &place,
        &["moved.nii", "--like", "head"],
        "the corner at the first i, first j and first k lies at (",
    );
    // scl_slope.
    changed("bright.nii", |bytes| put(bytes, 112, 1000f32.to_le_bytes()));
    fails(&place, &["bright.nii", "--like", "head"], "which do not fit the 12 bits of the series");
    changed("flat.nii", |bytes| put(bytes, 112, 0.001f32.to_le_bytes()));
    fails(&place, &["flat.nii", "--like", "head"], "too few to tell them apart");
    assert!(tree(&place).iter().all(|name| !name.contains("_x4")));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_in_the_middle_of_a_series_leaves_nothing() {
    use super::super::super::watch::place::Mount;
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    let heights: Vec<f64> = (0..20).map(|index| 5.0 * f64::from(index)).collect();
    place.add_slices("head", &heights);
    // A slice of the result takes 4 KiB of a page and more.
    let Some(_mount) = Mount::new(place.0.path().join("out"), "60k") else { return };
    fails(&place, &["head", "-o", "out/"], "cannot write out/head: No space left on device");
    assert!(fs::read_dir(place.0.path().join("out")).unwrap().next().is_none());
}

#[cfg(unix)]
#[test]
fn an_interrupt_leaves_neither_series_nor_temporary() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    let heights: Vec<f64> = (0..200).map(|index| 5.0 * f64::from(index)).collect();
    place.add_slices("head", &heights);
    place.interrupt(&["head"]);
    assert_eq!(place.files(), ["head"]);
}

/// Values of attributes that name the patient, and others that are nobody's business.
const SECRETS: [&str; 6] = ["Jane", "ID4711", "19700203", "DrWho", "Clinic9", "kidney"];

#[test]
fn nothing_that_names_the_patient_is_told_or_becomes_a_name() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    let named = |height: f64| {
        let mut object = slice(height);
        for (tag, vr, value) in [
            (tags::PATIENT_NAME, VR::PN, "Doe^Jane"),
            (tags::PATIENT_ID, VR::LO, "ID4711"),
            (tags::PATIENT_BIRTH_DATE, VR::DA, "19700203"),
            (tags::REFERRING_PHYSICIAN_NAME, VR::PN, "DrWho"),
            (tags::INSTITUTION_NAME, VR::LO, "Clinic9"),
            (tags::SERIES_DESCRIPTION, VR::LO, "kidney of Jane"),
            (tags::STUDY_DESCRIPTION, VR::LO, "kidney"),
            (tags::IMAGE_COMMENTS, VR::LT, "Jane's kidney"),
        ] {
            object.put(text(tag, vr, value));
        }
        object
    };
    for (good, gap) in [(0.0, 0.0), (5.0, 5.0), (10.0, 20.0)] {
        write(named(good), &place.0.path().join(format!("good/{good}")));
        write(named(gap), &place.0.path().join(format!("gap/{gap}")));
    }
    let mut nameless = named(0.0);
    nameless.put(text(tags::SOP_INSTANCE_UID, VR::UI, ""));
    write(nameless, &place.0.path().join("nameless/0"));
    write(named(0.0), &place.0.path().join("torn/0"));
    let torn = fs::read(place.0.path().join("torn/0")).unwrap();
    fs::write(place.0.path().join("torn/0"), &torn[..600]).unwrap();
    for how in
        [&["--json"][..], &["--verbose"], &["--dry-run"], &["--quiet"], &["--through", "iso", "--json"]]
    {
        let inputs = ["good", "gap", "nameless", "torn"];
        let output = place.upscale(&[&inputs[..], &["-o", "out/", "--overwrite"], how].concat());
        let told = [output.stdout, output.stderr].concat();
        let told = String::from_utf8_lossy(&told);
        assert!(told.contains("torn"), "{told}");
        let names = tree(&place).join(" ");
        for secret in SECRETS {
            assert!(!told.contains(secret) && !names.contains(secret), "{secret}: {told} {names}");
        }
    }
    // The result itself keeps them.
    let kept = fs::read(place.0.path().join("out/good/0001.dcm")).unwrap();
    assert!(kept.windows(8).any(|bytes| bytes == b"Doe^Jane"));
}
