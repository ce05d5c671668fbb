//! `partdiff verify`.

use std::fs;

use partdiff::image::{EncodeOptions, Image, ImageFormat, Provenance, Raster, SampleDepth, encode};
use serde_json::Value;

use super::{Place, Ran, has_runtime, png, read, test_image};

fn verify(place: &Place, arguments: &[&str]) -> Ran {
    place.command().args(["verify"]).args(arguments).output().unwrap().into()
}

/// The verdict as JSON, checked against the exit code.
fn verdict(place: &Place, arguments: &[&str]) -> Value {
    let ran = verify(place, &[arguments, &["--json"]].concat());
    let value: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(value["exit"].as_i64(), ran.code.map(i64::from));
    value
}

#[test]
fn results_of_every_kind_are_made_again() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    place.put("a.png", &png(20, 14));
    let mut clear = read(&place.path("a.png"));
    clear.alpha = Some(Raster::from_vec(1, 14, 20, (0..280).map(|i| (i % 20) as f32 / 19.0).collect()));
    place.put("clear.png", &encode(&clear, &EncodeOptions::new(ImageFormat::Png)).unwrap().bytes);
    for (index, arguments) in [
        ["a.png", "-o", "0.png", "--steps", "3", "--eta", "0.7", "--seed", "18446744073709551615"].as_slice(),
        &["a.png", "-o", "1.png", "--preset", "faithful", "-s", "2.5", "--depth", "16"],
        &["a.png", "-o", "2.jpg", "--quality", "80", "--cleanup", "0.3", "--progressive"],
        &["a.png", "-o", "3.webp", "--quality", "60", "--spacing", "quadratic", "--steps", "2"],
        &["clear.png", "-o", "4.jpg", "--background", "#3366cc"],
        &["clear.png", "-o", "5.webp", "--start-step", "20", "--sampler", "dpmpp-2m", "--steps", "2"],
        &["clear.png", "-o", "6.tif", "--depth", "32", "--width", "33", "--height", "50", "--strip", "all"],
        &["clear.png", "-o", "7.png", "--fit", "10x10"],
        &["a.png", "-o", "8.png", "--deblur", "2", "--cleanup", "0.5"],
    ]
    .into_iter()
    .enumerate()
    {
        place.upscale(arguments).expect(0);
        let output = fs::read_dir(place.path("")).unwrap().map(|entry| entry.unwrap().file_name());
        let output = output.map(|name| name.into_string().unwrap());
        let output = output.into_iter().find(|name| name.starts_with(&index.to_string())).unwrap();
        let value = verdict(&place, &[&output, arguments[0], "--device", "cpu"]);
        assert_eq!(value["verdict"], "identical", "{arguments:?}: {value}");
        // Other tiles and threads round differently.
        let value = verdict(&place, &[&output, arguments[0], "--tile", "16", "--threads", "1"]);
        assert_eq!(value["exit"], 0, "{arguments:?}: {value}");
    }
}

/// What was only shrunk says so, and is not marked as the work of a trained model.
#[test]
fn a_shrunk_image_is_not_called_made_by_a_model() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    place.put("a.png", &png(20, 14));
    place
        .upscale(["a.png", "-o", "small.png", "-s", "0.5"])
        .expect(0)
        .says("only resampled, no model needed");
    place.upscale(["a.png", "-o", "large.png", "-s", "1.5"]).expect(0);
    for (name, marked, steps) in [("small.png", false, 0), ("large.png", true, 2)] {
        let metadata = read(&place.path(name)).metadata;
        let packet = String::from_utf8(metadata.xmp.clone().unwrap()).unwrap();
        assert_eq!(packet.contains("compositeWithTrainedAlgorithmicMedia"), marked, "{packet}");
        assert!(packet.contains(&format!("&quot;steps&quot;:{steps},")), "{packet}");
    }
    let planned = place.upscale(["a.png", "-s", "0.5", "--dry-run", "-v"]).expect(0);
    let told = String::from_utf8(planned.stdout).unwrap();
    assert!(told.contains("only resampled, no model needed"), "{told}");
}

