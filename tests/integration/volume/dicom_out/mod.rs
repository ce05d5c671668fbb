//! DICOM series that are written. The judges are pydicom, dcm2niix and dciodvfy: nothing of ours reads here what ours
//! wrote.

mod bad_targets;
mod judged;

use std::fs;
use std::path::Path;

use super::Place;
use crate::cli::has_runtime;

/// Names of all files below the place, sorted.
fn tree(place: &Place) -> Vec<String> {
    fn walk(folder: &Path, all: &mut Vec<std::path::PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, all) } else { all.push(path) }
        }
    }
    let mut all = Vec::new();
    walk(place.0.path(), &mut all);
    let name =
        |path: &std::path::PathBuf| path.strip_prefix(place.0.path()).unwrap().to_str().unwrap().to_owned();
    let mut names: Vec<_> = all.iter().map(name).collect();
    names.sort();
    names
}

#[test]
fn a_series_goes_beside_the_input_or_into_a_folder_under_the_name_of_its_own() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    place.add_slices("head", &[5.0, 0.0]);
    let told = place.made(&["head"]);
    assert!(told.contains("head -> head_x4: 32x24x2 voxels"), "{told}");
    // A second run leaves out what the first one made.
    place.made(&[".", "--skip-existing"]);
    assert_eq!(tree(&place), ["head/IM0", "head/IM1", "head_x4/0001.dcm", "head_x4/0002.dcm"]);
    place.made(&["head", "-o", "out/", "-s", "2"]);
    place.made(&["head", "-o", "out", "--through", "1mm", "--name", "{stem}_fine"]);
    place.made(&["head/IM0", "-o", "one/"]);
    let results: Vec<_> = tree(&place).into_iter().filter(|name| !name.starts_with("head/")).collect();
    let fine = (1..=10).map(|number| format!("out/head_fine/{number:04}.dcm"));
    let expected = [
        "head_x4/0001.dcm",
        "head_x4/0002.dcm",
        "one/IM0/0001.dcm",
        "out/head/0001.dcm",
        "out/head/0002.dcm",
    ];
    assert_eq!(results, expected.map(String::from).into_iter().chain(fine).collect::<Vec<_>>());
}

#[test]
fn existing_folders_are_treated_like_files() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    place.add_slices("head", &[5.0, 0.0]);
    let refused = |arguments: &[&str], message: &str| {
        let output = place.upscale(arguments);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && told.contains(message), "{arguments:?}: {told}");
    };
    // An empty folder is taken.
    fs::create_dir(place.0.path().join("head_x4")).unwrap();
    place.made(&["head"]);
    let first = fs::read(place.0.path().join("head_x4/0001.dcm")).unwrap();
    refused(&["head"], "head_x4 exists already: give --overwrite or --skip-existing");
    place.made(&["head", "--skip-existing"]);
    place.made(&["head", "--overwrite", "--through", "1mm", "--name", "{stem}_x4"]);
    assert_eq!(fs::read_dir(place.0.path().join("head_x4")).unwrap().count(), 10);
    place.made(&["head", "--overwrite"]);
    assert_eq!(fs::read_dir(place.0.path().join("head_x4")).unwrap().count(), 2);
    assert_eq!(fs::read(place.0.path().join("head_x4/0001.dcm")).unwrap(), first);
    fs::write(place.0.path().join("head_x4/thesis.txt"), b"x").unwrap();
    refused(&["head", "--overwrite"], "head_x4 holds thesis.txt, which is not of an earlier result");
    refused(
        &["head", "-o", "./", "--name", "{stem}", "--overwrite"],
        "head holds an input: choose another folder",
    );
    refused(&["head", "--in-place"], "is a DICOM series, and a result is a series of its own");
    fs::write(place.0.path().join("head_x2"), b"x").unwrap();
    refused(
        &["head", "-s", "2", "--overwrite"],
        "head_x2 is no folder, and a DICOM series is written to one",
    );
    assert_eq!(tree(&place).len(), 2 + 3 + 1);
}
