//! Which file becomes which.

use std::fs;

use partdiff::image::ImageFormat;

use super::{Place, has_runtime, png, read, test_image};

#[test]
fn a_file_gets_its_result_beside_it() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    place.put("my photo.jpg", &test_image(12, 9, ImageFormat::Jpeg));
    place.upscale(["my photo.jpg"]).expect(0).says("my photo.jpg -> my photo_x4.jpg: 48x36 pixels");
    let result = read(&place.path("my photo_x4.jpg"));
    assert_eq!((result.width(), result.height(), result.format), (48, 36, ImageFormat::Jpeg));
    assert_eq!(place.files(), ["my photo.jpg", "my photo_x4.jpg"]);
}

#[test]
fn folders_are_mirrored() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    place.put("in/a.png", &png(6, 6));
    place.put("in/deep/er/b.png", &png(6, 6));
    place.put("in/notes.txt", b"no image, and left alone");
    place.put("in/.partdiff-old.png", b"a temporary of a run that was killed");
    place.upscale(["in", "-o", "out", "--format", "webp", "-s", "2"]).expect(0);
    assert!(place.files().ends_with(&["out/a.webp".into(), "out/deep/er/b.webp".into()]));
    assert_eq!(place.files().len(), 6);
    assert_eq!(read(&place.path("out/a.webp")).width(), 12);
}

#[test]
fn pipes_go_through() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    place.put("a.png", &png(7, 5));
    let piped = place.command().args(["upscale", "-", "-o", "-"]).write_stdin(png(7, 5)).output().unwrap();
    assert_eq!(piped.status.code(), Some(0), "{}", String::from_utf8_lossy(&piped.stderr));
    place.upscale(["a.png", "-o", "b.png"]).expect(0);
    assert_eq!(piped.stdout, fs::read(place.path("b.png")).unwrap());
}

#[cfg(unix)]
#[test]
fn names_that_are_no_unicode_work() {
    use std::ffi::{OsStr, OsString};
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    let name = OsStr::from_bytes(b"caf\xe9 \xff.png");
    place.put(name, &png(6, 6));
    let ran = place.upscale([name, OsStr::new("--json")]).expect(0);
    let result = place.path(OsString::from_vec(b"caf\xe9 \xff_x4.png".to_vec()));
    assert_eq!(read(&result).width(), 24);
    let events = String::from_utf8(ran.stdout).unwrap();
    assert!(events.contains("\"input_hex\":\"636166e920ff2e706e67\""), "{events}");
}

#[test]
fn two_inputs_for_one_result_stop_before_anything_is_done() {
    let place = Place::new();
    place.put("a/x.png", &png(4, 4));
    place.put("b/x.png", &png(4, 4));
    let ran = place.upscale(["a/x.png", "b/x.png", "-o", "out", "--library", "/none"]).expect(2);
    ran.says("a/x.png and b/x.png would both be written to");
    assert!(!place.path("out").exists());
}

#[test]
fn existing_results_are_kept_skipped_or_replaced() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    place.put("a.png", &png(6, 6));
    let result = place.put("a_x4.png", b"mine");
    place.upscale(["a.png"]).expect(1).says("a_x4.png exists already: give --overwrite or --skip-existing");
    assert_eq!(fs::read(&result).unwrap(), b"mine");
    place.upscale(["a.png", "--skip-existing"]).expect(0).says("skipped");
    assert_eq!(fs::read(&result).unwrap(), b"mine");
    place.upscale(["a.png", "--overwrite"]).expect(0);
    assert_eq!(read(&result).width(), 24);
    assert_eq!(place.files(), ["a.png", "a_x4.png"]);
}

#[test]
fn sizes_come_out_as_asked() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    place.put("a.png", &png(10, 6));
    for (arguments, size) in [
        (["--scale", "2.5"].as_slice(), (25, 15)),
        (&["--width", "33"], (33, 20)),
        (&["--fit", "90x30"], (50, 30)),
        (&["--width", "11", "--height", "50"], (11, 50)),
    ] {
        let rest = ["a.png", "-o", "b.png", "--overwrite"];
        place.upscale(arguments.iter().chain(&rest)).expect(0);
        let result = read(&place.path("b.png"));
        assert_eq!((result.width(), result.height()), size, "{arguments:?}");
    }
}
