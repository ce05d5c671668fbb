//! `partdiff model`, and bundles that do not hold.

use std::fs;

use partdiff::model::DEFAULT_BUNDLE;

use super::{Place, Ran, has_runtime, png};

fn model(place: &Place, arguments: &[&str]) -> Ran {
    place.command().arg("model").args(arguments).output().unwrap().into()
}

/// A copy of the default bundle as a folder.
fn copy(place: &Place) {
    let source = format!("{}/onnx/models/{DEFAULT_BUNDLE}", env!("CARGO_MANIFEST_DIR"));
    for entry in fs::read_dir(source).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            place.put(
                format!("copy/{}", path.file_name().unwrap().to_str().unwrap()),
                &fs::read(&path).unwrap(),
            );
        }
    }
}

#[test]
fn the_embedded_model_shows_itself() {
    let place = Place::new();
    let text = String::from_utf8(model(&place, &["list"]).expect(0).stdout).unwrap();
    assert!(text.contains(&format!("{DEFAULT_BUNDLE} (default): ")), "{text}");
    let text = String::from_utf8(model(&place, &["info"]).expect(0).stdout).unwrap();
    assert!(text.contains("licence") && text.contains("presets"), "{text}");
}

#[test]
fn a_sound_model_passes_the_check() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    copy(&place);
    let text = String::from_utf8(model(&place, &["check", "copy"]).expect(0).stdout).unwrap();
    assert!(text.contains("37x29 to 148x116 pixels"), "{text}");
}

#[test]
fn a_damaged_model_is_refused_by_name() {
    let place = Place::new();
    copy(&place);
    let graph = place.path("copy/denoiser.onnx");
    let mut bytes = fs::read(&graph).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&graph, &bytes).unwrap();
    model(&place, &["check", "copy"]).expect(2).says("denoiser.onnx does not match its hash");
    fs::remove_file(&graph).unwrap();
    model(&place, &["info", "copy"]).expect(2).says("denoiser.onnx");
    place.put("copy/model.json", b"{");
    model(&place, &["info", "copy"]).expect(2).says("not valid JSON");
    place.put("a.png", &png(4, 4));
    place.upscale(["a.png", "--model", "copy"]).expect(2).says("not valid JSON");
}
