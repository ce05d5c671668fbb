use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::error::ErrorKind;
use crate::fs::hash::sha256_hex;

/// A manifest with an encoder, one of each optional field, and graphs that hold their own names.
fn manifest() -> Value {
    let mut value = serde_json::to_value(crate::fake_network::manifest(json!({}))).unwrap();
    value["encoder"]["sha256"] = sha256_hex(b"e.onnx").into();
    value["encoder"]["inputs"]["level"] = "level".into();
    value["denoiser"]["sha256"] = sha256_hex(b"d.onnx").into();
    value["estimator"] = json!({
        "file": "q.onnx", "sha256": sha256_hex(b"q.onnx"), "input": "lr", "output": "level", "side": 64
    });
    value["presets"]["fine"] = json!({"steps": 2, "eta": 0.5, "start_step": 20, "consistency": 3});
    value
}

fn parse(change: impl FnOnce(&mut Value)) -> Result<Manifest, String> {
    let mut value = manifest();
    change(&mut value);
    Manifest::parse(value.to_string().as_bytes()).map_err(|error| {
        assert_eq!(error.kind(), ErrorKind::Model);
        error.to_string()
    })
}

#[test]
fn each_rule_names_its_field_the_value_and_what_was_expected() {
    let long = "g".repeat(64);
    for (field, value, message) in [
        ("/format", json!(1.5), "format is 1.5: expected 1"),
        ("/name", json!(""), "name is empty: expected a name"),
        ("/scale", json!(17), "scale is 17: expected 1 to 16"),
        ("/scale", json!(-1), "scale: invalid value: integer `-1`"),
        ("/value_range", json!([0, 0]), "value_range is [0, 0]: expected two increasing finite numbers"),
        ("/value_range", json!([0, 1e39]), "value_range is [0, inf]: expected two increasing finite numbers"),
        ("/value_range", json!([0]), "value_range: invalid length 1"),
        ("/upsampler/a", json!(0.5), "upsampler.a is 0.5: expected -1 to 0"),
        ("/start_step", json!(0), "start_step is 0: expected 1 to the schedule's 1000"),
        ("/prediction/scale", json!(-2), "prediction.scale is -2: expected a positive number"),
        (
            "/input_scaling/residual_std",
            json!(0),
            "input_scaling.residual_std is 0: expected a positive number",
        ),
        (
            "/latent",
            json!("image"),
            "input_scaling.kind is unit_variance: expected none, since latent is not residual",
        ),
        ("/conditioning", json!("lr"), "encoder is present: expected an encoder if and only if conditioning"),
        ("/encoder/file", json!(""), "encoder.file is \"\": expected a plain file name"),
        ("/encoder/file", json!(".."), "encoder.file is \"..\": expected a plain file name"),
        ("/encoder/file", json!("a\\b"), "encoder.file is \"a\\\\b\": expected a plain file name"),
        (
            "/denoiser/file",
            json!("/etc/passwd"),
            "denoiser.file is \"/etc/passwd\": expected a plain file name",
        ),
        ("/denoiser/file", json!("C:d.onnx"), "denoiser.file is \"C:d.onnx\": expected a plain file name"),
        ("/denoiser/file", json!("d\u{0}"), "denoiser.file is \"d\\0\": expected a plain file name"),
        ("/encoder/sha256", json!(long), "expected 64 hexadecimal digits"),
        ("/encoder/features", json!(0), "encoder.features is 0: expected 1 to 4096"),
        ("/encoder/halo", json!(1025), "encoder.halo is 1025: expected at most 1024"),
        ("/denoiser/halo", json!(1025), "denoiser.halo is 1025: expected at most 1024"),
        (
            "/encoder/jpeg_quality",
            json!([40, 90]),
            "encoder.jpeg_quality is [40, 90]: expected two decreasing",
        ),
        (
            "/encoder/inputs/level",
            Value::Null,
            "estimator is present: expected encoder.inputs.level to be set",
        ),
        ("/estimator/file", json!("a/b"), "estimator.file is \"a/b\": expected a plain file name"),
        ("/estimator/side", json!(15), "estimator.side is 15: expected 16 to 1024"),
        ("/size_multiple", json!(0), "size_multiple is 0: expected 1 to 256"),
        ("/tiling", json!({"kind": "blend", "overlap": 0}), "tiling.overlap is 0: expected 1 to 1024"),
        ("/tiling", json!({"kind": "blend"}), "missing field `overlap`"),
        ("/defaults/steps", json!(41), "defaults.steps is 41: expected 1 to the start step 40"),
        ("/defaults/eta", json!(1.5), "defaults.eta is 1.5: expected 0 to 1"),
        ("/defaults/sampler", json!("euler"), "defaults.sampler: unknown variant `euler`"),
        ("/presets/fine/start_step", json!(41), "presets.fine.start_step is 41: expected 1 to 40"),
        ("/presets/fine/steps", json!(21), "presets.fine.steps is 21: expected 1 to the start step 20"),
        ("/presets/fine/eta", json!(-0.5), "presets.fine.eta is -0.5: expected 0 to 1"),
        (
            "/presets/fine/consistency",
            json!(1001),
            "presets.fine.consistency is 1001: expected at most 1000 rounds",
        ),
    ] {
        let change = |manifest: &mut Value| match manifest.pointer_mut(field) {
            Some(place) => *place = value,
            // Optional fields are left out where absent.
            None => {
                let (object, key) = field.rsplit_once('/').unwrap();
                manifest.pointer_mut(object).unwrap()[key] = value;
            }
        };
        let text = parse(change).expect_err(field);
        assert!(text.starts_with("model.json: ") && text.contains(message), "{field}: {text}");
    }
    parse(|_| {}).unwrap();
}

