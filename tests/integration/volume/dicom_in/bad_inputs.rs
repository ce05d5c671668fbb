//! Series that cannot be made: each with a message that names the file and what was expected, and nothing left behind.

use std::fs;

use dicom_core::VR;
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;

use super::Place;
use super::series::{SIZE, sequence, short, slice, text, write, write_as};

/// What the command says of a folder `study`, with exit status 1.
#[track_caller]
fn told(place: &Place, arguments: &[&str]) -> String {
    let output = place.upscale(&[&["study"], arguments].concat());
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(matches!(output.status.code(), Some(1 | 2)), "{told}");
    assert!(!told.contains("Secret"), "{told}");
    told
}

/// Expects that a folder with these files fails with `message`, and that nothing is left.
#[track_caller]
fn fails(slices: Vec<InMemDicomObject>, message: &str) {
    let place = Place::new();
    for (index, slice) in slices.into_iter().enumerate() {
        write(slice, &place.0.path().join(format!("study/{index}")));
    }
    let told = told(&place, &["-o", "out.nii.gz"]);
    assert!(told.contains("study") && told.contains(message), "{told}");
    assert_eq!(place.files(), ["study"]);
}

/// The file of one slice with `change` made to it.
fn changed(change: impl FnOnce(&mut InMemDicomObject)) -> InMemDicomObject {
    let mut object = slice(0.0);
    change(&mut object);
    object
}

#[test]
fn a_gap_is_told_with_the_missing_place() {
    let heights = |heights: &[f64]| heights.iter().map(|height| slice(*height)).collect();
    fails(
        heights(&[0.0, 15.0, 20.0, 5.0]),
        "a slice is missing at (-10, 20, 10) mm, between study/3 and study/1: others lie 5.00 mm apart",
    );
    fails(heights(&[0.0, 5.0, 25.0]), "3 slices are missing, the first at (-10, 20, 10) mm");
    fails(
        heights(&[0.0, 5.0, 12.0]),
        "slices lie 5.00 to 7.00 mm apart: expected even distances, to 2 % of one",
    );
    let mut askew = slice(5.0);
    askew.put(text(tags::IMAGE_POSITION_PATIENT, VR::DS, r"-9\20\5"));
    fails(vec![slice(0.0), askew, slice(10.0)], "study/1 is shifted by 1.00 mm within its plane");
}

#[test]
fn duplicates_are_told_by_both_files() {
    let message = "study/1 and study/3 are the same slice, at (-10, 20, 5) mm: expected each once";
    fails(vec![slice(0.0), slice(5.0), slice(10.0), slice(5.0)], message);
    // Under another UID and number, where all others are there once.
    let mut other = slice(5.0);
    other.put(text(tags::SOP_INSTANCE_UID, VR::UI, "2.25.9999999"));
    other.put(text(tags::INSTANCE_NUMBER, VR::IS, "7"));
    fails(vec![slice(0.0), slice(5.0), slice(10.0), other], message);
}

#[test]
fn times_that_lack_a_slice_are_told() {
    let timed = |height: f64, time: &str| {
        let mut object = slice(height);
        object.put(text(tags::TEMPORAL_POSITION_IDENTIFIER, VR::IS, time));
        object.put(text(tags::SOP_INSTANCE_UID, VR::UI, &format!("2.25.{}.{time}", height as i64 + 1)));
        object
    };
    let all = [0.0, 5.0, 10.0].into_iter().flat_map(|height| ["1", "2"].map(|time| timed(height, time)));
    let mut lacking: Vec<_> = all.collect();
    lacking.pop();
    fails(lacking, "the slice at (-10, 20, 10) mm (study/4) was taken 1 times, others 2 times");
}

#[test]
fn several_series_are_listed_and_made_into_a_folder() {
    let place = Place::with_slices("study", &[0.0, 5.0]);
    for height in [0.0, 5.0, 10.0] {
        let mut other = slice(height);
        other.put(text(tags::SERIES_INSTANCE_UID, VR::UI, "2.25.78"));
        other.put(text(tags::SERIES_NUMBER, VR::IS, "6"));
        write(other, &place.0.path().join(format!("study/other{height}")));
    }
    let told = told(&place, &["-o", "out.nii.gz"]);
    let list = "out.nii.gz names a single file, but there are 2 series (series 5: 2 slices of 8x6; series 6: 3 slices of 8x6)";
    assert!(told.contains(list), "{told}");
    assert_eq!(place.files(), ["study"]);
    if crate::cli::has_runtime() {
        place.made(&["study", "-o", "out/", "--name", "{stem}.nii.gz"]);
        assert!(place.0.path().join("out/study_s5.nii.gz").is_file());
        assert!(place.0.path().join("out/study_s6.nii.gz").is_file());
    }
}

#[test]
fn magnitudes_are_made_and_a_field_map_beside_them_is_refused() {
    let place = Place::with_slices("study", &[0.0, 5.0]);
    for height in [0.0, 5.0] {
        let mut other = slice(height);
        other.put(text(tags::IMAGE_TYPE, VR::CS, r"ORIGINAL\PRIMARY\B0 MAP\B0\UNSPECIFIED"));
        write(other, &place.0.path().join(format!("study/map{height}")));
    }
    assert!(
        told(&place, &["-o", "out.nii.gz"])
            .contains("2 series (series 5: 2 slices of 8x6; series 5: 2 slices of 8x6, a field map)")
    );
    let told = told(&place, &["-o", "out/", "--name", "{stem}.nii.gz"]);
    assert!(told.contains("holds a field map (ImageType), and values between them mean nothing"), "{told}");
    if crate::cli::has_runtime() {
        assert!(place.0.path().join("out/study_s5.nii.gz").is_file());
        assert!(!place.0.path().join("out/study_s5_fieldmap.nii.gz").exists());
    }
}

