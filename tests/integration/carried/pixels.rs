//! Depth, transparency.

use super::{look, ready, upscale};

#[test]
fn deep_ramps_stay_smooth() {
    if !ready() {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    for name in ["ramp.png", "ramp.tif"] {
        let (source, result) = (temp.path().join(name), temp.path().join(format!("big-{name}")));
        look(["ramp".as_ref(), source.as_os_str()]);
        upscale([source.as_os_str(), "-o".as_ref(), result.as_os_str()]);
        let seen = look(["samples".as_ref(), result.as_os_str()]);
        assert!(seen["levels"].as_u64().unwrap() > 1024, "{name}: {seen}");
        assert_eq!(seen["shape"], serde_json::json!([32, 1024]), "{name}");
    }
}

#[test]
fn a_red_disc_has_no_fringe_of_the_green_that_is_transparent_around_it() {
    if !ready() {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let source = temp.path().join("disc.png");
    look(["disc".as_ref(), source.as_os_str()]);
    let before = look(["fringe".as_ref(), source.as_os_str()]);
    assert_eq!(before["fringe"], 0.0);
    for name in ["disc.png", "disc.webp", "disc.tif"] {
        let result = temp.path().join(format!("big-{name}"));
        upscale([source.as_os_str(), "-o".as_ref(), result.as_os_str()]);
        let seen = look(["fringe".as_ref(), result.as_os_str()]);
        println!("{name}: {seen}");
        // Levels of any colour but red that show anywhere; the green around is 255 of them.
        assert!(seen["fringe"].as_f64().unwrap() <= 4.0, "{name}: {seen}");
        for part in ["clear", "solid"] {
            let (before, after) = (before[part].as_f64().unwrap(), seen[part].as_f64().unwrap());
            assert!((before - after).abs() < 0.08 && after > 0.1, "{name}: {part} {before} {after}");
        }
    }
}
