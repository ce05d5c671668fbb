//! MR volumes through the command. The judge is nibabel: nothing of ours reads here what ours wrote.

pub mod bad_inputs;
mod dicom_in;
mod dicom_out;
mod forms;
mod kspace;
#[cfg(target_os = "linux")]
mod memory;
mod peers;
mod sidecars;
#[cfg(unix)]
mod stopping;
mod thickness;
mod verifying;

use std::fs;
#[cfg(unix)]
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
#[cfg(unix)]
use std::process::Stdio;
use std::process::{Command, Output};

use crate::cli::has_runtime;

/// A scratch folder in which commands run.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn upscale(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_partdiff"));
        command.current_dir(self.0.path()).args(["upscale", "--device", "cpu"]).args(arguments);
        command.output().unwrap()
    }

    /// As `upscale`, and it must succeed.
    #[track_caller]
    fn made(&self, arguments: &[&str]) -> String {
        let output = self.upscale(arguments);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{told}");
        told
    }

    /// Names of all files, sorted.
    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Runs the judge of NIfTI.
    #[track_caller]
    fn judge(&self, arguments: &[&str]) {
        NIFTI.judge(self, arguments);
    }

    /// Slices at these heights in a folder, in files whose names say nothing.
    fn add_slices(&self, folder: &str, heights: &[f64]) {
        for (index, height) in heights.iter().enumerate() {
            let path = self.0.path().join(folder).join(format!("IM{index}"));
            dicom_in::series::write(dicom_in::series::slice(*height), &path);
        }
    }

    /// Interrupts `upscale` in the middle of its work; only what was there before may be left.
    #[cfg(unix)]
    #[track_caller]
    fn interrupt(&self, arguments: &[&str]) {
        let before = self.files();
        let mut child = Command::new(env!("CARGO_BIN_EXE_partdiff"))
            .current_dir(self.0.path())
            .args(["upscale", "--json", "--steps", "40", "--device", "cpu"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        assert!(lines.any(|line| line.contains("\"event\":\"progress\"")));
        assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
        let rest: Vec<String> = lines.collect();
        assert_eq!(child.wait().unwrap().code(), Some(1));
        assert!(rest.iter().any(|line| line.contains("\"kind\":\"cancelled\"")), "{rest:?}");
        assert_eq!(self.files(), before);
    }

    /// A folder of volumes for the judgement of `what`.
    #[track_caller]
    fn with_volumes(what: &str) -> Self {
        Self::made_by(&NIFTI, what)
    }

    /// The same, of another judge.
    #[track_caller]
    fn made_by(judge: &Judge, what: &str) -> Self {
        let place = Self::new();
        fs::create_dir(place.0.path().join("in")).unwrap();
        judge.judge(&place, &["make", what, "in"]);
        place
    }
}

/// A Python script that looks at results.
struct Judge {
    /// Its path below this folder.
    script: &'static str,
    modules: &'static str,
    /// What brings these, in words.
    packages: &'static str,
}

const NIFTI: Judge =
    Judge { script: "judge.py", modules: "nibabel, numpy, PIL", packages: "nibabel and Pillow" };

impl Judge {
    fn python(&self) -> Option<String> {
        crate::python::python(self.modules)
    }

    /// Whether the packages and the runtime are here; says on standard error what is not.
    fn is_ready(&self) -> bool {
        if self.python().is_none() {
            skipped!("no python3 with {}", self.packages);
            return false;
        }
        has_runtime()
    }

    #[track_caller]
    fn judge(&self, place: &Place, arguments: &[&str]) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/integration/volume");
        let mut command = Command::new(self.python().unwrap());
        // Scripts that one imports leave nothing beside it.
        command.env("PYTHONDONTWRITEBYTECODE", "1").current_dir(place.0.path());
        command.arg(folder.join(self.script)).args(arguments);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{arguments:?} {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The folder of public files, with mri-peers and mri in it.
fn samples() -> PathBuf {
    std::env::var_os("PARTDIFF_SAMPLES").expect("PARTDIFF_SAMPLES").into()
}

fn ready() -> bool {
    NIFTI.is_ready()
}

#[test]
fn outer_corners_stay_where_they_were_in_every_orientation() {
    if !ready() {
        return;
    }
    let place = Place::with_volumes("places");
    for (factor, folder) in [("2.5", "a"), ("4", "b")] {
        let told = place.made(&["in", "-o", &format!("{folder}/"), "-s", factor]);
        assert!(
            told.contains(
                "different.nii: warning: the positions of voxels by qform and sform differ by up to"
            ),
            "{told}"
        );
        assert!(told.contains("nowhere.nii: warning: qform_code and sform_code are 0"), "{told}");
        assert_eq!(told.matches("warning").count(), 2, "{told}");
        place.judge(&["places", "in", folder]);
    }
}

#[test]
fn every_type_and_byte_order_comes_back_bit_for_bit_at_factor_1() {
    if ready() {
        let place = Place::with_volumes("types");
        let told = place.made(&["in", "-o", "out/", "-s", "1", "--no-provenance"]);
        assert!(told.contains("voxels of 1x2x3 mm, copied, ") && !told.contains("became finer"), "{told}");
        place.judge(&["copies", "in", "out"]);
    }
}

#[test]
fn headers_and_extensions_are_kept_and_a_record_is_added() {
    if ready() {
        let place = Place::with_volumes("types");
        place.made(&["in", "-o", "out/", "-s", "2", "--gz-level", "9"]);
        place.judge(&["kept", "in", "out"]);
    }
}

#[test]
fn nothing_wraps_and_holes_and_scales_stay() {
    if ready() {
        let place = Place::with_volumes("values");
        let told = place.made(&["in", "-o", "out/", "-s", "2"]);
        assert!(told.contains("bytes.nii: warning: uint8 voxels become float32"), "{told}");
        assert!(told.contains("wide.nii: warning: a side is longer than NIfTI-1 can store"), "{told}");
        place.judge(&["values", "in", "out"]);
    }
}

#[test]
fn through_the_plane_corners_stay_and_acquired_slices_keep_their_means() {
    if !ready() {
        return;
    }
    let place = Place::with_volumes("through");
    place.made(&["in", "-o", "out/", "--through", "1mm"]);
    place.judge(&["through", "in", "out"]);
    // In every orientation; what has a single slice, or equal voxels, cannot be.
    let place = Place::with_volumes("places");
    for name in ["slice.nii", "flat.nii", "coronal-slice.nii", "nowhere.nii", "timing.nii"] {
        let path = place.0.path().join("in").join(name);
        fs::rename(path, place.0.path().join(name)).unwrap();
    }
    place.made(&["in", "-o", "out/", "--through", "iso"]);
    place.judge(&["places", "in", "out"]);
    let told = place.made(&["timing.nii", "--through", "2mm"]);
    assert!(told.contains("the slice timing (slice_code, slice_start, slice_end, slice_duration)"), "{told}");
    assert!(place.0.path().join("timing_x2.nii").exists());
    for (arguments, message) in [
        (["slice.nii", "--through", "1"], "expected a volume in three dimensions"),
        (
            ["timing.nii", "--through", "9"],
            "slices lie 4.0000 mm apart, and --through asks for 9.0000 mm: expected a smaller",
        ),
    ] {
        let output = place.upscale(&arguments);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && told.contains(message), "{told}");
    }
}

#[test]
fn outside_a_mask_there_is_only_interpolation() {
    if !ready() {
        return;
    }
    let place = Place::with_volumes("masked");
    // Noise of other seeds changes what the model makes, and nothing else.
    for (folder, arguments) in
        [("a", "-s 2"), ("b", "-s 2 --seed 9"), ("c", "--through 1mm"), ("d", "--through 1mm --seed 9")]
    {
        let mut words =
            vec!["in/scan.nii", "-o", folder, "--steps", "2", "--eta", "1", "--mask", "in/inside.nii.gz"];
        words.extend(arguments.split(' '));
        fs::create_dir(place.0.path().join(folder)).unwrap();
        place.made(&words);
    }
    let words = ["in/scan.nii", "-o", "e.nii", "--steps", "2", "--eta", "1", "-s", "2"];
    place.made(&words);
    place.judge(&["masked", "in", "."]);
    for (mask, message) in [
        ("in/small.nii", "has 24 x 20 x 5 voxels: expected 24 x 20 x 6, as the volume"),
        ("in/moved.nii", "lies elsewhere, by up to 3.00 in units of the file: expected the same grid"),
        ("in/nowhere.nii", "does not say where its voxels lie as the volume does"),
        ("in/empty.nii", "has no voxel inside: expected some that are not 0"),
        ("in/none.nii", "the mask in/none.nii: cannot read"),
    ] {
        let output = place.upscale(&["in/scan.nii", "-o", "f.nii", "--mask", mask]);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && told.contains(message), "{told}");
        assert!(!place.0.path().join("f.nii").exists());
    }
}

#[test]
fn a_map_of_uncertainty_has_the_grid_of_the_result_and_the_spread_of_seeds() {
    if !ready() {
        return;
    }
    let place = Place::with_volumes("spread");
    let steps = ["--steps", "2", "--eta", "1", "--datatype", "float64"];
    let run = |words: &[&str]| place.made(&[words, &steps].concat());
    for (way, name) in [(["-s", "3"], "plane"), (["--through", "1mm"], "through")] {
        for scan in ["scan.nii", "turned.nii"] {
            let input = format!("in/{scan}");
            let named = |what: &str| format!("{name}-{what}-{scan}");
            let (map, made) = (format!("{}.gz", named("map")), named("0"));
            let told = run(&[&input, "-o", &made, way[0], way[1], "--uncertainty", &map, "--samples", "3"]);
            assert!(told.contains(&format!("the uncertainty map is {map}")), "{told}");
            // The result is that of the first seed alone.
            for seed in ["0", "1", "2"] {
                let again = format!("{}-again.nii", named(seed));
                run(&[&input, "-o", &again, way[0], way[1], "--seed", seed]);
            }
            place.judge(&["spread", &input, &named("")]);
        }
    }
    let output = place.upscale(&["in/scan.nii", "-s", "5", "--uncertainty", "m.nii"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && told.contains("at most 4 times as large"), "{told}");
}

#[test]
fn a_preview_shows_three_planes_side_by_side() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    place.put("a.nii", &bad_inputs::nifti(|_| {}));
    let told = place.made(&["a.nii", "--preview", "p.png"]);
    assert!(told.contains("the preview is p.png"), "{told}");
    let picture = partdiff::image::decode(
        &fs::read(place.0.path().join("p.png")).unwrap(),
        &partdiff::Limits::default(),
    );
    let picture = picture.unwrap();
    // Before, cubic and after: bright and dark in each third.
    let third = picture.width() / 3;
    for column in 0..3 {
        let values: Vec<f32> = (0..picture.height())
            .flat_map(|y| picture.color.row(0, y)[column * third..(column + 1) * third].to_vec())
            .collect();
        assert!(values.iter().any(|value| *value > 0.9) && values.contains(&0.0), "column {column}");
    }
    // Never over another file unasked, and only of volumes.
    for (arguments, message) in [
        (&["a.nii", "-o", "b.nii", "--preview", "p.png"][..], "p.png exists already: give --overwrite"),
        (&["c.ppm", "--preview", "q.png"], "--preview is for volumes"),
        (&["a.nii", "-o", "b.nii", "--preview", "b.nii"], "expected a file name ending in .png"),
    ] {
        place.put("c.ppm", b"P6\n4 2\n255\n........................");
        let output = place.upscale(arguments);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && told.contains(message), "{told}");
    }
    assert_eq!(place.files(), ["a.nii", "a_x4.nii", "c.ppm", "p.png"]);
}

