//! Depth, transparency.

use super::{look, photo, ready, upscale};

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

const LIGHT: Option<&str> = Some("taken as linear light");

#[test]
fn numbers_of_any_range_come_back_in_their_units() {
    if !ready() {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let (photo, source) = (photo(temp.path()), temp.path().join("numbers.tif"));
    let result = temp.path().join("big.tif");
    for (kind, low, high, told) in [
        ("float32 RGB 1", "0", "1", None),
        ("float16 RGB 1", "0", "1", None),
        ("float32 RGB 16", "0", "20", LIGHT),
        ("float16 RGB 16", "-0.05", "10", LIGHT),
        ("float32 RGB 16", "-0.1", "5", LIGHT),
        ("float16 RGB 1", "0", "255", Some("values from 0 to 255 are taken as 0 to 1")),
        ("float32 RGB 1", "-1000", "3000", Some("values from -1000 to 3000 are taken as 0 to 1")),
        ("int16 RGB 2", "0", "3000", Some("values from 0 to 3000 are taken as 0 to 1")),
        ("float32 RGB 1", "0", "1e-5", Some("taken as 0 to 1")),
        ("float32 L 1", "0", "4095", Some("values from 0 to 4095 are taken as 0 to 1")),
        ("float32 L 1", "2000", "2060", Some("values from 2000 to 2060 are taken as 0 to 1")),
        ("float64 L 1", "-1000", "3000", Some("values from -1000 to 3000 are taken as 0 to 1")),
        ("int16 L 1", "-1000", "3000", Some("values from -1000 to 3000 are taken as 0 to 1")),
        ("uint32 L 1", "0", "4294967295", None),
        ("uint32 L 1", "0", "5000", Some("taken as 0 to 1")),
    ] {
        look([
            "numbers".as_ref(),
            photo.as_os_str(),
            kind.as_ref(),
            low.as_ref(),
            high.as_ref(),
            source.as_os_str(),
        ]);
        let said = upscale([source.as_os_str(), "-o".as_ref(), result.as_os_str(), "--overwrite".as_ref()]);
        let what = format!("{kind} {low} {high}");
        match told {
            Some(told) => assert!(said.contains(told), "{what}: {said}"),
            None => assert!(!said.contains("taken as"), "{what}: {said}"),
        }
        let seen = look(["samples".as_ref(), result.as_os_str()]);
        assert_eq!(seen["type"], "float32", "{what}");
        let off = look(["enlarged".as_ref(), source.as_os_str(), result.as_os_str()]);
        println!("{what}: {off}");
        // Between two pixels, light is free within its range, and a third of a stop beyond.
        let most = if told == LIGHT { 1.3 } else { 0.5 };
        assert!(
            off["mean"].as_f64().unwrap() < 0.02 && off["most"].as_f64().unwrap() < most,
            "{what}: {off}"
        );
        // Integers have no units: black and white are the least and the most, but light ends at white.
        let png = temp.path().join("big.png");
        let said = upscale([source.as_os_str(), "-o".as_ref(), png.as_os_str(), "--overwrite".as_ref()]);
        if told == LIGHT {
            assert!(said.contains("cannot store values above white"), "{what}: {said}");
            continue;
        }
        let levels = look(["samples".as_ref(), png.as_os_str()])["levels"].as_u64().unwrap();
        assert!(levels > 150, "{what}: {levels} levels");
        assert_eq!(said.contains("are stored as black to white"), told.is_some(), "{what}: {said}");
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
