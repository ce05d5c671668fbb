//! Inputs that are no images, or no longer.

use std::fs;

use partdiff::image::ImageFormat;

use super::{Place, has_runtime, png, test_image};

#[test]
fn missing_empty_and_foreign_files_fail_by_name_without_a_library() {
    let place = Place::new();
    place.put("empty.png", b"");
    place.put("letter.png", b"Dear Sir or Madam");
    place.put("cut.png", &png(20, 20)[..20]);
    let ran =
        place.upscale(["gone.png", "empty.png", "letter.png", "cut.png", "--library", "/none"]).expect(1);
    ran.says("partdiff: gone.png: cannot read: No such file or directory");
    ran.says("partdiff: empty.png: the file is empty");
    ran.says("partdiff: letter.png: unknown image format");
    ran.says("partdiff: cut.png: the PNG data is truncated");
    ran.says("0 done, 4 failed");
    assert_eq!(place.files(), ["cut.png", "empty.png", "letter.png"]);
}

#[test]
fn truncated_images_fail_and_leave_nothing() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    for (name, format) in
        [("a.png", ImageFormat::Png), ("b.jpg", ImageFormat::Jpeg), ("c.tif", ImageFormat::Tiff)]
    {
        let whole = test_image(64, 64, format);
        place.put(name, &whole[..whole.len() * 2 / 3]);
    }
    let before = place.files();
    let ran = place.upscale(["a.png", "b.jpg", "c.tif"]).expect(1);
    for name in ["a.png: the PNG data is", "b.jpg: the JPEG data is truncated", "c.tif: the TIFF data is"] {
        ran.says(&format!("partdiff: {name}"));
    }
    assert_eq!(place.files(), before);
}

#[test]
fn a_bad_file_does_not_stop_the_others() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    place.put("1.png", &png(9, 7));
    place.put("2.png", b"not an image at all");
    place.put("3.png", &png(5, 8));
    let ran = place.upscale(["1.png", "2.png", "3.png", "-o", "out"]).expect(1);
    ran.says("2 done, 1 failed");
    ran.says("  2.png: unknown image format");
    assert_eq!(place.files(), ["1.png", "2.png", "3.png", "out/1.png", "out/3.png"]);
}

#[test]
fn contents_count_and_not_the_ending() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    place.put("really.png", &test_image(8, 8, ImageFormat::Jpeg));
    place.upscale(["really.png"]).expect(0);
    let bytes = fs::read(place.path("really_x4.png")).unwrap();
    assert_eq!(ImageFormat::sniff(&bytes), Some(ImageFormat::Png));
}

#[cfg(unix)]
#[test]
fn devices_are_no_inputs() {
    let ran = Place::new().upscale(["/dev/zero", "-o", "x.png"]).expect(1);
    ran.says("partdiff: /dev/zero: is a device, not a file");
}
