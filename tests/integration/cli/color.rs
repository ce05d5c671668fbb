//! Colour, depth and transparency through the real model.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use moxcms::ColorProfile;
use partdiff::image::{EncodeOptions, Image, ImageFormat, Raster, SampleDepth, encode};

use super::{Place, has_runtime, read};
use crate::real_model::data;

fn save(place: &Place, name: &str, image: &Image) -> PathBuf {
    place.put(name, &encode(image, &EncodeOptions::new(ImageFormat::Png)).unwrap().bytes)
}

/// Mean and 99th percentile of CIEDE2000 between an image and its result, shrunk; measured by a program that shares
/// nothing with this one. `None` where it cannot run.
fn delta_e(source: &Path, result: &Path) -> Option<(f64, f64)> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/delta_e.py");
    let Some(python) = crate::python::python("numpy, PIL") else {
        skipped!("no python3 with NumPy and Pillow");
        return None;
    };
    let output = Command::new(python).arg(script).arg(source).arg(result).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let numbers: Vec<f64> = text.split_whitespace().map(|number| number.parse().unwrap()).collect();
    Some((numbers[0], numbers[1]))
}

#[test]
fn wide_gamut_colours_are_those_of_the_source() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    let house = read(&data("house.png")).color.crop(150..250, 60..200);
    for (name, profile) in [("adobe", ColorProfile::new_adobe_rgb()), ("p3", ColorProfile::new_display_p3())]
    {
        // Taken as coded in the wide space, and more saturated than that, many colours lie outside sRGB.
        let mut wide = house.clone();
        let size = wide.height() * wide.width();
        for i in 0..size {
            let mean = (0..3).map(|channel| house.plane(channel)[i]).sum::<f32>() / 3.0;
            for channel in 0..3 {
                let value = mean + 1.6 * (house.plane(channel)[i] - mean);
                wide.plane_mut(channel)[i] = value.clamp(0.0, 1.0);
            }
        }
        let mut image = Image::new(wide, None, SampleDepth::U8, ImageFormat::Png);
        image.metadata.icc = profile.encode().ok();
        let source = save(&place, &format!("{name}.png"), &image);
        place.upscale([&format!("{name}.png"), "--steps", "1"]).expect(0);
        let result = place.path(format!("{name}_x4.png"));
        assert_eq!(read(&result).metadata.icc, image.metadata.icc);
        let Some((mean, most)) = delta_e(&source, &result) else { return };
        println!("{name}: delta E 2000 of {mean} on average, {most} at the 99th percentile");
        assert!(mean < 1.0, "{name}: {mean}");
        // The same values without their profile's meaning would be another image: the measure can tell.
        let mut wrong = read(&result);
        wrong.color.plane_mut(0).iter_mut().for_each(|value| *value = (*value * 1.08).min(1.0));
        let wrong = save(&place, "wrong.png", &wrong);
        assert!(delta_e(&source, &wrong).unwrap().0 > 1.0);
    }
}

#[test]
fn a_16_bit_ramp_stays_smooth() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    let (height, width) = (24, 400);
    let value = |i: usize| 0.1 + 0.8 * (i % width) as f32 / (width - 1) as f32;
    let ramp = Raster::from_vec(1, height, width, (0..height * width).map(value).collect());
    save(&place, "ramp.png", &Image::new(ramp, None, SampleDepth::U16, ImageFormat::Png));
    for preset in ["faithful", "balanced"] {
        place.upscale(["ramp.png", "-o", "out.png", "--overwrite", "--preset", preset]).expect(0);
        let result = read(&place.path("out.png"));
        assert_eq!(result.depth, SampleDepth::U16);
        let mut levels: Vec<_> =
            result.color.row(0, 48).iter().map(|value| (value * 65535.0).round() as u16).collect();
        levels.sort_unstable();
        levels.dedup();
        assert!(levels.len() > 1024, "{preset}: {} levels in a row", levels.len());
    }
}

/// Largest share that a wrong colour may have anywhere along the edge, laid over black, in levels of 255.
const FRINGE: f32 = 8.0;

