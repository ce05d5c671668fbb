//! ImageMagick reads images through the command, as packaging/imagemagick says.

use std::process::Command;

use partdiff::image::ImageFormat;

use super::{Place, has_runtime, path_with_command, read, test_image};
use crate::program::are_there;

#[test]
fn an_image_is_enlarged_while_it_is_read() {
    if !has_runtime() || !are_there(&["convert"]) {
        return;
    }
    let place = Place::new();
    place.put("a b.png", &test_image(20, 15, ImageFormat::Png));
    let ran = Command::new("convert")
        .current_dir(place.0.path())
        .env("PATH", path_with_command())
        .env("MAGICK_CONFIGURE_PATH", concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/imagemagick"))
        .args(["partdiff:a b.png", "-flip", "out.png"])
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    place.upscale(["a b.png", "-o", "large.png"]).expect(0);
    let (made, large) = (read(&place.path("out.png")).color, read(&place.path("large.png")).color);
    assert_eq!((made.width(), made.height()), (80, 60));
    for channel in 0..3 {
        for y in 0..60 {
            assert_eq!(made.row(channel, y), large.row(channel, 59 - y), "row {y}");
        }
    }
}
