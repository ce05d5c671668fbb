//! The way of real files through decoding, preparing, restoring and encoding.

mod formats;
mod metadata;

use std::path::PathBuf;
use std::process::Command;

use super::*;
use crate::limits::Limits;

/// Small images of many kinds, or the ones of the same names in the directory that PARTDIFF_TEST_DATA names.
fn samples() -> PathBuf {
    let ours = || concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/samples").into();
    std::env::var_os("PARTDIFF_TEST_DATA").map_or_else(ours, PathBuf::from)
}

/// Whether a program can be run; says on stderr if not.
fn has_tool(name: &str) -> bool {
    let found = Command::new(name).arg("-ver").output().is_ok();
    if !found {
        skipped!("{name} is not installed");
    }
    found
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The whole way with the cubic kernel in the model's place.
fn enlarge(bytes: &[u8], factor: usize, options: &EncodeOptions, restore: &RestoreOptions) -> Encoded {
    let image = decode(bytes, &Limits::default()).unwrap();
    let prepared = prepare_for_model(image);
    let (height, width) = (prepared.color.height() * factor, prepared.color.width() * factor);
    let color = resize(&prepared.color, height, width, Kernel::BICUBIC);
    encode(&prepared.frame.restore(color, restore), options).unwrap()
}

#[test]
fn every_sample_can_be_read() {
    let folder = samples();
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_file() {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let image = decode(&bytes, &Limits::default()).unwrap_or_else(|e| panic!("{path:?}: {}", e.report()));
        assert_eq!(Some(image.format), ImageFormat::from_path(&path), "{path:?}");
        eprintln!(
            "{:?} {}x{} {:?} {:?} {:?}",
            path.file_name().unwrap(),
            image.width(),
            image.height(),
            image.depth,
            image.metadata.icc.as_ref().map(Vec::len),
            image.warnings
        );
        count += 1;
    }
    assert!(count > 15);
}

/// CIE L*a*b* (D65) of unclipped sRGB-coded values.
fn lab(rgb: [f32; 3]) -> [f64; 3] {
    let light = rgb.map(|value| {
        let magnitude = f64::from(value.abs());
        let linear =
            if magnitude <= 0.04045 { magnitude / 12.92 } else { ((magnitude + 0.055) / 1.055).powf(2.4) };
        linear.copysign(value.into())
    });
    let xyz = [
        (0.4124 * light[0] + 0.3576 * light[1] + 0.1805 * light[2]) / 0.9505,
        0.2126 * light[0] + 0.7152 * light[1] + 0.0722 * light[2],
        (0.0193 * light[0] + 0.1192 * light[1] + 0.9505 * light[2]) / 1.089,
    ];
    let [x, y, z] = xyz.map(|t| if t > 0.008_856 { t.cbrt() } else { 7.787 * t + 16.0 / 116.0 });
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

#[test]
fn wide_gamuts_keep_their_colours_through_a_file() {
    let folder = samples();
    for source in ["icc_adobergb.jpg", "icc_displayp3.jpg"] {
        let bytes = std::fs::read(folder.join(source)).unwrap();
        let before = prepare_for_model(decode(&bytes, &Limits::default()).unwrap()).color;
        let big =
            enlarge(&bytes, 2, &EncodeOptions::new(ImageFormat::Jpeg), &RestoreOptions::default()).bytes;
        let big = prepare_for_model(decode(&big, &Limits::default()).unwrap()).color;
        let after = resize(&big, before.height(), before.width(), Kernel::BICUBIC);
        let size = before.height() * before.width();
        let pixel = |raster: &Raster, i: usize| lab([0, 1, 2].map(|channel| raster.plane(channel)[i]));
        let total: f64 = (0..size)
            .map(|i| {
                let (a, b) = (pixel(&before, i), pixel(&after, i));
                a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
            })
            .sum();
        let mean = total / size as f64;
        eprintln!("{source}: mean difference {mean:.3}");
        assert!(mean < 1.0, "{source}: mean difference {mean}");
    }
}

#[test]
fn deep_gradients_stay_smooth() {
    let ramp = (0..600).map(|i| i as f32 / 40_000.0 + 0.3).collect();
    let image = Image::new(Raster::from_vec(1, 1, 600, ramp), None, SampleDepth::U16, ImageFormat::Png);
    for format in [ImageFormat::Png, ImageFormat::Tiff, ImageFormat::Pnm] {
        let options = EncodeOptions::new(format);
        let bytes = encode(&image, &options).unwrap().bytes;
        let out = enlarge(&bytes, 4, &options, &RestoreOptions::default());
        assert!(out.warnings.is_empty(), "{:?}", out.warnings);
        let out = decode(&out.bytes, &Limits::default()).unwrap();
        let levels: std::collections::BTreeSet<u32> =
            out.color.row(0, 0).iter().map(|value| (value * 65_535.0).round() as u32).collect();
        // The ramp covers 983 16-bit levels; every one of them is there, where 8 bits have 4.
        assert!(levels.len() > 970, "{format}: {}", levels.len());
    }
}

#[test]
fn high_range_images_keep_their_range() {
    let data = vec![0.0, 0.02, 0.5, 1.0, 3.0, 250.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6];
    let mut image =
        Image::new(Raster::from_vec(3, 2, 2, data.clone()), None, SampleDepth::F32, ImageFormat::OpenExr);
    image.linear = true;
    for format in [ImageFormat::OpenExr, ImageFormat::Pfm, ImageFormat::Hdr] {
        let options = EncodeOptions::new(format);
        let bytes = encode(&image, &options).unwrap().bytes;
        let out = decode(&enlarge(&bytes, 1, &options, &RestoreOptions::default()).bytes, &Limits::default());
        for (value, expected) in out.unwrap().color.data().iter().zip(&data) {
            // Radiance shares one exponent of 8 bits among the three channels.
            let allowed = if format == ImageFormat::Hdr { 1.5 } else { 1e-3 * expected + 1e-5 };
            assert!((value - expected).abs() <= allowed, "{format}: {value} {expected}");
        }
    }
    let encoded = encode(&image, &EncodeOptions::new(ImageFormat::Png)).unwrap();
    assert!(encoded.warnings.iter().any(|warning| warning.contains("values up to 250.00 are clipped")));
    let back = decode(&encoded.bytes, &Limits::default()).unwrap();
    assert!((back.color.data()[2] - 0.7354).abs() < 1e-3, "0.5 of light is 0.735 in sRGB");
}

#[test]
fn headers_tell_what_decoding_gives() {
    let folder = samples();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            let image = decode(&bytes, &Limits::default()).unwrap();
            let header = header(std::io::Cursor::new(&bytes)).unwrap();
            let size = (header.width, header.height, header.channels);
            assert_eq!(size, (image.width(), image.height(), image.color.channels()), "{path:?}");
            assert_eq!(header.format, image.format);
            assert_eq!(
                header.has_alpha,
                image.alpha.is_some() || header.format == ImageFormat::Gif,
                "{path:?}"
            );
            assert_eq!(header.depth, image.depth, "{path:?}");
        }
    }
    assert_eq!(header(std::io::Cursor::new(b"no image at all")), None);
}
