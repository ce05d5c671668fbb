//! Colours of unusual files as Little CMS and ImageMagick see them.

use std::fs;
use std::path::Path;
use std::process::Command;

use partdiff::Limits;
use partdiff::image::{EncodeOptions, Image, ImageFormat, decode, encode};

use super::{look, output, photo, ready, said_adobe, upscale};

/// An ICC version 2 profile whose only way to Lab is a table of 16-bit numbers.
fn table_profile(
    class: &[u8; 4],
    space: &[u8; 4],
    inputs: usize,
    lab: impl Fn(&[f32]) -> [f32; 3],
) -> Vec<u8> {
    let grid = if inputs == 4 { 9 } else { 17 };
    let mut table = [&b"mft2\0\0\0\0"[..], &[inputs as u8, 3, grid as u8, 0]].concat();
    for i in 0..9 {
        table.extend(if i % 4 == 0 { 0x10000u32 } else { 0 }.to_be_bytes());
    }
    let line = [0u16, 0xffff].map(u16::to_be_bytes).concat();
    table.extend([0, 2, 0, 2]);
    (0..inputs).for_each(|_| table.extend(&line));
    for node in 0..usize::pow(grid, inputs as u32) {
        // The first channel varies slowest.
        let at = |channel: usize| node / usize::pow(grid, (inputs - 1 - channel) as u32) % grid;
        let values: Vec<f32> = (0..inputs).map(|channel| at(channel) as f32 / (grid - 1) as f32).collect();
        let [l, a, b] = lab(&values);
        for value in [l * 652.8, (a + 128.0) * 256.0, (b + 128.0) * 256.0] {
            table.extend((value.clamp(0.0, 65535.0).round() as u16).to_be_bytes());
        }
    }
    (0..3).for_each(|_| table.extend(&line));
    let text = |kind: &[u8; 4], length: bool| {
        let size = if length { 5u32.to_be_bytes().to_vec() } else { Vec::new() };
        let rest = if length { vec![0; 4 + 4 + 2 + 1 + 67] } else { Vec::new() };
        [&kind[..], &[0; 4], &size, b"test\0", &rest].concat()
    };
    let white =
        [&b"XYZ \0\0\0\0"[..], &0xf6d6u32.to_be_bytes(), &0x10000u32.to_be_bytes(), &0xd32du32.to_be_bytes()];
    let tags = [
        (b"desc", text(b"desc", true)),
        (b"cprt", text(b"text", false)),
        (b"wtpt", white.concat()),
        (b"A2B0", table),
    ];
    let mut head = vec![0; 128];
    head[8..12].copy_from_slice(&[2, 0x40, 0, 0]);
    head[12..16].copy_from_slice(class);
    head[16..20].copy_from_slice(space);
    head[20..24].copy_from_slice(b"Lab ");
    head[36..40].copy_from_slice(b"acsp");
    for (at, value) in [(68, 0xf6d6u32), (72, 0x10000), (76, 0xd32d)] {
        head[at..at + 4].copy_from_slice(&value.to_be_bytes());
    }
    head.extend((tags.len() as u32).to_be_bytes());
    let mut at = 132 + 12 * tags.len();
    let mut body = Vec::new();
    for (name, data) in &tags {
        head.extend(*name);
        head.extend((at as u32).to_be_bytes());
        head.extend((data.len() as u32).to_be_bytes());
        body.extend(data);
        body.resize(body.len().next_multiple_of(4), 0);
        at = 132 + 12 * tags.len() + body.len();
    }
    head.extend(body);
    let size = head.len() as u32;
    head[..4].copy_from_slice(&size.to_be_bytes());
    head
}

/// Something like a press.
fn press(inks: &[f32]) -> [f32; 3] {
    let [c, m, y, k] = [inks[0], inks[1], inks[2], inks[3]];
    let light = (1.0 - 0.92 * k) * (1.0 - 0.33 * c) * (1.0 - 0.4 * m) * (1.0 - 0.06 * y);
    let rest = 1.0 - 0.9 * k;
    [100.0 * light, (34.0 * m - 20.0 * c) * rest, (48.0 * y - 26.0 * c - 8.0 * m) * rest]
}