#[test]
fn what_is_no_stack_of_images_is_refused_by_what_it_is() {
    let words = |words: &str| {
        changed(|object| {
            object.put(text(tags::IMAGE_TYPE, VR::CS, words));
        })
    };
    fails(
        vec![words(r"ORIGINAL\PRIMARY\M\ND\MOSAIC")],
        "is a Siemens mosaic, which holds all slices in one image",
    );
    fails(
        vec![words(r"ORIGINAL\PRIMARY\P\ND")],
        "holds phases (ImageType), and values between them mean nothing",
    );
    let segmentation = changed(|object| {
        object.put(text(tags::SOP_CLASS_UID, VR::UI, uids::SEGMENTATION_STORAGE));
    });
    fails(vec![segmentation], "is a segmentation, and values between its labels mean nothing");
    let report = changed(|object| {
        object.put(text(tags::SOP_CLASS_UID, VR::UI, uids::BASIC_TEXT_SR_STORAGE));
        for tag in [tags::ROWS, tags::COLUMNS, tags::PIXEL_DATA] {
            object.remove_element(tag);
        }
    });
    let place = Place::new();
    write(report.clone(), &place.0.path().join("study"));
    let message = told(&place, &[]);
    assert!(message.contains("study: is Basic Text SR (DICOM): expected an image"), "{message}");
    fails(vec![report], "no images in this folder");
    let colour = changed(|object| {
        object.put(text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "RGB"));
        object.put(short(tags::SAMPLES_PER_PIXEL, 3));
    });
    fails(vec![colour], "PhotometricInterpretation is RGB: expected MONOCHROME1 or MONOCHROME2");
}

#[test]
fn slices_without_a_place_are_refused() {
    let without = |tag| {
        changed(|object| {
            object.remove_element(tag);
        })
    };
    fails(
        vec![without(tags::IMAGE_POSITION_PATIENT)],
        "ImagePositionPatient is missing or invalid: expected where each slice lies",
    );
    fails(vec![without(tags::IMAGE_ORIENTATION_PATIENT)], "ImageOrientationPatient is missing or invalid");
    fails(vec![without(tags::PIXEL_SPACING)], "PixelSpacing is missing or invalid");
    let frames = changed(|object| {
        object.remove_element(tags::IMAGE_POSITION_PATIENT);
        object.put(text(tags::NUMBER_OF_FRAMES, VR::IS, "2"));
        object.put(sequence(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, vec![InMemDicomObject::new_empty()]));
    });
    fails(vec![frames], "NumberOfFrames is 2, but PerFrameFunctionalGroupsSequence is missing or shorter");
}

#[test]
fn bits_and_compressions_that_are_not_read_are_named() {
    let bits = |tag, value| {
        changed(|object| {
            object.put(short(tag, value));
        })
    };
    fails(vec![bits(tags::BITS_ALLOCATED, 32)], "BitsAllocated is 32: expected 8 or 16");
    fails(vec![bits(tags::BITS_STORED, 17)], "BitsStored is 17: expected 1 to 16");
    fails(vec![bits(tags::HIGH_BIT, 15)], "HighBit is 15: expected 11, as BitsStored is 12");
    let place = Place::new();
    write_as(slice(0.0), uids::HTJ2K, &place.0.path().join("study/a"));
    let message = told(&place, &[]);
    assert!(
        message.contains("is compressed as High-Throughput JPEG 2000")
            && message.contains("expected no compression"),
        "{message}"
    );
}

#[test]
fn pixels_that_are_missing_or_truncated_fail_before_anything_is_written() {
    if !crate::cli::has_runtime() {
        return;
    }
    let without = changed(|object| {
        object.remove_element(tags::PIXEL_DATA);
    });
    fails(vec![without], "study/0 has no PixelData: expected an image");
    let short = changed(|object| {
        object.put(short(tags::ROWS, SIZE.1 as u16 + 1));
    });
    fails(vec![short], "PixelData of study/0 is too short: 96 bytes, expected at least 112");
    let place = Place::with_slices("study", &[0.0, 5.0]);
    let path = place.0.path().join("study/IM1");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 10]).unwrap();
    let message = told(&place, &["-o", "out.nii.gz"]);
    assert!(message.contains("study/IM1 is truncated or damaged: expected a whole DICOM file"), "{message}");
    // In the middle of the header, too.
    fs::write(&path, &bytes[..400]).unwrap();
    let message = told(&place, &["-o", "out/"]);
    let expected = "study/IM1: Rows and Columns are missing: the file is truncated";
    assert!(message.contains(expected), "{message}");
    assert!(!place.0.path().join("out.nii.gz").exists());
}

#[test]
fn in_place_is_refused() {
    let place = Place::with_slices("study", &[0.0, 5.0]);
    let message = told(&place, &["--in-place"]);
    assert!(message.contains("is a DICOM series") && message.contains("expected no --in-place"), "{message}");
}
