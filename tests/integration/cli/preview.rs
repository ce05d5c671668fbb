//! `partdiff preview`: what the page shows is what the whole result will be, and a browser shows it.

use std::fs;

use partdiff::image::{EncodeOptions, ImageFormat, Raster, encode};

use super::web_page::{in_browser, page_data};
use super::{Place, Ran, has_runtime, read};
use crate::real_model::data;

fn preview(place: &Place, arguments: &[&str]) -> Ran {
    place.command().args(["preview", "--device", "cpu"]).args(arguments).output().unwrap().into()
}

/// A photograph as a file with an awkward name, 130 x 101 pixels.
fn photo(place: &Place) -> &'static str {
    let mut image = read(&data("dog.png"));
    image.color = image.color.crop(20..121, 10..140);
    place.put("it's <!--b.png", &encode(&image, &EncodeOptions::new(ImageFormat::Png)).unwrap().bytes);
    "it's <!--b.png"
}

#[test]
fn the_page_shows_parts_of_the_results_that_it_promises() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    let file = photo(&place);
    preview(&place, &[file, "-o", "page.html", "--crop", "24x20+61+33", "--samples", "2"]).expect(0);
    let page = page_data(&place.path("page.html"));
    assert_eq!((page["file"].as_str(), &page["size"]), (Some(file), &serde_json::json!([130, 101])));
    let views = page["views"].as_array().unwrap();
    for row in page["presets"].as_array().unwrap() {
        let (preset, bytes) = (row["preset"].as_str().unwrap(), row["bytes"].as_f64().unwrap());
        let words = row["command"].as_str().unwrap();
        assert_eq!(words, format!("partdiff upscale 'it'\\''s <!--b.png' --device cpu --preset {preset}"));
        assert!(row["seconds"][0].as_f64().is_some_and(|seconds| seconds > 0.0), "{row}");
        let result = format!("{preset}.png");
        place.upscale([file, "-o", &result, "--preset", preset]).expect(0);
        let whole = read(&place.path(&result));
        assert_eq!([&row["width"], &row["height"]].map(|side| side.as_u64()), [Some(520), Some(404)]);
        let actual = fs::metadata(place.path(&result)).unwrap().len() as f64;
        assert!((0.4..2.5).contains(&(bytes / actual)), "{preset}: {bytes} {actual}");
        let view = views.iter().find(|view| view["id"] == format!("preset-{preset}")).unwrap();
        let shown = picture(&place, view["source"].as_str().unwrap());
        let expected = whole.color.crop(132..212, 244..340);
        // Back-projection is of the whole image.
        let tolerance = if preset == "faithful" { 6.0 } else { 1.001 };
        let worst = worst(&shown, &expected);
        assert!(worst < tolerance, "{preset}: {worst} levels");
    }
    let shown: Vec<_> = views.iter().map(|view| view["id"].as_str().unwrap()).collect();
    assert_eq!(shown[..4], ["bicubic", "preset-faithful", "preset-balanced", "preset-detailed"]);
    assert!(shown.contains(&"added-faithful") && shown.contains(&"unsure-detailed"));
    assert!(!shown.contains(&"unsure-faithful"), "one step does not depend on the seed");
}

#[test]
fn a_deblurred_part_is_that_of_the_whole_too() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    let file = photo(&place);
    let asked = ["--deblur", "2", "--cleanup", "0.5"];
    let words = [file, "-o", "page.html", "--crop", "24x20+61+33", "--samples", "2"];
    preview(&place, &[&words[..], &asked].concat()).expect(0);
    let page = page_data(&place.path("page.html"));
    let row = page["presets"].as_array().unwrap().iter().find(|row| row["preset"] == "balanced").unwrap();
    assert_eq!(row["deblur"], 2);
    assert!(
        row["command"].as_str().unwrap().ends_with(" --cleanup 0.5 --deblur 2 --preset balanced"),
        "{row}"
    );
    place.upscale([&[file, "-o", "whole.png"][..], &asked].concat()).expect(0);
    let whole = read(&place.path("whole.png")).color;
    let views = page["views"].as_array().unwrap();
    let view = |id: &str| views.iter().find(|view| view["id"] == id);
    let shown = picture(&place, view("preset-balanced").unwrap()["source"].as_str().unwrap());
    let worst = worst(&shown, &whole.crop(132..212, 244..340));
    assert!(worst < 1.001, "{worst} levels");
    assert!(view("unsure-detailed").is_none(), "the uncertainty is measured over one pass");
}

/// The picture of a data URI.
fn picture(place: &Place, source: &str) -> Raster {
    use base64::Engine;
    let text = source.strip_prefix("data:image/png;base64,").unwrap();
    place.put("view.png", &base64::engine::general_purpose::STANDARD.decode(text).unwrap());
    read(&place.path("view.png")).color
}

/// The largest difference, in levels of 255.
fn worst(a: &Raster, b: &Raster) -> f32 {
    assert_eq!((a.channels(), a.height(), a.width()), (b.channels(), b.height(), b.width()));
    255.0 * a.data().iter().zip(b.data()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn what_cannot_be_shown_is_said() {
    let place = Place::new();
    let file = photo(&place);
    place.put("text.png", b"no image");
    place.put("there.html", b"mine");
    preview(&place, &["none.png"]).expect(2).says("none.png");
    preview(&place, &["text.png"]).expect(2).says("text.png: ");
    preview(&place, &[file, "-o", "there.html"]).expect(2).says("there.html exists already: use --overwrite");
    assert_eq!(fs::read(place.path("there.html")).unwrap(), b"mine");
    let itself = preview(&place, &[file, "-o", file, "--overwrite"]).expect(2);
    itself.says("is also the input");
    preview(&place, &[file, "--crop", "10x10"]).expect(2).says("expected WIDTHxHEIGHT+X+Y");
    if has_runtime() {
        let outside = preview(&place, &[file, "--crop", "40x40+100+0"]).expect(2);
        outside.says("the crop 40x40+100+0 is not within the image of 130x101");
        preview(&place, &[file, "--samples", "1"]).expect(2).says("samples is 1: expected 2 to 1000");
    }
    assert_eq!(place.files().len(), 3, "{:?}", place.files());
}

#[test]
fn a_browser_shows_the_page_and_its_divider_moves() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    let file = photo(&place);
    preview(&place, &[file, "-o", "page.html", "--samples", "2"]).expect(0);
    in_browser("preview_page.py", &place.path("page.html"));
}