/// Something like a scanner of pale colours.
fn scanner(rgb: &[f32]) -> [f32; 3] {
    let [r, g, b] = [rgb[0], rgb[1], rgb[2]].map(|value| value.powf(1.1));
    [12.0 + 80.0 * (0.25 * r + 0.65 * g + 0.1 * b), 40.0 * (r - g), 35.0 * (0.5 * (r + g) - b)]
}

pub(crate) fn read(path: &Path) -> Image {
    decode(&fs::read(path).unwrap(), &Limits::default())
        .unwrap_or_else(|error| panic!("{path:?}: {}", error.report()))
}

/// Mean and largest difference in levels between an image and ImageMagick's reading of `reference`.
pub(crate) fn off(image: &Image, reference: &Path) -> (f64, f64) {
    let raw =
        Command::new("convert").arg(reference).args(["-depth", "8", "-type", "TrueColor", "rgb:-"]).output();
    let raw = raw.unwrap().stdout;
    let size = image.width() * image.height();
    assert_eq!(raw.len(), size * 3, "{reference:?}");
    let mut sum = 0.0;
    let mut worst = 0.0f64;
    for (i, level) in raw.iter().enumerate() {
        let plane = if image.color.channels() == 1 { 0 } else { i % 3 };
        let difference = f64::from(image.color.plane(plane)[i / 3] * 255.0 - f32::from(*level)).abs();
        sum += difference;
        worst = worst.max(difference);
    }
    (sum / raw.len() as f64, worst)
}

