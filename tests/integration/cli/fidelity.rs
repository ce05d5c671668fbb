//! How results agree with their inputs, and what of them is invented.

use std::fs;

use partdiff::image::{EncodeOptions, Image, ImageFormat, Kernel, Raster, SampleDepth, encode, resize};
use serde_json::Value;

use super::{Place, Ran, has_runtime, png, read, waves};
use crate::real_model::data;

/// Runs with `--json` and returns the event of the finished image.
fn done(place: &Place, arguments: &[&str]) -> Value {
    let ran: Ran = place.upscale(arguments.iter().chain(&["--json"])).expect(0);
    let text = String::from_utf8(ran.stdout).unwrap();
    let events = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    events.into_iter().find(|event| event["event"] == "done").unwrap()
}

fn errors(done: &Value) -> (f64, f64) {
    let fidelity = &done["report"]["fidelity"];
    (fidelity["max_error"].as_f64().unwrap(), fidelity["mean_error"].as_f64().unwrap())
}

/// Part of a photograph with strong edges, 96x80.
fn photo() -> Vec<u8> {
    let mut image = read(&data("dog.png"));
    image.color = image.color.crop(30..110, 24..120);
    encode(&image, &EncodeOptions::new(ImageFormat::Png)).unwrap().bytes
}

/// Largest and mean difference in levels of 255 between a file, shrunk, and its input.
fn measured(result: &Raster, input: &Raster) -> (f64, f64) {
    let shrunk = resize(result, input.height(), input.width(), Kernel::BICUBIC);
    let differences: Vec<_> =
        shrunk.data().iter().zip(input.data()).map(|(a, b)| 255.0 * f64::from((a - b).abs())).collect();
    (
        differences.iter().copied().fold(0.0, f64::max),
        differences.iter().sum::<f64>() / differences.len() as f64,
    )
}

#[test]
fn the_reported_errors_are_those_of_the_file() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    place.put("a.png", &photo());
    let input = read(&place.path("a.png")).color;
    for (arguments, consistent) in [
        (["--steps", "4"].as_slice(), false),
        (&["--steps", "4", "--consistency", "20"], true),
        (&["--preset", "faithful"], true),
        (&["--preset", "faithful", "--consistency", "0"], false),
        (&["--preset", "faithful", "--cleanup", "0.5"], false),
    ] {
        let done = done(&place, &[&["a.png", "-o", "b.png", "--overwrite"], arguments].concat());
        let (max, mean) = errors(&done);
        let (real_max, real_mean) = measured(&read(&place.path("b.png")).color, &input);
        // The file is rounded to 8 bits after the report.
        assert!(
            (max - real_max).abs() < 0.5 && (mean - real_mean).abs() < 0.1,
            "{arguments:?}: {max} {real_max}"
        );
        let rounds = done["report"]["fidelity"]["rounds"].as_u64().unwrap();
        assert_eq!((max < 1.0, rounds > 0), (consistent, consistent), "{arguments:?}: {max} after {rounds}");
        let drift = done["report"]["fidelity"]["drift"].as_array().unwrap();
        assert!(drift.len() == 3 && drift.iter().all(|drift| drift.as_f64().unwrap().abs() <= mean));
    }
    let ran = place.upscale(["a.png", "-o", "c.png"]).expect(0);
    ran.says("levels of 255 (maximum ");
    ran.says(", mean colour shift 0.");
}