#[test]
fn every_page_is_checked() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    let page = |value: f32| {
        Image::new(Raster::from_vec(1, 4, 4, vec![value; 16]), None, SampleDepth::U8, ImageFormat::Tiff)
    };
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut writer =
        partdiff::image::PageWriter::new(&mut bytes, EncodeOptions::new(ImageFormat::Tiff), 100).unwrap();
    writer.add(&page(0.3)).unwrap();
    writer.add(&page(0.6)).unwrap();
    place.put("a.tif", bytes.get_ref());
    place.upscale(["a.tif"]).expect(0);
    let value = verdict(&place, &["a_x4.tif", "a.tif"]);
    assert_eq!((&value["verdict"], value["pages"].as_array().unwrap().len()), (&"identical".into(), 2));
    place.upscale(["a.tif", "--format", "png", "-o", "b.png"]).expect(0);
    assert_eq!(verdict(&place, &["b-2.png", "a.tif"])["verdict"], "identical");
}

#[test]
fn what_was_changed_is_told_apart_from_what_cannot_be_checked() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    place.put("a.png", &png(20, 14));
    place.put("other.png", &png(20, 15));
    place.upscale(["a.png", "--seed", "7"]).expect(0);
    let ran = verify(&place, &["a_x4.png", "a.png"]).expect(0);
    assert!(
        String::from_utf8(ran.stdout)
            .unwrap()
            .starts_with("identical: a_x4.png is exactly what its record reproduces from")
    );
    assert_eq!(verdict(&place, &["a_x4.png", "other.png"])["verdict"], "other_source");

    // One pixel, by three levels.
    let made = read(&place.path("a_x4.png"));
    let save = |name: &str, image: &Image| {
        place.put(name, &encode(image, &EncodeOptions::new(ImageFormat::Png)).unwrap().bytes);
    };
    let mut changed = made.clone();
    changed.color.data_mut()[1234] += 3.0 / 255.0;
    save("changed.png", &changed);
    let value = verdict(&place, &["changed.png", "a.png"]);
    assert_eq!((&value["verdict"], &value["exit"]), (&"different".into(), &1.into()));
    let max = value["pages"][0]["max_difference"].as_f64().unwrap();
    assert!((max - 3.0).abs() < 0.01, "{max}");
    let mut cut = made.clone();
    cut.color = cut.color.crop(0..50, 0..80);
    save("cut.png", &cut);
    assert_eq!(verdict(&place, &["cut.png", "a.png"])["verdict"], "different");

    // A record that lies about its settings, or names a model that is not here.
    let with = |name: &str, change: fn(&mut Provenance)| {
        let mut image = made.clone();
        let mut record = Provenance::read(&image.metadata).unwrap();
        change(&mut record);
        record.write(&mut image.metadata);
        save(name, &image);
    };
    with("steps.png", |record| record.steps = 4);
    assert_eq!(verdict(&place, &["steps.png", "a.png"])["verdict"], "different");
    with("model.png", |record| record.model_sha256 = "0".repeat(64));
    let value = verdict(&place, &["model.png", "a.png"]);
    assert_eq!((&value["verdict"], &value["exit"]), (&"unverifiable".into(), &2.into()));
    assert!(value["reason"].as_str().unwrap().contains("the record names model natural-x4"));
    with("sampler.png", |record| record.sampler = "euler".into());
    verify(&place, &["sampler.png", "a.png"]).expect(2);

    // No record at all, no file, no image.
    place.put("plain.jpg", &test_image(6, 6, ImageFormat::Jpeg));
    place.put("text.png", b"Dear Sir or Madam");
    for (output, reason) in [
        ("plain.jpg", "has no provenance record"),
        ("none.png", "cannot read"),
        ("text.png", "unknown image format"),
    ] {
        let value = verdict(&place, &[output, "a.png"]);
        assert_eq!(value["exit"], 2);
        assert!(value["reason"].as_str().unwrap().contains(reason), "{value}");
    }
    place.upscale(["a.png", "-o", "silent.png", "--no-provenance"]).expect(0);
    assert_eq!(verdict(&place, &["silent.png", "a.png"])["verdict"], "unverifiable");
}