#[test]
fn unknown_keys_are_named_wherever_they_are() {
    for place in [
        "",
        "/upsampler",
        "/schedule",
        "/prediction",
        "/encoder",
        "/encoder/inputs",
        "/denoiser/inputs",
        "/estimator",
        "/presets/fine",
        "/input_scaling",
    ] {
        let change = |manifest: &mut Value| manifest.pointer_mut(place).unwrap()["colour"] = json!(1);
        let text = parse(change).expect_err(place);
        assert!(text.contains("unknown field `colour`"), "{place}: {text}");
    }
    // Records are free.
    parse(|manifest| manifest["training"]["colour"] = json!([1, {"a": null}])).unwrap();
}

#[test]
fn without_alignment_a_preset_may_start_anywhere_in_the_chain() {
    let start = |alignment: &str, start: usize| {
        parse(|manifest| {
            manifest["alignment"] = alignment.into();
            manifest["presets"]["fine"]["start_step"] = start.into();
        })
    };
    assert!(start("none", 1000).is_ok() && start("none", 1001).is_err() && start("linear", 41).is_err());
    // Noise alone can be predicted only where the start holds more than noise.
    let epsilon = |alignment: &str| {
        parse(|manifest| {
            manifest["alignment"] = alignment.into();
            manifest["prediction"]["type"] = "epsilon".into();
        })
    };
    assert!(epsilon("none").is_ok());
    assert!(epsilon("linear").unwrap_err().contains("prediction.type is epsilon: expected sample, residual"));
}

#[test]
fn a_manifest_that_is_written_is_read_again() {
    let manifest = parse(|_| {}).unwrap();
    let text = serde_json::to_vec(&manifest).unwrap();
    assert_eq!(Manifest::parse(&text).unwrap(), manifest);
}

/// A bundle of these files as a folder.
fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    files.iter().for_each(|(name, bytes)| fs::write(folder.path().join(name), bytes).unwrap());
    folder
}

