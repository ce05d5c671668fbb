//! The script for darktable, in its window: an export that ends with a larger image.

use std::fs;
use std::path::Path;
use std::process::Command;

use partdiff::runtime::{Device, find};

use super::{Place, has_runtime, path_with_command, read};
use crate::program::are_there;

#[test]
fn an_export_is_enlarged_and_keeps_its_metadata() {
    if !are_there(&["darktable", "xvfb-run", "xdotool", "dbus-run-session"]) || !has_runtime() {
        return;
    }
    let place = Place::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let script = fs::read(root.join("packaging/darktable/partdiff.lua")).unwrap();
    place.put("config/lua/partdiff.lua", &script);
    place.put("config/luarc", b"require \"partdiff\"\n");
    let photo = fs::read(root.join("tests/data/samples/exif_orientation6.jpg")).unwrap();
    place.put("in/photo.jpg", &photo);
    place.put("photo_x4.png", b"of somebody else");
    let mut window = Command::new("xvfb-run");
    window.args(["-a", "-s", "-screen 0 1280x900x24", "dbus-run-session", "--", "bash"]);
    window.arg(root.join("tests/support/darktable.sh")).arg(place.0.path());
    window
        .env("HOME", place.path(""))
        .env("XDG_RUNTIME_DIR", place.path(""))
        .env("PATH", path_with_command());
    window.env("ORT_DYLIB_PATH", find(None, Device::Cpu).unwrap().path);
    let output = window.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));

    assert_eq!(fs::read(place.path("photo_x4.png")).unwrap(), b"of somebody else");
    let large = read(&place.path("photo_x4_1.png"));
    assert_eq!((large.color.width(), large.color.height()), (960, 640));
    assert!(large.metadata.exif.is_some() && large.metadata.xmp.is_some());
}