#[test]
fn a_red_disc_has_no_fringe_of_the_colour_that_was_hidden_around_it() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    let size = 48;
    let center = (size as f32 - 1.0) / 2.0;
    let disc = |hidden: bool| {
        let (mut color, mut alpha) = (Raster::new(3, size, size), Raster::new(1, size, size));
        for y in 0..size {
            for x in 0..size {
                let distance = (y as f32 - center).hypot(x as f32 - center);
                let opacity = (16.5 - distance).clamp(0.0, 1.0);
                alpha.row_mut(0, y)[x] = opacity;
                color.row_mut(0, y)[x] = if opacity == 0.0 && hidden { 0.0 } else { 0.8 };
                color.row_mut(1, y)[x] = if opacity == 0.0 && hidden { 1.0 } else { 0.1 };
                color.row_mut(2, y)[x] = 0.1;
            }
        }
        Image::new(color, Some(alpha), SampleDepth::U8, ImageFormat::Png)
    };
    save(&place, "disc.png", &disc(true));
    place.upscale(["disc.png", "--steps", "1"]).expect(0);
    let result = read(&place.path("disc_x4.png"));
    let alpha = result.alpha.as_ref().unwrap();
    let mut worst = 0.0f32;
    for (i, &opacity) in alpha.data().iter().enumerate() {
        for (channel, expected) in [0.8, 0.1, 0.1].into_iter().enumerate() {
            worst = worst.max(255.0 * opacity * (result.color.plane(channel)[i] - expected).abs());
        }
    }
    println!("largest chroma error at the edge of the disc: {worst:.2} levels");
    assert!(worst < FRINGE, "{worst} levels");
    // What is hidden has no say at all.
    save(&place, "plain.png", &disc(false));
    place.upscale(["plain.png", "--steps", "1"]).expect(0);
    let plain = read(&place.path("plain_x4.png"));
    let differing = (0..alpha.data().len()).filter(|&i| alpha.data()[i] > 0.1);
    let most =
        differing.map(|i| (result.color.plane(1)[i] - plain.color.plane(1)[i]).abs()).fold(0.0f32, f32::max);
    assert!(255.0 * most < 6.0, "{} levels", 255.0 * most);
}

#[test]
fn transparency_is_laid_over_the_chosen_background() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    let half = Raster::from_vec(1, 8, 8, vec![0.0; 64]);
    save(
        &place,
        "clear.png",
        &Image::new(Raster::new(3, 8, 8), Some(half), SampleDepth::U8, ImageFormat::Png),
    );
    for (arguments, expected) in [
        (["-o", "a.jpg"].as_slice(), [255, 255, 255]),
        (&["-o", "b.jpg", "--background", "#2080e0"], [0x20, 0x80, 0xe0]),
    ] {
        let ran = place.upscale(["clear.png", "--quality", "100"].iter().chain(arguments)).expect(0);
        ran.says("JPEG has no transparency; flattened on the background colour");
        let result = read(&place.path(arguments[1]));
        for (channel, expected) in expected.into_iter().enumerate() {
            let off = result.color.plane(channel).iter().map(|v| (v * 255.0 - expected as f32).abs());
            assert!(off.fold(0.0, f32::max) <= 2.0, "{arguments:?}");
        }
    }
}

#[test]
fn depth_scans_and_metadata_are_as_asked() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    let mut image = read(&data("house.png"));
    image.color = image.color.crop(0..16, 0..16);
    image.metadata.density =
        Some(partdiff::image::Density { x: 72.0, y: 72.0, unit: partdiff::image::DensityUnit::Inch });
    image.metadata.text.push(("Title".into(), "a house".into()));
    save(&place, "a.png", &image);
    for (bits, depth) in [("8", SampleDepth::U8), ("16", SampleDepth::U16), ("32", SampleDepth::F32)] {
        place.upscale(["a.png", "-o", "b.tif", "--overwrite", "--depth", bits]).expect(0);
        assert_eq!(read(&place.path("b.tif")).depth, depth);
    }
    place
        .upscale(["a.png", "-o", "c.png", "--depth", "32"])
        .expect(0)
        .says("PNG cannot store 32 bits per sample");
    // Start-of-frame markers: C0 baseline, C2 progressive.
    let marker = |name: &str, kind: u8| {
        fs::read(place.path(name)).unwrap().windows(2).any(|pair| pair == [0xff, kind])
    };
    place.upscale(["a.png", "-o", "d.jpg"]).expect(0);
    place.upscale(["a.png", "-o", "e.jpg", "--progressive"]).expect(0);
    assert!(marker("d.jpg", 0xc0) && !marker("d.jpg", 0xc2) && marker("e.jpg", 0xc2));
    let dpi = |name: &str| read(&place.path(name)).metadata.density.unwrap().dpi().unwrap().0.round();
    place.upscale(["a.png", "-o", "f.png", "--keep-dpi"]).expect(0);
    assert_eq!((dpi("c.png"), dpi("f.png")), (288.0, 72.0));
    place.upscale(["a.png", "-o", "g.png", "--strip", "all", "--no-provenance"]).expect(0);
    let bare = read(&place.path("g.png")).metadata;
    assert!(bare.text.is_empty() && bare.xmp.is_none(), "{bare:?}");
    assert!(read(&place.path("c.png")).metadata.text.iter().any(|(keyword, _)| keyword == "Title"));
}
