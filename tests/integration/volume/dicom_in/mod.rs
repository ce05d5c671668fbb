//! DICOM series through the command. Small ones are written with dicom-object; the judges of what is read are pydicom and
//! dcm2niix.

mod bad_inputs;
mod judged;
pub mod series;

use std::fs;

use dicom_core::VR;
use dicom_dictionary_std::tags;

use self::series::{slice, text, write};
use super::Place;

impl Place {
    /// Slices at these heights in a folder, in files whose names say nothing.
    fn with_slices(folder: &str, heights: &[f64]) -> Self {
        let place = Self::new();
        place.add_slices(folder, heights);
        place
    }
}

#[test]
fn a_folder_a_zip_and_files_in_any_order_are_the_same_series() {
    if !super::has_runtime() {
        return;
    }
    let place = Place::with_slices("study/a", &[15.0, 0.0, 10.0, 5.0]);
    place.add_slices("other", &[5.0, 10.0, 15.0, 0.0]);
    let zip = fs::File::create(place.0.path().join("packed.zip")).unwrap();
    let mut zip = zip::ZipWriter::new(zip);
    for name in ["IM2", "IM0", "IM3", "IM1"] {
        zip.start_file(format!("deep/{name}"), zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut zip, &fs::read(place.0.path().join("other").join(name)).unwrap())
            .unwrap();
    }
    zip.start_file("notes.txt", zip::write::SimpleFileOptions::default()).unwrap();
    zip.finish().unwrap();
    place.made(&["study", "-o", "a.nii.gz"]);
    place.made(&["other", "-o", "b.nii.gz"]);
    place.made(&["packed.zip", "-o", "c.nii.gz"]);
    place.made(&["other/IM3", "other/IM1", "other/IM0", "other/IM2", "-o", "d.nii.gz"]);
    let [a, b, c, d] =
        ["a", "b", "c", "d"].map(|name| fs::read(place.0.path().join(format!("{name}.nii.gz"))).unwrap());
    assert!(a == b && b == c && c == d);
}

#[test]
fn results_are_called_like_the_folder_or_file_and_several_series_by_number() {
    if !super::has_runtime() {
        return;
    }
    let place = Place::with_slices("study/head", &[0.0, 5.0]);
    for echo in ["10", "20"] {
        let mut other = slice(0.0);
        other.put(text(tags::SERIES_INSTANCE_UID, VR::UI, "2.25.78"));
        other.put(text(tags::SERIES_NUMBER, VR::IS, "9"));
        other.put(text(tags::ECHO_TIME, VR::DS, echo));
        write(other, &place.0.path().join(format!("study/echoes/{echo}a")));
        let mut next = slice(5.0);
        next.put(text(tags::SERIES_INSTANCE_UID, VR::UI, "2.25.78"));
        next.put(text(tags::SERIES_NUMBER, VR::IS, "9"));
        next.put(text(tags::ECHO_TIME, VR::DS, echo));
        write(next, &place.0.path().join(format!("study/echoes/{echo}b")));
    }
    place.made(&["study", "-o", "out/", "--name", "{stem}.nii"]);
    let names = |folder: &str| {
        let mut names: Vec<_> = fs::read_dir(place.0.path().join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names("out"), ["echoes_s9_e1.nii", "echoes_s9_e2.nii", "head.nii"]);
    // A single slice is a volume too.
    place.made(&["study/head/IM0", "-o", "one.nii"]);
    assert!(place.files().contains(&"one.nii".to_owned()));
}

#[test]
fn what_was_acquired_and_that_slices_are_scaled_apart_is_told_and_patients_are_not() {
    if !super::has_runtime() {
        return;
    }
    let place = Place::new();
    for (index, height) in [0.0, 5.0, 10.0].into_iter().enumerate() {
        let mut own = slice(height);
        own.put(text(tags::RESCALE_SLOPE, VR::DS, ["2", "3", "4"][index]));
        own.put(text(tags::RESCALE_INTERCEPT, VR::DS, "-7"));
        own.put(text(tags::IN_PLANE_PHASE_ENCODING_DIRECTION, VR::CS, "ROW"));
        own.put(dicom_core::DataElement::new(
            tags::ACQUISITION_MATRIX,
            VR::US,
            dicom_core::PrimitiveValue::U16([0u16, 6, 5, 0].as_slice().into()),
        ));
        write(own, &place.0.path().join(format!("study/{index}")));
    }
    let output = place.upscale(&["study", "-o", "a.nii", "--json"]);
    let told =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert!(
        told.contains("RescaleIntercept of their own (slopes 2 to 4): applied, and voxels are float32"),
        "{told}"
    );
    assert!(told.contains(r#""acquired":[5,6,3]"#), "{told}");
    assert!(!told.contains("Secret"), "{told}");
    let bytes = fs::read(place.0.path().join("a.nii")).unwrap();
    assert!(!bytes.windows(6).any(|window| window == b"Secret"));
    let number = |at: usize| f32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    // datatype, scl_slope, and the size of a voxel through the plane.
    assert_eq!((bytes[70], number(112), number(88)), (16, 1.0, 5.0));
    let told = place.made(&["study", "-o", "b.nii"]);
    assert!(
        told.contains("the acquired grid seems to be 5x6x3, interpolated before it was stored"),
        "{told}"
    );
}

#[test]
fn a_series_beside_images_is_one_job_and_the_images_are_others() {
    if !super::has_runtime() {
        return;
    }
    let place = Place::with_slices("mixed", &[0.0, 5.0]);
    fs::write(place.0.path().join("mixed/a.ppm"), [b"P6\n4 2\n255\n".to_vec(), vec![90; 24]].concat())
        .unwrap();
    let told = place.made(&["mixed", "-o", "out/"]);
    assert!(told.contains("mixed -> out/mixed"), "{told}");
    assert!(place.0.path().join("out/a.ppm").is_file());
}
