//! Forms in which the same volume may come, and a disk that has no room for its result.

use std::fs;

use serde_json::Value;

use super::Place;
use super::bad_inputs::{gzip, nifti, put};
use crate::cli::has_runtime;

impl Place {
    /// The bytes of a file.
    fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.path().join(name)).unwrap()
    }

    /// The bytes of the result of `input`, which says nothing of its source.
    #[track_caller]
    fn result(&self, input: &str) -> Vec<u8> {
        let told = self.made(&[input, "-o", "result.nii", "-s", "2", "--no-provenance", "--overwrite"]);
        assert!(!told.contains("damaged"), "{told}");
        self.bytes("result.nii")
    }
}

/// The header of a pair, whose voxels begin at `offset` of the other file.
fn head_of_pair(offset: f32) -> Vec<u8> {
    let mut head = nifti(|header| {
        put(header, 344, *b"ni1\0");
        put(header, 108, offset.to_le_bytes());
    });
    head.truncate(348);
    head
}

#[test]
fn a_gzipped_pair_is_read_as_the_single_file() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    let whole = nifti(|_| {});
    place.put("single.nii", &whole);
    let expected = place.result("single.nii");
    let head = head_of_pair(0.0);
    place.put("pair.hdr.gz", &gzip(&head));
    place.put("pair.img.gz", &gzip(&whole[352..]));
    assert_eq!(place.result("pair.hdr.gz"), expected);
    assert_eq!(place.result("pair.img.gz"), expected);
    // One of the two alone may be packed.
    place.put("mixed.hdr", &head);
    place.put("mixed.img.gz", &gzip(&whole[352..]));
    assert_eq!(place.result("mixed.hdr"), expected);
    // In a folder, the header stands for both.
    fs::create_dir(place.0.path().join("in")).unwrap();
    place.put("in/pair.hdr.gz", &gzip(&head));
    place.put("in/pair.img.gz", &gzip(&whole[352..]));
    place.made(&["in", "-o", "out/"]);
    let made: Vec<_> = fs::read_dir(place.0.path().join("out")).unwrap().map(Result::unwrap).collect();
    assert_eq!(made.iter().map(|entry| entry.file_name()).collect::<Vec<_>>(), ["pair.nii.gz"]);
}

#[test]
fn voxels_begin_where_vox_offset_says() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    let whole = nifti(|_| {});
    place.put("a.nii", &whole);
    let expected = place.result("a.nii");
    // 48 bytes of rubbish, which would be bright voxels.
    let rubbish = [0x7f; 48];
    let head = nifti(|header| put(header, 108, 400f32.to_le_bytes()));
    let far = [&head[..352], &rubbish, &whole[352..]].concat();
    place.put("b.nii", &far);
    assert_eq!(place.result("b.nii"), expected);
    place.put("b.nii.gz", &gzip(&far));
    assert_eq!(place.result("b.nii.gz"), expected);
    place.put("c.hdr", &head_of_pair(48.0));
    place.put("c.img", &[&rubbish, &whole[352..]].concat());
    assert_eq!(place.result("c.hdr"), expected);
}

#[test]
fn a_slope_that_is_no_number_means_no_scaling_and_stays() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    let scaled = |slope: f32, intercept: f32| {
        nifti(|header| {
            put(header, 112, slope.to_le_bytes());
            put(header, 116, intercept.to_le_bytes());
        })
    };
    let made = |name: &str, bytes: &[u8]| {
        place.put(name, bytes);
        let output = place.upscale(&[name, "-o", "result.nii", "--overwrite", "--no-provenance", "--json"]);
        let told = String::from_utf8(output.stdout).unwrap();
        let events = told.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let done = events.into_iter().find(|event| event["event"] == "done").expect(&told);
        let numbers = ["input", "output"].map(|side| done["volume"][side]["mean"].as_f64().expect(&told));
        (numbers, place.bytes("result.nii"))
    };
    let (plain, expected) = made("plain.nii", &scaled(0.0, 0.0));
    let (doubled, _) = made("doubled.nii", &scaled(2.0, 5.0));
    assert_eq!(doubled[0], 2.0 * plain[0] + 5.0);
    for intercept in [5.0, f32::NAN] {
        let (means, result) = made("nan.nii", &scaled(f32::NAN, intercept));
        assert_eq!((means, &result[352..]), (plain, &expected[352..]));
        assert!(f32::from_le_bytes(*result[112..].first_chunk().unwrap()).is_nan());
        assert_eq!(result[116..120], intercept.to_le_bytes());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_in_the_middle_of_a_volume_leaves_nothing() {
    use crate::watch::place::Mount;
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    // Coarse along k, and along i, where finished slices wait in a temporary file; 2.5 MB of result each.
    for (name, coarse, sides) in [("k", 2, [64i16, 64, 20]), ("i", 0, [20, 64, 64])] {
        let mut bytes = nifti(|header| {
            for (axis, side) in sides.iter().enumerate() {
                put(header, 42 + 2 * axis, side.to_le_bytes());
                put(header, 80 + 4 * axis, if axis == coarse { 5f32 } else { 1f32 }.to_le_bytes());
            }
        });
        bytes.truncate(352);
        bytes.extend((0..81_920u32).flat_map(|at| ((at * 7919 % 1009) as i16).to_le_bytes()));
        place.put(&format!("{name}.nii"), &bytes);
        place.put(&format!("{name}.json"), b"{\"EchoTime\": 0.003}");
    }
    let Some(_mount) = Mount::new(place.0.path().join("out"), "300k") else { return };
    let fails = |input: &str, output: &str| {
        let output = place.upscale(&[input, "-o", output, "--overwrite"]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{told}");
        told
    };
    for (input, output, what) in [
        ("k.nii", "out/a.nii", "write out/a.nii"),
        ("k.nii", "out/a.nii.gz", "write out/a.nii.gz"),
        ("i.nii", "out/a.nii", "keep finished slices in a temporary file"),
    ] {
        let told = fails(input, output);
        assert!(told.contains(&format!("{input}: cannot {what}: No space left on device")), "{told}");
        assert!(fs::read_dir(place.0.path().join("out")).unwrap().next().is_none(), "{told}");
    }
    // An older result stays as it was.
    place.put("out/a.nii", b"older");
    place.put("out/a.json", b"{}");
    fails("k.nii", "out/a.nii");
    assert_eq!((place.bytes("out/a.nii"), place.bytes("out/a.json")), (b"older".to_vec(), b"{}".to_vec()));
    assert_eq!(fs::read_dir(place.0.path().join("out")).unwrap().count(), 2);
}
