//! What users and scripts are told.

use partdiff::Limits;
use partdiff::image::{EncodeOptions, ImageFormat, Raster, decode, encode};
use partdiff::runtime::{Device, find};
use serde_json::Value;

use super::{Place, has_runtime, png};

fn events(stdout: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn events_tell_the_whole_story() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    place.put("a.png", &png(8, 6));
    let ran = place.upscale(["a.png", "gone.png", "--json", "--steps", "2", "--seed", "5"]).expect(1);
    let events = events(&ran.stdout);
    let names: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(names[..3], ["failed", "run", "start"]);
    assert_eq!(names[names.len() - 2..], ["done", "summary"]);
    assert!(names.contains(&"progress"));
    assert_eq!((&events[0]["input"], &events[0]["kind"]), (&"gone.png".into(), &"input".into()));
    let done = &events[events.len() - 2];
    assert_eq!((done["width"].as_u64(), done["height"].as_u64()), (Some(32), Some(24)));
    assert_eq!(done["output"], "a_x4.png");
    assert_eq!((&done["report"]["seed"], &done["report"]["sampling"]["steps"]), (&5.into(), &2.into()));
    let summary = events.last().unwrap();
    assert_eq!((&summary["done"], &summary["failed"], &summary["exit"]), (&1.into(), &1.into(), &1.into()));
    assert!(ran.stderr.is_empty(), "{}", ran.stderr);
}

#[test]
fn timings_name_every_stage() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    place.put("a.png", &png(8, 6));
    let ran = place.upscale(["a.png", "--json", "--timings"]).expect(0);
    let events = events(&ran.stdout);
    let timings = events[events.len() - 2]["timings"].as_object().expect("no timings").clone();
    let stage = |name: &str| timings[name].as_f64().unwrap();
    let stages: f64 = ["read_s", "decode_s", "engine_s", "restore_s", "encode_s"].map(stage).iter().sum();
    assert!(stages <= stage("total_s") + 1e-6, "{timings:?}");
    assert!(stage("inference_s") > 0.0 && stage("inference_s") <= stage("engine_s"), "{timings:?}");
    place.upscale(["a.png", "--overwrite", "--timings"]).expect(0).says("(networks ");
    let ran = place.upscale(["a.png", "--overwrite", "--json"]).expect(0);
    assert!(!String::from_utf8(ran.stdout).unwrap().contains("timings"));
}

/// Places of the results that were begun before the one before them was done.
fn begun_early(events: &[Value]) -> usize {
    let (mut at_work, mut early) = (0, 0);
    for event in events {
        match event["event"].as_str().unwrap() {
            "start" => {
                early += usize::from(at_work > 0);
                at_work += 1;
            }
            "done" | "failed" => at_work -= 1,
            _ => {}
        }
    }
    early
}

#[test]
fn images_are_made_side_by_side_as_they_would_be_alone() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    let sizes = [(90, 40), (40, 90), (64, 64), (200, 160), (30, 30)];
    for (index, (width, height)) in sizes.into_iter().enumerate() {
        place.put(format!("in/{index}.png"), &png(width, height));
    }
    // Its beginning is good enough to plan with.
    let whole = png(50, 50);
    place.put("in/cut.png", &whole[..whole.len() / 2]);
    let run = |out: &str, more: &[&str]| {
        let arguments = [&["in", "-o", out, "--json", "--steps", "2"], more].concat();
        let ran = place.upscale(arguments).expect(1);
        let events = events(&ran.stdout);
        let told = |name: &str| events.iter().filter(|event| event["event"] == name).count();
        let failed: Vec<_> = events.iter().filter(|event| event["event"] == "failed").collect();
        assert_eq!((told("done"), failed.len()), (sizes.len(), 1), "{failed:?}");
        for event in events.iter().filter(|event| event["event"] == "progress") {
            assert!((0.0..=1.0).contains(&event["fraction"].as_f64().unwrap()), "{event}");
            assert!(event["output"].as_str().unwrap().starts_with(out), "{event}");
        }
        begun_early(&events)
    };
    assert!(run("many", &["--threads", "2"]) > 0);
    assert_eq!(run("one", &["--threads", "1"]), 0);
    run("tight", &["--threads", "2", "--memory", "220M"]);
    for index in 0..sizes.len() {
        let samples = |out: &str| {
            let bytes = std::fs::read(place.path(format!("{out}/{index}.png"))).unwrap();
            decode(&bytes, &Limits::default()).unwrap().color
        };
        let expected = samples("one");
        for out in ["many", "tight"] {
            let result = samples(out);
            let apart = expected.data().iter().zip(result.data()).map(|(a, b)| (a - b).abs());
            assert!(apart.fold(0.0, f32::max) < 1.5 / 255.0, "{out}/{index}.png");
        }
    }
}

#[test]
fn images_that_need_all_the_memory_go_alone() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    for name in ["a.png", "b.png", "c.png"] {
        place.put(format!("in/{name}"), &png(900, 700));
    }
    // No model, so that only the images take memory: 20 MB each.
    let run = |memory: &str| {
        let ran =
            place.upscale(["in", "-s", "1", "--overwrite", "--json", "--threads", "2", "--memory", memory]);
        begun_early(&events(&ran.expect(0).stdout))
    };
    assert!(run("1G") > 0);
    assert_eq!(run("190M"), 0);
}

