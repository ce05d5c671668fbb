//! NIfTI files of other projects' test suites; README.md beside them says what each must do. The judge is nibabel.

use std::fs;

use super::{Judge, Place, samples};

const PEERS: Judge = Judge { script: "peers.py", ..super::NIFTI };

/// All files there are, with the message of those that are refused.
const FILES: [(&str, Option<&str>); 5] = [
    ("avg152T1_be_uint8.nii.gz", None),
    ("avg152T1_nifti2_f32.nii.gz", None),
    ("example4d.nii.gz", None),
    ("extension_2d_f64.nii", None),
    ("fuzz_header.nii", Some("sizeof_hdr is 1090519807: expected 348 (NIfTI-1, Analyze) or 540 (NIfTI-2)")),
];

#[test]
#[ignore = "needs the public files in the folder that PARTDIFF_SAMPLES names"]
fn files_of_other_projects_are_enlarged_or_refused() {
    if !PEERS.is_ready() {
        return;
    }
    let folder = samples().join("mri-peers");
    let entries = fs::read_dir(&folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.contains(".nii")).collect();
    names.sort();
    assert_eq!(names, FILES.map(|(name, _)| name));
    let place = Place::new();
    let sample = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    for (name, refused) in FILES {
        let output = place.upscale(&[&sample(name), "-o", "out/", "-s", "2"]);
        let told = String::from_utf8_lossy(&output.stderr);
        match refused {
            None => {
                assert!(output.status.success(), "{told}");
                PEERS.judge(&place, &["kept", &sample(name), &format!("out/{name}")]);
            }
            Some(message) => {
                assert_eq!(output.status.code(), Some(1), "{told}");
                assert!(told.contains(&format!("{name}: {message}")), "{told}");
                assert!(!place.0.path().join("out").join(name).exists());
            }
        }
    }
    PEERS.judge(&place, &["same", "out/avg152T1_be_uint8.nii.gz", "out/avg152T1_nifti2_f32.nii.gz"]);
    PEERS.judge(&place, &["empty", &sample("extension_2d_f64.nii"), "out/extension_2d_f64.nii"]);
    // Four slices made one, and finer again.
    for name in ["avg152T1_be_uint8.nii.gz", "avg152T1_nifti2_f32.nii.gz"] {
        let (slabs, fine) = (format!("slabs-{name}"), format!("fine-{name}"));
        PEERS.judge(&place, &["slabs", &sample(name), &slabs]);
        place.made(&[&slabs, "-o", &fine, "--through", "2mm"]);
        PEERS.judge(&place, &["finer", &sample(name), &slabs, &fine]);
    }
}