#[test]
fn inks_come_through_their_profile_as_little_cms_has_them() {
    if !ready() {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let (photo, profile) = (photo(temp.path()), temp.path().join("press.icc"));
    fs::write(&profile, table_profile(b"prtr", b"CMYK", 4, press)).unwrap();
    for name in ["inks.jpg", "inks.tif"] {
        let (path, reference) = (temp.path().join(name), temp.path().join("reference.png"));
        look(["save".as_ref(), "CMYK".as_ref(), photo.as_os_str(), path.as_os_str(), profile.as_os_str()]);
        look(["to_srgb".as_ref(), path.as_os_str(), reference.as_os_str()]);
        let image = read(&path);
        assert_eq!(image.warnings, ["CMYK is converted to sRGB through its profile"], "{name}");
        let (mean, worst) = off(&image, &reference);
        println!("{name}: mean {mean:.3}, worst {worst:.3} levels from Little CMS");
        assert!(mean < 0.75 && worst < 4.0, "{name}: mean {mean}, worst {worst}");
    }
}

#[test]
fn profiles_of_our_own_are_as_libpng_wants_them() {
    if !ready() {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let at = |name: &str| temp.path().join(name);
    let photo = photo(temp.path());
    output(Command::new("convert").arg(&photo).args(["-colorspace", "CMYK"]).arg(at("inks.jpg")));
    said_adobe(&photo, "adobe.jpg");
    let chunks = ["-strip", "-gamma", "1.0", "-set", "gamma", "0.6", "-define", "png:include-chunk=gAMA"];
    output(Command::new("convert").arg(&photo).args(chunks).arg(at("gamma.png")));
    output(
        Command::new("convert").arg(&photo).args(["-colorspace", "Gray"]).args(chunks).arg(at("grey.png")),
    );
    let named = [("inks.jpg", "sRGB IEC61966-2.1"), ("adobe.jpg", "Adobe RGB 1998")];
    for (source, name) in named.into_iter().chain([("gamma.png", ""), ("grey.png", "")]) {
        let result = at(source).with_extension("big.png");
        upscale([at(source).as_os_str(), "-o".as_ref(), result.as_os_str()]);
        let seen = output(Command::new("exiftool").args(["-s3", "-ProfileDescription"]).arg(&result));
        assert!(name.is_empty() || seen == name, "{source}: {seen}");
        assert!(super::metadata::icc_by_exiftool(&result).len() > 128, "{source}");
        let header = Command::new("vipsheader").arg(&result).output().unwrap();
        let complaints = String::from_utf8_lossy(&header.stderr);
        assert!(header.status.success() && !complaints.contains("ICC"), "{source}: {complaints}");
        assert!(!complaints.contains("iCCP"), "{source}: {complaints}");
    }
}

#[test]
fn inks_of_every_jpeg_kind_read_as_imagemagick_reads_them() {
    if !ready() {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let (photo, path) = (photo(temp.path()), temp.path().join("inks.jpg"));
    look(["save".as_ref(), "CMYK".as_ref(), photo.as_os_str(), path.as_os_str(), "".as_ref()]);
    let mut bytes = fs::read(&path).unwrap();
    let marker = bytes.windows(5).position(|part| part == b"Adobe").unwrap();
    for transform in [0, 2] {
        // The same bytes, said to be luma and chroma beside black: other colours, but the same for everyone.
        bytes[marker + 11] = transform;
        fs::write(&path, &bytes).unwrap();
        let reference = temp.path().join("reference.png");
        output(Command::new("convert").arg(&path).args(["-colorspace", "sRGB"]).arg(&reference));
        let (mean, worst) = off(&read(&path), &reference);
        println!("transform {transform}: mean {mean:.3}, worst {worst:.3}");
        assert!(mean < 1.0 && worst < 6.0, "transform {transform}: mean {mean}, worst {worst}");
    }
}

#[test]
fn table_profiles_stay_to_the_byte_or_are_converted_as_little_cms_does() {
    if !ready() {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let icc = table_profile(b"scnr", b"RGB ", 3, scanner);
    let (photo, profile, path) =
        (photo(temp.path()), temp.path().join("scanner.icc"), temp.path().join("scan.png"));
    fs::write(&profile, &icc).unwrap();
    look(["save".as_ref(), "RGB".as_ref(), photo.as_os_str(), path.as_os_str(), profile.as_os_str()]);
    let image = read(&path);
    let kept = encode(&image, &EncodeOptions::new(ImageFormat::Tiff)).unwrap();
    assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
    assert_eq!(decode(&kept.bytes, &Limits::default()).unwrap().metadata.icc, Some(icc));
    let plain = encode(&image, &EncodeOptions::new(ImageFormat::Qoi)).unwrap();
    assert_eq!(plain.warnings, ["QOI cannot store the colour profile; converted to sRGB"]);
    let reference = temp.path().join("reference.png");
    look(["to_srgb".as_ref(), path.as_os_str(), reference.as_os_str()]);
    let (mean, worst) = off(&decode(&plain.bytes, &Limits::default()).unwrap(), &reference);
    println!("scanner: mean {mean:.3}, worst {worst:.3} levels from Little CMS");
    assert!(mean < 0.75 && worst < 4.0, "mean {mean}, worst {worst}");
}

#[test]
fn lab_palettes_and_bilevel_files_read_right() {
    if !ready() {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let photo = photo(temp.path());
    let path = temp.path().join("lab.tif");
    look(["lab".as_ref(), photo.as_os_str(), path.as_os_str()]);
    let image = read(&path);
    assert_eq!(image.warnings, ["Lab is converted to sRGB"]);
    // Lab of 8 bits is coarser than sRGB of 8 bits.
    let (mean, worst) = off(&image, &photo);
    assert!(mean < 1.5 && worst < 9.0, "Lab: mean {mean}, worst {worst}");
    let kinds: [(&str, &[&str]); 8] = [
        ("palette.png", &["-type", "palette", "-colors", "30"]),
        ("palette.gif", &["-colors", "30"]),
        ("palette.tif", &["-type", "palette", "-colors", "30"]),
        ("palette.bmp", &["-type", "palette", "-colors", "30"]),
        ("bilevel.png", &["-monochrome"]),
        ("bilevel.tif", &["-monochrome", "-compress", "none"]),
        ("fax.tif", &["-monochrome", "-compress", "group4"]),
        ("bilevel.pbm", &["-monochrome"]),
    ];
    for (name, options) in kinds {
        let path = temp.path().join(name);
        output(Command::new("convert").arg(&photo).args(options).arg(&path));
        let (_, worst) = off(&read(&path), &path);
        // ImageMagick cuts the lower half off the 16 bits of TIFF's palette.
        let allowed = if name == "palette.tif" { 1.0 } else { 0.01 };
        assert!(worst < allowed, "{name}: {worst} levels");
    }
}