#[test]
fn what_a_format_cannot_hold_is_told_once_and_before_the_work() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    let mut image = decode(&png(8, 6), &Limits::default()).unwrap();
    image.alpha = Some(Raster::from_vec(1, 6, 8, vec![1.0; 48]));
    image.metadata.text.push(("Title".into(), "waves".into()));
    place.put("a.png", &encode(&image, &EncodeOptions::new(ImageFormat::Png)).unwrap().bytes);
    let told = |arguments: &[&str]| {
        let ran = place.upscale([&["a.png", "--json", "--overwrite"], arguments].concat()).expect(0);
        let events = events(&ran.stdout);
        let work = events.iter().position(|event| event["event"] == "progress").unwrap();
        assert!(events[work..].iter().all(|event| event["event"] != "warning"), "{events:?}");
        let warnings = events.iter().filter(|event| event["event"] == "warning");
        warnings.map(|event| event["message"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let record = "PNM cannot store the record of how the image was made; left out";
    // The opacity is whole, so nothing of it is lost.
    assert_eq!(told(&["-o", "b.ppm"]), ["PNM cannot store text; dropped", record]);
    assert_eq!(told(&["-o", "b.ppm", "--strip", "all"]), [record]);
    assert_eq!(told(&["-o", "b.ppm", "--strip", "all", "--no-provenance"]), [""; 0]);
    assert_eq!(told(&["-o", "b.jpg"]), [""; 0]);
}

#[test]
fn a_dry_run_estimates_and_writes_nothing() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    place.put("in/a.png", &png(30, 20));
    let ran = place.upscale(["in", "-o", "out", "--dry-run"]).expect(0);
    let text = String::from_utf8(ran.stdout).unwrap();
    assert!(text.starts_with("in/a.png -> out/a.png: 120x80 pixels, about "), "{text}");
    assert_eq!(place.files(), ["in/a.png"]);
    let ran = place.upscale(["in", "-o", "out", "--dry-run", "--json"]).expect(0);
    let plan = events(&ran.stdout).into_iter().find(|event| event["event"] == "plan").unwrap();
    assert!(plan["seconds"].as_f64().unwrap() > 0.0 && plan["memory_bytes"].as_u64().unwrap() > 0);
    assert!(!place.path("out").exists());
}

#[test]
fn quiet_is_quiet() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    place.put("a.png", &png(6, 6));
    let ran = place.upscale(["a.png", "-q"]).expect(0);
    assert!(ran.stderr.is_empty() && ran.stdout.is_empty(), "{}", ran.stderr);
    let ran = place.upscale(["a.png", "b.png", "-q"]).expect(1);
    assert_eq!(ran.stderr.lines().count(), 2, "{}", ran.stderr);
}

/// Upscaling is nobody else's business: ONNX Runtime from 1.32 on would leave a device id and a queue of events.
#[test]
fn nothing_is_left_in_the_home_folder() {
    let Ok(library) = find(None, Device::Cpu) else { return skipped!("no ONNX Runtime") };
    let place = Place::new();
    place.put("a.png", &png(6, 6));
    let home = tempfile::tempdir().unwrap();
    let mut command = place.command();
    command.env("HOME", home.path()).env_remove("ORT_DISABLE_TELEMETRY");
    for name in ["XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"] {
        command.env_remove(name);
    }
    command.args(["upscale", "a.png", "--device", "cpu", "--library"]).arg(&library.path).assert().success();
    let left: Vec<_> = std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_cannot_start_exits_with_2() {
    let place = Place::new();
    place.put("a.png", &png(6, 6));
    for (arguments, message) in [
        (["a.png", "--scale", "zero"].as_slice(), "expected a number above 0"),
        (&["a.png", "--model", "nonesuch"], "nonesuch"),
        (&["a.png", "--library", "/nonesuch.so"], "/nonesuch.so"),
        (&["a.png", "--preset", "nonesuch"], "no preset \"nonesuch\""),
        (&["a.png", "-o", "b.gif"], "cannot write b.gif: its extension names no writable format"),
        (&["a.png", "--name", "{what}"], "{what} is unknown"),
        (&[], "INPUT"),
    ] {
        place.upscale(arguments).expect(2).says(message);
    }
    assert_eq!(place.files(), ["a.png"]);
}

#[test]
fn steps_beyond_the_chain_are_refused_before_the_first_image() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    place.put("a.png", &png(6, 6));
    place.upscale(["a.png", "--steps", "5000"]).expect(2).says("5000");
    assert_eq!(place.files(), ["a.png"]);
}

#[test]
fn help_names_every_option_and_the_exit_codes() {
    let output = Place::new().command().args(["upscale", "--help"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for part in ["--start-step", "--skip-existing", "--dry-run", "Exit status", "Events of --json", "{stem}"]
    {
        assert!(text.contains(part), "{part} is missing from:\n{text}");
    }
}
