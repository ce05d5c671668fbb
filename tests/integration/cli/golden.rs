//! Committed results of the default model: a change of the image is seen, and meant.

use std::fs;
use std::path::Path;

use partdiff::image::{Image, Raster};

use super::{Place, has_runtime, read};

/// Directory of results, and the options that make them.
const CASES: [(&str, &[&str]); 4] = [
    ("default", &[]),
    ("detailed", &["--preset", "detailed"]),
    ("scale-2.5", &["-s", "2.5"]),
    ("consistency", &["--consistency", "8"]),
];

/// Set to write the results anew, after a change that is meant to change them (`just golden`).
const WRITE: &str = "PARTDIFF_WRITE_GOLDEN";

#[test]
fn results_are_those_that_are_committed() {
    if !has_runtime() {
        return;
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let inputs = golden.join("inputs");
    let place = Place::new();
    for (case, options) in CASES {
        // PNG, since one level can become several where JPEG rounds; no record, which names the version.
        let plain = ["--no-provenance", "--format", "png", "-o", case, inputs.to_str().unwrap()];
        place.upscale(options.iter().copied().chain(plain)).expect(0);
        let (made, kept) = (place.path(case), golden.join(case));
        if std::env::var_os(WRITE).is_some() {
            fs::create_dir_all(&kept).unwrap();
            names(&made).iter().for_each(|name| {
                fs::copy(made.join(name), kept.join(name)).unwrap();
            });
        }
        assert_eq!(names(&made), names(&kept), "{case}; {WRITE}=1 writes them");
        for name in names(&made) {
            let what = format!("{case}/{name}");
            same(&read(&made.join(&name)), &read(&kept.join(&name)), &what);
        }
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[track_caller]
fn same(made: &Image, kept: &Image, what: &str) {
    assert_eq!(made.depth, kept.depth, "{what}");
    assert_eq!(made.metadata, kept.metadata, "{what}");
    assert_eq!(made.alpha.is_some(), kept.alpha.is_some(), "{what}");
    let planes = [(Some(&made.color), Some(&kept.color)), (made.alpha.as_ref(), kept.alpha.as_ref())];
    for (made, kept) in planes.into_iter().filter_map(|(made, kept)| made.zip(kept)) {
        let shape = |raster: &Raster| (raster.channels(), raster.height(), raster.width());
        assert_eq!(shape(made), shape(kept), "{what}");
        let worst = made.data().iter().zip(kept.data()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst * 255.0 < 1.001, "{what}: {} levels; {WRITE}=1 writes it anew", worst * 255.0);
    }
}
