//! What the judges say.

use std::fs;

use super::super::{Judge, Place, samples};
use crate::program::are_there;

const JUDGES: Judge = Judge {
    script: "dicom_out/judge.py",
    modules: "pydicom, dcm2niix, nibabel, numpy",
    packages: "pydicom, dcm2niix and nibabel",
};

/// Series of all kinds, in the folder `in`.
fn with_series() -> (Place, Vec<String>) {
    let place = Place::new();
    JUDGES.judge(&place, &["make", "in"]);
    let entries = fs::read_dir(place.0.path().join("in")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names.len(), 14);
    (place, names)
}

/// Those that are made in all ways.
const SOME: [&str; 5] = ["enhanced", "rich", "scaled", "signed", "times"];

/// Where the result of a series is; a single file gives its name.
fn result(name: &str, folder: &str) -> String {
    let name = match name {
        "single" => "03",
        "enhanced" => "all",
        name => name,
    };
    format!("{folder}/{name}")
}

#[test]
fn attributes_change_as_listed_and_no_other_does() {
    if !JUDGES.is_ready() {
        return;
    }
    let (place, names) = with_series();
    for (how, folder) in [
        (&["-s", "4"][..], "a"),
        (&["-s", "1"], "b"),
        (&["--through", "1mm"], "c"),
        (&["--plane", "ik"], "d"),
    ] {
        for name in names.iter().filter(|name| folder == "a" || SOME.contains(&name.as_str())) {
            let told = place.made(&[&[&format!("in/{name}"), "-o", &format!("{folder}/")], how].concat());
            assert!(
                !told.contains("Doe") && !told.contains("P77") && !told.contains("float32, to keep"),
                "{told}"
            );
            JUDGES.judge(&place, &["attributes", &format!("in/{name}"), &result(name, folder)]);
            if name == "rich" && folder == "a" {
                let expected = "not copied from the series: private attributes; overlays, curves and \
                    shutters; icons; digital signatures; when and by what it was created; the range of pixels of the series";
                assert_eq!(told.matches(expected).count(), 1, "{told}");
            }
        }
    }
}

#[test]
fn dcm2niix_makes_of_our_series_what_we_write_as_nifti() {
    if !JUDGES.is_ready() {
        return;
    }
    let (place, names) = with_series();
    for how in [&["-s", "4"][..], &["--through", "1mm"], &["-s", "1"]] {
        for name in names.iter().filter(|name| how[1] == "4" || SOME.contains(&name.as_str())) {
            let input = format!("in/{name}");
            place.made(&[&[&input, "-o", "dicom/", "--overwrite"], how].concat());
            // Rounded to whole numbers too, where a type is asked for.
            let typed = if name == "bytes" { &["--datatype", "uint8"][..] } else { &[] };
            place.made(&[&[&input, "-o", "a.nii", "--overwrite"], how, typed].concat());
            JUDGES.judge(&place, &["agree", "a.nii", &result(name, "dicom")]);
        }
    }
}

#[test]
fn names_and_order_of_files_change_nothing_and_neither_does_time() {
    if !JUDGES.is_ready() {
        return;
    }
    let (place, _) = with_series();
    place.made(&["in/rich", "-o", "a/"]);
    let folder = place.0.path().join("in/rich");
    for (number, entry) in fs::read_dir(&folder).unwrap().collect::<Vec<_>>().into_iter().enumerate() {
        fs::rename(entry.unwrap().path(), folder.join(format!("{}.ima", 9 - number))).unwrap();
    }
    std::thread::sleep(std::time::Duration::from_millis(1100));
    place.made(&["in/rich", "-o", "b/"]);
    JUDGES.judge(&place, &["same", "a/rich", "b/rich"]);
    // Other settings are another series.
    place.made(&["in/rich", "-o", "c/", "--steps", "2"]);
    let [a, c] = ["a", "c"].map(|name| fs::read(place.0.path().join(name).join("rich/0001.dcm")).unwrap());
    assert_ne!(a, c);
}

#[test]
fn dciodvfy_finds_no_new_error() {
    if !JUDGES.is_ready() || !are_there(&["dciodvfy"]) {
        return;
    }
    let (place, _) = with_series();
    for name in ["big", "latin", "rich", "signed", "times"] {
        place.made(&[&format!("in/{name}"), "-o", "out/"]);
        JUDGES.judge(&place, &["validity", &format!("in/{name}"), &format!("out/{name}")]);
    }
}

#[test]
#[ignore = "needs the public files in the folder that PARTDIFF_SAMPLES names"]
fn public_series_are_written_as_the_judges_want() {
    if !JUDGES.is_ready() {
        return;
    }
    let samples = samples();
    let place = Place::new();
    for (name, path) in [
        ("dicom_adi_T2", "mri/dicom_adi_T2"),
        ("dicom_papaya_PD", "mri/dicom_papaya_PD"),
        ("MR_small", "mri-peers/MR_small.dcm"),
        ("MR_small_implicit", "mri-peers/MR_small_implicit.dcm"),
        ("MR_overlay_siemens", "mri-peers/MR_overlay_siemens.dcm"),
        ("MR2_J2KR", "mri-peers/MR2_J2KR.dcm"),
        ("series_sagittal_t1", "mri-peers/series_sagittal_t1"),
        ("enhanced_siemens_xa10", "mri-peers/enhanced_siemens_xa10"),
    ] {
        let path = samples.join(path);
        // Of many slices a few will do.
        let mut files: Vec<_> = match fs::read_dir(&path) {
            Ok(entries) => entries.map(|entry| entry.unwrap().path()).collect(),
            Err(_) => vec![path],
        };
        files.sort();
        let input = place.0.path().join("in").join(name);
        fs::create_dir_all(&input).unwrap();
        for file in files.iter().take(4) {
            fs::copy(file, input.join(file.file_name().unwrap())).unwrap();
        }
        let input = format!("in/{name}");
        place.made(&[&input, "-o", "a.nii", "--overwrite", "-s", "2"]);
        place.made(&[&input, "-o", "out/", "-s", "2", "--name", name]);
        let result = format!("out/{name}");
        // Of that series, slices lie 6.96 to 7.06 mm apart.
        let distances = if name == "dicom_papaya_PD" { "uneven" } else { "even" };
        JUDGES.judge(&place, &["agree", "a.nii", &result, distances]);
        if are_there(&["dciodvfy"]) {
            JUDGES.judge(&place, &["validity", &input, &result]);
        }
        if name != "enhanced_siemens_xa10" {
            JUDGES.judge(&place, &["attributes", &input, &result]);
        }
    }
}