#[test]
fn the_map_of_uncertainty_is_high_where_more_is_invented() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    place.put("a.png", &photo());
    let arguments = ["a.png", "--steps", "4", "--eta", "1", "--seed", "3"];
    place.upscale(arguments.iter().chain(&["-o", "plain.png"])).expect(0);
    let map = ["-o", "b.png", "--uncertainty", "maps/m.tif", "--samples", "4"];
    place.upscale(arguments.iter().chain(&map)).expect(0);
    assert_eq!(fs::read(place.path("plain.png")).unwrap(), fs::read(place.path("b.png")).unwrap());
    let map = read(&place.path("maps/m.tif"));
    assert_eq!((map.depth, map.color.channels()), (SampleDepth::F32, 1));
    assert_eq!((map.width(), map.height()), (384, 320));
    let mean = |raster: &Raster| raster.data().iter().sum::<f32>() / raster.data().len() as f32;
    let spread = mean(&map.color);
    assert!((0.05..50.0).contains(&spread), "{spread} levels");
    place
        .upscale(["a.png", "--steps", "1", "-o", "c.png", "--uncertainty", "one.tif", "--samples", "3"])
        .expect(0);
    assert!(mean(&read(&place.path("one.tif")).color) < spread);
    place
        .upscale(["a.png", "-o", "d.png", "--uncertainty", "one.tif"])
        .expect(1)
        .says("one.tif exists already");
    place
        .upscale(["a.png", "-o", "d.png", "-s", "8", "--uncertainty", "two.tif"])
        .expect(2)
        .says("at most 4 times");
    assert!(!place.path("d.png").exists() && !place.path("two.tif").exists());
}

#[test]
fn the_spread_over_seeds_is_that_of_separate_runs() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    place.put("a.png", &png(24, 20));
    let seeds = ["4", "5", "6"];
    let sampling = ["a.png", "--steps", "2", "--eta", "1", "--format", "tiff", "--depth", "32"];
    let results = seeds.map(|seed| {
        let name = format!("{seed}.tif");
        place.upscale(sampling.iter().chain(&["--seed", seed, "-o", &name])).expect(0);
        let image = read(&place.path(&name));
        assert_eq!(image.depth, SampleDepth::F32);
        image.color
    });
    let map = ["--seed", "4", "-o", "r.tif", "--uncertainty", "m.tif", "--samples", "3"];
    place.upscale(sampling.iter().chain(&map)).expect(0);
    let map = read(&place.path("m.tif")).color;
    for at in (0..map.data().len()).step_by(53) {
        let variance = |channel: usize| {
            let values = [0, 1, 2].map(|i: usize| 255.0 * f64::from(results[i].plane(channel)[at]));
            let mean = values.iter().sum::<f64>() / 3.0;
            values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 2.0
        };
        let expected = ((variance(0) + variance(1) + variance(2)) / 3.0).sqrt();
        assert!((f64::from(map.data()[at]) - expected).abs() < 0.01, "{} {expected}", map.data()[at]);
    }
}

#[test]
fn damage_says_how_much_to_clean_up() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    place.put("clean.png", &photo());
    let image = read(&place.path("clean.png"));
    let save = |name: &str, image: &Image, options: EncodeOptions| {
        place.put(name, &encode(image, &options).unwrap().bytes);
    };
    let jpeg = |quality| EncodeOptions { quality, ..EncodeOptions::new(ImageFormat::Jpeg) };
    save("q55.jpg", &image, jpeg(55));
    // What JPEG did stays where the file no longer tells of it.
    save("was-jpeg.png", &read(&place.path("q55.jpg")), EncodeOptions::new(ImageFormat::Png));
    let mut noisy = image.clone();
    let mut state = 1u32;
    for value in noisy.color.data_mut() {
        // Uniform, of deviation 12 of 255.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *value += ((state >> 8) as f32 / (1 << 24) as f32 - 0.5) * 42.0 / 255.0;
    }
    save("noisy.png", &noisy, EncodeOptions::new(ImageFormat::Png));
    let level = |file: &str, more: &[&str]| {
        let words = [&[file, "-o", "b.png", "--overwrite"], more].concat();
        done(&place, &words)["report"]["cleanup"].as_f64().unwrap()
    };
    let auto = |file: &str| {
        let found = level(file, &["--steps", "1"]);
        assert_eq!(found, level(file, &["--steps", "1", "--cleanup", "auto"]), "{file}");
        found
    };
    assert_eq!(auto("clean.png"), 0.0);
    for file in ["was-jpeg.png", "noisy.png"] {
        assert!(auto(file) > 0.3, "{file}: {}", auto(file));
    }
    // (100 - 55) / 60, as natural-x4 was trained, at least.
    assert!(auto("q55.jpg") > 0.73, "{}", auto("q55.jpg"));
    // What is to agree with the input, or is not enlarged, is not cleaned unless that is asked for.
    for asked in [&["--cleanup", "0"][..], &["--preset", "faithful"], &["--consistency", "4"], &["-s", "0.5"]]
    {
        assert_eq!(level("q55.jpg", asked), 0.0, "{asked:?}");
    }
    assert!(level("q55.jpg", &["--preset", "faithful", "--cleanup", "auto"]) > 0.73);
    // Drawn waves are taken for blurred, and cleaning them would change them much: left alone, and said.
    place.put("waves.png", &waves(64, 64));
    assert!(level("waves.png", &["--cleanup", "auto"]) > 0.1);
    assert_eq!(level("waves.png", &[]), 0.0);
    place
        .upscale(["waves.png", "-o", "c.png"])
        .expect(0)
        .says("made without clean-up and deblurring, as it changes the image by");
    place.upscale(["q55.jpg", "-o", "b.png", "--cleanup", "some"]).expect(2).says("0 to 1, or auto");
}

