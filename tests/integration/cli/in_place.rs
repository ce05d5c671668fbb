//! Results that replace their inputs.

use std::fs;

use partdiff::image::ImageFormat;

use super::{Place, has_runtime, png as small, read, test_image};

#[test]
fn the_original_is_kept_unless_told_otherwise() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    let original = test_image(12, 8, ImageFormat::Jpeg);
    place.put("in/a.jpg", &original);
    place.upscale(["in", "--in-place"]).expect(0).says("the original is kept as");
    assert_eq!(place.files(), ["in/a.jpg", "in/a.jpg.orig"]);
    assert_eq!(fs::read(place.path("in/a.jpg.orig")).unwrap(), original);
    let result = read(&place.path("in/a.jpg"));
    assert_eq!((result.width(), result.format), (48, ImageFormat::Jpeg));
    // The original stands in the way of a second enlargement.
    place.upscale(["in", "--in-place"]).expect(1).says("the backup ");
    assert_eq!(read(&place.path("in/a.jpg")).width(), 48);
    place.upscale(["in", "--in-place", "--backup", ".2", "-s", "1.5"]).expect(0);
    place.upscale(["in", "--in-place", "--no-backup", "-s", "0.5"]).expect(0);
    assert_eq!(read(&place.path("in/a.jpg")).width(), 36);
    assert_eq!(place.files(), ["in/a.jpg", "in/a.jpg.2", "in/a.jpg.orig"]);
}

#[test]
fn what_would_lose_more_than_pixels_is_refused() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    let apng = animated_png();
    place.put("a.png", &apng);
    place
        .put("b.gif", b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;");
    place.put("c.png", b"unknown image format");
    let ran = place.upscale(["a.png", "b.gif", "c.png", "--in-place", "--no-backup"]).expect(1);
    ran.says("a.png: is an animation: in place, all but its first frame would be lost");
    ran.says("b.gif: GIF can be read but not written");
    assert_eq!(fs::read(place.path("a.png")).unwrap(), apng);
    assert_eq!(place.files(), ["a.png", "b.gif", "c.png"]);
    // Elsewhere the first frame is taken.
    place
        .upscale(["a.png", "-o", "out.png"])
        .expect(0)
        .says("the file is an animation; only its first frame is read");
}

#[cfg(target_os = "linux")]
#[test]
fn tags_stay_and_a_limit_on_file_sizes_leaves_nothing_behind() {
    use rustix::fs::{XattrFlags, getxattr, setxattr};
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    place.put("a.png", &small(12, 8));
    let path = place.path("a.png");
    if let Err(error) = setxattr(&path, "user.xdg.tags", b"holiday", XattrFlags::empty()) {
        return skipped!("no extended attributes here: {error}");
    }
    let tags = || {
        let mut value = [0; 7];
        getxattr(&path, "user.xdg.tags", &mut value[..]).unwrap();
        value
    };
    place.upscale(["a.png", "--in-place", "-s", "2"]).expect(0);
    assert_eq!((read(&path).width(), &tags()), (24, b"holiday"));
    place.put("b.png", &small(12, 8));
    place.upscale(["b.png", "-o", "a.png", "--overwrite"]).expect(0);
    assert_eq!((read(&path).width(), &tags()), (48, b"holiday"));
    // Less than the result needs.
    let limited = std::process::Command::new("sh")
        .args(["-c", "ulimit -f 8 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_partdiff")])
        .args(["upscale", "--device", "cpu", "--steps", "1", "b.png", "-o", "large.ppm", "-s", "8"])
        .current_dir(place.path(""))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&limited.stderr);
    assert_eq!(limited.status.code(), Some(1), "{told}");
    assert!(told.contains("cannot write large.ppm") && told.contains("File too large"), "{told}");
    assert_eq!(place.files(), ["a.png", "a.png.orig", "b.png"]);
}

#[test]
fn a_damaged_file_is_made_with_a_word_and_never_replaced_without_a_backup() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/foreign/jpeg_stray_marker.jpg");
    let damaged = fs::read(data).unwrap();
    place.put("a.jpg", &damaged);
    let ran = place.upscale(["a.jpg", "-o", "out.png"]).expect(0);
    ran.says("a.jpg: the JPEG data is damaged: ");
    assert_eq!(read(&place.path("out.png")).width(), 512);
    let ran = place.upscale(["a.jpg", "-o", "events.png", "--json"]).expect(0);
    let events = String::from_utf8(ran.stdout).unwrap();
    let events = events.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let event = events.into_iter().find(|event| event["event"] == "damaged").unwrap();
    assert_eq!(event["input"], "a.jpg");
    assert!(event["message"].as_str().unwrap().starts_with("the JPEG data is damaged: "), "{event}");
    place.upscale(["a.jpg", "-o", "strict.png", "--strict"]).expect(1).says("the JPEG data is damaged: ");
    place.upscale(["a.jpg", "--in-place", "--no-backup"]).expect(1).says("damaged");
    assert_eq!(fs::read(place.path("a.jpg")).unwrap(), damaged);
    assert_eq!(place.files(), ["a.jpg", "events.png", "out.png"]);
}

#[cfg(unix)]
#[test]
fn links_and_permissions_stay() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    let path = place.put("store/a.png", &small(6, 6));
    fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    symlink("store/a.png", place.path("link.png")).unwrap();
    place.upscale(["link.png", "--in-place"]).expect(0);
    assert!(fs::symlink_metadata(place.path("link.png")).unwrap().is_symlink());
    assert_eq!(read(&path).width(), 24);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(place.files(), ["link.png", "store/a.png", "store/a.png.orig"]);
}

/// A PNG of two frames.
fn animated_png() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 6, 6);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_animated(2, 0).unwrap();
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&[100; 36]).unwrap();
    writer.write_image_data(&[200; 36]).unwrap();
    writer.finish().unwrap();
    bytes
}