/// The same, zipped.
fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn a_bundle_is_the_same_from_a_folder_a_file_and_memory() {
    let json = manifest().to_string();
    let files: [(&str, &[u8]); 4] = [
        ("model.json", json.as_bytes()),
        ("e.onnx", b"e.onnx"),
        ("d.onnx", b"d.onnx"),
        ("q.onnx", b"q.onnx"),
    ];
    let folder = folder(&files);
    let file = folder.path().join("fake.partdiff");
    fs::write(&file, zipped(&files)).unwrap();
    for bundle in [
        Bundle::open(folder.path()),
        Bundle::open(&file),
        Bundle::resolve(file.to_str().unwrap()),
        Bundle::from_zip(&zipped(&files)),
    ] {
        let bundle = bundle.unwrap();
        assert_eq!((bundle.encoder(), bundle.denoiser()), (Some(&b"e.onnx"[..]), &b"d.onnx"[..]));
        assert_eq!((bundle.estimator(), bundle.size()), (Some(&b"q.onnx"[..]), 18));
        assert_eq!(
            (bundle.manifest().name.as_str(), bundle.digest()),
            ("fake", sha256_hex(json.as_bytes()).as_str())
        );
    }
}

#[test]
fn what_is_wrong_with_a_bundle_is_named_with_its_file() {
    let json = manifest().to_string();
    let upper = {
        let mut value = manifest();
        value["denoiser"]["sha256"] = sha256_hex(b"d.onnx").to_uppercase().into();
        value.to_string()
    };
    let files = |json: &str, encoder: &[u8]| {
        folder(&[
            ("model.json", json.as_bytes()),
            ("e.onnx", encoder),
            ("d.onnx", b"d.onnx"),
            ("q.onnx", b"q.onnx"),
        ])
    };
    Bundle::open(files(&upper, b"e.onnx").path()).unwrap();
    let error = |path: &Path| {
        let error = Bundle::open(path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Model);
        let text = error.report();
        assert!(text.starts_with(path.to_str().unwrap()), "{text}");
        text
    };
    let text = error(files(&json, b"others").path());
    let (actual, expected) = (sha256_hex(b"others"), sha256_hex(b"e.onnx"));
    let message =
        format!("e.onnx does not match its hash in model.json: sha256 is {actual}, expected {expected}");
    assert!(text.ends_with(&message), "{text}");
    let missing = folder(&[("model.json", json.as_bytes()), ("e.onnx", b"e.onnx")]);
    assert!(error(missing.path()).contains(": cannot read d.onnx: "));
    assert!(error(folder(&[]).path()).contains(": cannot read model.json: "));
    let wrong = files(&json.replace("\"scale\":2,", "\"scale\":0,"), b"e.onnx");
    assert!(error(wrong.path()).ends_with(": model.json: scale is 0: expected 1 to 16"));
    let text = folder(&[("a.partdiff", b"text")]);
    assert!(
        error(&text.path().join("a.partdiff"))
            .contains("expected a folder or a .partdiff file (a ZIP archive)")
    );
    assert!(error(&text.path().join("none")).contains("cannot open model bundle"));
}

#[test]
fn files_of_an_archive_outside_its_top_are_not_taken_for_those_of_the_bundle() {
    let json = manifest().to_string();
    for prefix in ["fake/", "../", "/", "./"] {
        let names = ["model.json", "e.onnx", "d.onnx"].map(|name| format!("{prefix}{name}"));
        let error = Bundle::from_zip(&zipped(&[(&names[0], json.as_bytes())])).unwrap_err();
        assert_eq!(error.to_string(), "cannot read model.json", "{prefix}");
        let error = Bundle::from_zip(&zipped(&[
            ("model.json", json.as_bytes()),
            (&names[1], b"e.onnx"),
            (&names[2], b"d.onnx"),
        ]));
        assert_eq!(error.unwrap_err().to_string(), "cannot read e.onnx", "{prefix}");
    }
}

#[test]
fn the_models_of_the_program_are_whole_and_known_by_their_names() {
    for name in Bundle::embedded_names() {
        assert_eq!(Bundle::resolve(name).unwrap().manifest().name, name);
    }
    assert!(Bundle::embedded_names().any(|name| name == DEFAULT_BUNDLE));
    assert!(Bundle::embedded("Natural-x4").is_none());
}