#[test]
fn a_blurred_photograph_starts_smaller_unless_every_pixel_is_to_be_trusted() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    let mut image = read(&data("dog.png"));
    let (height, width) = (image.color.height(), image.color.width());
    let save = |name: &str, image: &Image| {
        place.put(name, &encode(image, &EncodeOptions::new(ImageFormat::Png)).unwrap().bytes);
    };
    save("sharp.png", &image);
    // As of an image that was smaller once.
    let small = resize(&image.color, height * 2 / 5, width * 2 / 5, Kernel::BICUBIC);
    image.color = resize(&small, height, width, Kernel::Linear);
    save("blurred.png", &image);
    let repair = |file: &str, more: &[&str]| {
        let done = done(&place, &[&[file, "-o", "b.png", "--overwrite"], more].concat());
        let report = &done["report"];
        (report["deblur"].as_u64().unwrap(), report["cleanup"].as_f64().unwrap())
    };
    let (deblur, cleanup) = repair("blurred.png", &[]);
    assert!(deblur == 2 && cleanup > 0.099, "{deblur} {cleanup}");
    let made = read(&place.path("b.png"));
    assert_eq!((made.height(), made.width()), (4 * height, 4 * width));
    place
        .upscale(["blurred.png", "-o", "c.png", "-s", "2"])
        .expect(0)
        .says(", made 2 times smaller first against blur");
    assert_eq!(repair("sharp.png", &[]).0, 1);
    // As it was asked for, or where nothing may be left out.
    let (deblur, cleanup) = repair("sharp.png", &["--deblur", "2"]);
    assert!(deblur == 2 && (cleanup - 0.1).abs() < 1e-6, "{deblur} {cleanup}");
    assert_eq!(repair("sharp.png", &["--deblur", "2", "--preset", "faithful"]), (2, 0.0));
    assert_eq!(repair("blurred.png", &["--deblur", "1"]).0, 1);
    assert_eq!(repair("blurred.png", &["--deblur", "auto", "--cleanup", "0"]), (2, 0.0));
    for asked in [&["--cleanup", "0"][..], &["--preset", "faithful"], &["--consistency", "4"], &["-s", "0.5"]]
    {
        assert_eq!(repair("blurred.png", asked), (1, 0.0), "{asked:?}");
    }
    assert_eq!(repair("blurred.png", &["--uncertainty", "map.tif", "--samples", "2"]).0, 1);
    place
        .upscale(["sharp.png", "-o", "d.png", "--deblur", "3"])
        .expect(2)
        .says("1 (not at all), 2, 4, or auto");
}
