//! Manifests and bundles that are wrong in one thing each: the error names it.

use std::io::{Cursor, Read, Write};

use partdiff::ErrorKind;
use partdiff::model::{Bundle, Manifest};
use partdiff::runtime::Device;
use partdiff::{RuntimeOptions, Upscaler};
use serde_json::{Value, json};

use crate::real_model::data;

/// The manifest and the graph of tests/data/plain.partdiff.
fn plain() -> (Value, Vec<u8>) {
    let mut archive = zip::ZipArchive::new(std::fs::File::open(data("plain.partdiff")).unwrap()).unwrap();
    let mut read = |name: &str| {
        let mut bytes = Vec::new();
        archive.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    };
    (serde_json::from_slice(&read("model.json")).unwrap(), read("denoiser.onnx"))
}

fn zipped(manifest: &Value, denoiser: Option<&[u8]>) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    writer.start_file("model.json", options).unwrap();
    writer.write_all(manifest.to_string().as_bytes()).unwrap();
    if let Some(denoiser) = denoiser {
        writer.start_file("denoiser.onnx", options).unwrap();
        writer.write_all(denoiser).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn a_wrong_field_is_named_with_its_value_and_what_was_expected() {
    let cases: [(&str, Value, &[&str]); 17] = [
        ("/format", json!(2), &["format is 2", "expected 1"]),
        ("/format", Value::Null, &["format"]),
        ("/scale", json!("two"), &["scale", "string \"two\""]),
        ("/scale", json!(0), &["scale is 0", "1 to 16"]),
        ("/channels", json!(4), &["channels is 4", "1 or 3"]),
        ("/value_range", json!([1, -1]), &["value_range", "increasing"]),
        ("/upsampler/kernel", json!("nearest"), &["upsampler", "nearest"]),
        ("/schedule/kind", json!("sigmoid"), &["schedule", "sigmoid", "linear"]),
        ("/schedule/beta_end", json!(2.0), &["beta_end", "2"]),
        ("/start_step", json!(51), &["start_step is 51", "1 to"]),
        ("/prediction/type", json!("x0"), &["prediction.type", "x0", "epsilon"]),
        ("/prediction/scale", json!(0.0), &["prediction.scale is 0"]),
        ("/alignment", json!("linear"), &["prediction.type is epsilon", "alignment"]),
        ("/denoiser/file", json!("../denoiser.onnx"), &["denoiser.file", "plain file name"]),
        ("/denoiser/sha256", json!("abc"), &["denoiser.sha256", "64 hexadecimal"]),
        ("/conditioning", json!("features"), &["encoder is missing", "features"]),
        ("/defaults/steps", json!(0), &["defaults.steps is 0"]),
    ];
    let (manifest, _) = plain();
    Manifest::parse(manifest.to_string().as_bytes()).unwrap();
    for (field, value, parts) in cases {
        let mut wrong = manifest.clone();
        *wrong.pointer_mut(field).unwrap() = value;
        let error = Manifest::parse(wrong.to_string().as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Model);
        let text = error.report();
        assert!(parts.iter().all(|part| text.contains(part)), "{field}: {text}");
    }
}

#[test]
fn jpeg_qualities_set_the_level_that_the_bundle_was_trained_with() {
    let mut manifest: Value =
        serde_json::from_slice(include_bytes!("../../onnx/models/natural-x4/model.json")).unwrap();
    let mut parse = |qualities: Value| {
        manifest["encoder"]["jpeg_quality"] = qualities;
        Manifest::parse(manifest.to_string().as_bytes())
    };
    let level = parse(json!([90, 40])).unwrap();
    assert_eq!(
        [95.0, 65.0, 10.0].map(|quality| level.cleanup_of(quality)),
        [Some(0.0), Some(0.5), Some(1.0)]
    );
    assert_eq!(parse(Value::Null).unwrap().cleanup_of(65.0), None);
    for wrong in [json!([40, 90]), json!([101, 40]), json!([90, 0])] {
        let text = parse(wrong).unwrap_err().report();
        assert!(text.contains("encoder.jpeg_quality") && text.contains("decreasing"), "{text}");
    }
}

#[test]
fn every_missing_and_every_unknown_field_is_named() {
    let (manifest, _) = plain();
    for field in manifest.as_object().unwrap().keys() {
        let mut wrong = manifest.clone();
        wrong.as_object_mut().unwrap().remove(field);
        let text = Manifest::parse(wrong.to_string().as_bytes()).unwrap_err().report();
        assert!(text.contains(field.as_str()), "{field}: {text}");
    }
    for place in ["", "/denoiser", "/defaults", "/schedule"] {
        let mut wrong = manifest.clone();
        let object = wrong.pointer_mut(place).unwrap().as_object_mut().unwrap();
        object.insert("colour".into(), json!(1));
        let text = Manifest::parse(wrong.to_string().as_bytes()).unwrap_err().report();
        assert!(text.contains("unknown field `colour`"), "{place}: {text}");
    }
    let text = Manifest::parse(b"{ not json").unwrap_err().report();
    assert!(text.contains("not valid JSON"), "{text}");
}

#[test]
fn damaged_bundles_say_which_file() {
    let (manifest, denoiser) = plain();
    Bundle::from_zip(&zipped(&manifest, Some(&denoiser))).unwrap();
    let text = |bytes: &[u8]| Bundle::from_zip(bytes).unwrap_err().report();
    let mut flipped = denoiser.clone();
    flipped[100] ^= 1;
    assert!(text(&zipped(&manifest, Some(&flipped))).contains("denoiser.onnx does not match its hash"));
    assert!(text(&zipped(&manifest, None)).contains("cannot read denoiser.onnx"));
    let whole = zipped(&manifest, Some(&denoiser));
    assert!(text(&whole[..whole.len() / 2]).contains("not a zipped model bundle"));
    let missing = Bundle::resolve("no/such/bundle").unwrap_err().to_string();
    assert!(missing.contains("natural-x4") && missing.contains("no/such/bundle"), "{missing}");
}

#[test]
fn graphs_that_do_not_fit_their_manifest_are_refused_by_tensor() {
    let (manifest, denoiser) = plain();
    let open = |change: &dyn Fn(&mut Value)| {
        let mut wrong = manifest.clone();
        change(&mut wrong);
        let bundle = Bundle::from_zip(&zipped(&wrong, Some(&denoiser))).unwrap();
        let options = RuntimeOptions { device: Device::Cpu, threads: Some(1), ..Default::default() };
        match Upscaler::open(&bundle, &options) {
            Ok(_) => panic!("the graph does not fit"),
            Err(error) => (error.kind(), error.report()),
        }
    };
    let (kind, text) = open(&|manifest| manifest["denoiser"]["inputs"]["latent"] = json!("z"));
    assert!(kind == ErrorKind::Model && text.contains("\"z\"") && text.contains("sample"), "{text}");
    let (kind, text) = open(&|manifest| manifest["channels"] = json!(1));
    assert!(kind == ErrorKind::Model && text.contains("sample") && text.contains('3'), "{text}");
    let (kind, text) = open(&|manifest| manifest["denoiser"]["output"] = json!("picture"));
    assert!(kind == ErrorKind::Model && text.contains("picture"), "{text}");
}