#[test]
fn images_and_volumes_of_one_folder_each_have_their_model() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    place.put("a.ppm", b"P6\n4 2\n255\n........................");
    place.put("b.nii", &bad_inputs::nifti(|_| {}));
    let output = place.upscale(&[".", "--json"]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{told}");
    assert_eq!(place.files(), ["a.ppm", "a_x4.ppm", "b.nii", "b_x4.nii"]);
    let events: Vec<serde_json::Value> =
        told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |name: &str| events.iter().filter(|event| event["event"] == name).collect::<Vec<_>>();
    let models: Vec<_> = of("run").iter().map(|run| run["model"].clone()).collect();
    assert_eq!(models, ["natural-x4", "mri-x4"]);
    assert!(of("run").iter().all(|run| run["files"] == 2));
    assert_eq!(of("start")[1]["index"], 2);
    let volume = &of("done")[1]["volume"];
    assert_eq!(volume["plane"], "ij");
    assert_eq!(volume["output"]["shape"], serde_json::json!([32, 28, 2, 1]));
    assert_eq!(volume["output"]["voxel_mm"], serde_json::json!([0.25, 0.25, 3.0]));
    assert!(volume["correlation"].as_f64().unwrap() > 0.9, "{volume}");
    // A second run leaves out what the first one made, and a dry run makes nothing.
    assert!(place.upscale(&[".", "--skip-existing"]).status.success());
    assert!(place.upscale(&["b.nii", "-o", "c.nii.gz", "-n"]).status.success());
    assert_eq!(place.files(), ["a.ppm", "a_x4.ppm", "b.nii", "b_x4.nii"]);
}
