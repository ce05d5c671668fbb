//! Runs that each make a part of the inputs.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Place, has_runtime, png};
use crate::volume::bad_inputs::nifti;

/// Number of parts.
const COUNT: usize = 3;

/// Number of inputs of `place`.
const INPUTS: usize = 23;

/// A folder with images, one of them broken, and volumes, one of them a pair.
fn place() -> Place {
    let place = Place::new();
    for number in 0..10 {
        place.put(format!("in/{number}.png"), &png(6, 6));
        place.put(format!("in/sub/{number}.png"), &png(5, 7));
    }
    place.put("in/broken.png", b"no image");
    place.put("in/single.nii", &nifti(|_| {}));
    let pair = nifti(|header| {
        header[108..112].fill(0);
        header[344..348].copy_from_slice(b"ni1\0");
    });
    place.put("in/pair.hdr", &pair[..352]);
    place.put("in/pair.img", &pair[352..]);
    place
}

/// The events of part `index`.
fn part(place: &Place, index: usize, arguments: &[&str]) -> Vec<Value> {
    let shard = format!("{index}/{COUNT}");
    let ran = place.upscale([&["in", "--json", "--shard", &shard], arguments].concat());
    let text = String::from_utf8(ran.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// In which parts each input had an event of this kind.
fn inputs(place: &Place, event: &str, arguments: &[&str]) -> BTreeMap<String, Vec<usize>> {
    let mut found: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for index in 1..=COUNT {
        let events = part(place, index, arguments);
        let told = events.iter().find(|told| told["event"] == "shard").unwrap();
        let all: Vec<_> =
            events.iter().filter(|told| told["event"] == event || told["event"] == "failed").collect();
        assert_eq!((&told["index"], &told["count"]), (&index.into(), &COUNT.into()));
        assert_eq!((&told["files"], &told["all_files"]), (&all.len().into(), &INPUTS.into()));
        for told in all {
            found.entry(told["input"].as_str().unwrap().to_owned()).or_default().push(index);
        }
    }
    found
}

#[test]
fn parts_are_disjoint_and_complete_whatever_the_others_have_done() {
    if !has_runtime() {
        return;
    }
    let place = place();
    let planned = inputs(&place, "plan", &["-o", "out", "--dry-run"]);
    assert!(planned.len() == INPUTS && planned.values().all(|parts| parts.len() == 1), "{planned:?}");
    assert!((1..=COUNT).all(|index| planned.values().any(|parts| parts == &[index])), "{planned:?}");
    // Results beside the inputs are no inputs of the parts that run later; nor is a replaced input made twice.
    assert_eq!(inputs(&place, "done", &["-s", "1.5"]), planned);
    let results = place.files().iter().filter(|name| name.contains("_x1.5")).count();
    assert_eq!(results, INPUTS - 1);
}

#[test]
fn inputs_that_are_replaced_stay_in_their_part() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    for number in 0..8 {
        place.put(format!("in/{number}.png"), &png(6, 6));
    }
    for index in 1..=COUNT {
        let events = part(&place, index, &["--in-place", "--no-backup", "-s", "2"]);
        assert_eq!(events.last().unwrap()["failed"], 0);
    }
    for number in 0..8 {
        assert_eq!(super::read(&place.path(format!("in/{number}.png"))).width(), 12, "{number}");
    }
}

#[test]
fn results_that_would_collide_are_refused_by_every_part() {
    let place = Place::new();
    for number in 0..8 {
        place.put(format!("in/{number}.png"), &png(6, 6));
        place.put(format!("in/{number}.bmp"), &super::test_image(6, 6, partdiff::image::ImageFormat::Bmp));
    }
    for index in 1..=COUNT {
        let shard = format!("{index}/{COUNT}");
        place
            .upscale(["in", "-o", "out", "--format", "webp", "--shard", &shard])
            .expect(2)
            .says("would both be");
    }
    assert!(!place.path("out").exists());
}

#[test]
fn bad_parts_and_pipes_are_refused() {
    let place = Place::new();
    place.put("a.png", &png(4, 4));
    place.upscale(["a.png", "--shard", "4/3"]).expect(2).says("there is no such part: expected 1/3 to 3/3");
    place.upscale(["a.png", "--shard", "half"]).expect(2).says("expected INDEX/COUNT, such as 3/16");
    place.upscale(["-", "--shard", "1/2"]).expect(2).says("cannot be used with --shard");
}
