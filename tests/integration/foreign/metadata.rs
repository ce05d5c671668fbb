//! What a file says besides its pixels.

use std::fs;
use std::path::Path;
use std::process::Command;

use partdiff::Limits;
use partdiff::image::{
    EncodeOptions, Encoded, Image, ImageFormat, RestoreOptions, decode, encode, header, prepare_for_model,
};

use crate::carried::color::{off, read};
use crate::carried::{look, output, photo, ready};

/// A PNG file with further chunks (type, data) before its image data.
pub(super) fn with_chunks(png: &[u8], chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    // Behind the signature and the header.
    let (head, rest) = png.split_at(33);
    let mut out = head.to_vec();
    for (kind, data) in chunks {
        let mut sum = flate2::Crc::new();
        [&kind[..], data].into_iter().for_each(|part| sum.update(part));
        out.extend((data.len() as u32).to_be_bytes());
        out.extend([&kind[..], data, &sum.sum().to_be_bytes()].concat());
    }
    [&out, rest].concat()
}

/// The image written to `format` after the way to the model and back, without the model.
fn remade(bytes: &[u8], format: ImageFormat) -> (Image, Encoded) {
    let prepared = prepare_for_model(decode(bytes, &Limits::default()).unwrap());
    let image = prepared.frame.restore(prepared.color, &RestoreOptions::default());
    let encoded = encode(&image, &EncodeOptions::new(format)).unwrap();
    (image, encoded)
}

/// The chunk of this type in a PNG file.
fn chunk<'a>(png: &'a [u8], kind: &[u8; 4]) -> Option<&'a [u8]> {
    let at = png.windows(4).position(|part| part == kind)?;
    let size = u32::from_be_bytes(png[at - 4..at].try_into().unwrap()) as usize;
    Some(&png[at + 4..at + 4 + size])
}

fn profile_name(path: &Path) -> String {
    output(Command::new("exiftool").args(["-s3", "-ICC_Profile:ProfileDescription"]).arg(path))
}

const MASTERING: &[u8; 24] =
    b"\x8a\x48\x39\x08\x21\x34\x9b\xaa\x19\x96\x08\xfc\x3d\x13\x40\x42\0\x98\x96\x80\0\0\0\x01";

#[test]
fn code_points_of_png_become_a_profile_that_little_cms_reads_alike() {
    if !ready() {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let at = |name: &str| temp.path().join(name);
    let photo = photo(temp.path());
    let source = with_chunks(&fs::read(&photo).unwrap(), &[(b"cICP", &[9, 13, 0, 1])]);
    look(["bt2020".as_ref(), photo.as_os_str(), at("expected.png").as_os_str()]);
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Tiff, ImageFormat::WebP] {
        let (image, result) = remade(&source, format);
        assert!(image.warnings.is_empty() && result.warnings.is_empty(), "{format}: {:?}", result.warnings);
        let path = at(&format!("result.{}", format.extensions()[0]));
        fs::write(&path, &result.bytes).unwrap();
        assert_eq!(profile_name(&path), "BT.2020 primaries, sRGB transfer", "{format}");
        look(["to_srgb".as_ref(), path.as_os_str(), at("seen.png").as_os_str()]);
        let (mean, worst) = off(&read(&at("seen.png")), &at("expected.png"));
        println!("{format}: mean {mean:.3}, worst {worst:.3} levels from BT.2087");
        let bound = if format == ImageFormat::Jpeg { (4.0, 40.0) } else { (0.5, 3.0) };
        assert!(mean < bound.0 && worst < bound.1, "{format}: mean {mean}, worst {worst}");
    }
    // Formats without a profile get sRGB.
    let (_, result) = remade(&source, ImageFormat::Qoi);
    assert_eq!(result.warnings, ["QOI cannot store the colour profile; converted to sRGB"]);
    let (mean, _) = off(&decode(&result.bytes, &Limits::default()).unwrap(), &at("expected.png"));
    assert!(mean < 0.5, "{mean}");
}

#[test]
fn high_dynamic_range_stays_in_png_and_is_named_elsewhere() {
    let photo = fs::read(crate::real_model::data("girl.png")).unwrap();
    let plain = decode(&photo, &Limits::default()).unwrap();
    for (code, name) in [
        ([9, 16, 0, 1], "BT.2020 primaries, PQ transfer"),
        ([9, 18, 0, 1], "BT.2020 primaries, HLG transfer"),
        ([12, 16, 0, 1], "P3 primaries, PQ transfer"),
        ([9, 1, 0, 0], "BT.2020 primaries, BT.709 transfer, narrow range"),
    ] {
        let light = [0, 1, 0x86, 0xa0, 0, 0, 0x27, 0x10];
        let source = with_chunks(&photo, &[(b"cICP", &code), (b"mDCV", &MASTERING[..]), (b"cLLI", &light)]);
        let (image, result) = remade(&source, ImageFormat::Png);
        assert!(image.warnings.is_empty() && result.warnings.is_empty(), "{name}");
        for (kind, data) in [(b"cICP", &code[..]), (b"mDCV", MASTERING), (b"cLLI", &light)] {
            assert_eq!(chunk(&result.bytes, kind), Some(data), "{name}");
        }
        assert!(chunk(&result.bytes, b"iCCP").is_none(), "{name}");
        // Values as they were coded.
        let back = decode(&result.bytes, &Limits::default()).unwrap();
        assert_eq!(back.color, plain.color, "{name}");
        for format in ImageFormat::writable().filter(|format| *format != ImageFormat::Png) {
            let (_, result) = remade(&source, format);
            let told = format!(
                "{format} cannot store the colour space ({name}): values are kept, and other programs will read them as sRGB"
            );
            assert!(result.warnings.contains(&told), "{format}: {:?}", result.warnings);
        }
    }
    let wrong = with_chunks(&photo, &[(b"cICP", &[9, 16, 9, 1])]);
    let (image, result) = remade(&wrong, ImageFormat::Png);
    assert_eq!(
        image.warnings,
        ["the chunk cICP is not valid (BT.2020 primaries, PQ transfer, matrix 9); dropped"]
    );
    assert!(chunk(&result.bytes, b"cICP").is_none());
}

#[test]
fn profiles_made_of_chunks_are_named_for_what_they_are_and_always_the_same() {
    if !ready() {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let colour = fs::read(photo(temp.path())).unwrap();
    let grey = temp.path().join("grey.png");
    output(
        Command::new("convert")
            .arg(temp.path().join("photo.png"))
            .args(["-colorspace", "Gray", "-strip", "-define", "png:exclude-chunk=all"])
            .arg(&grey),
    );
    let grey = fs::read(grey).unwrap();
    for (source, kind, data, name) in [
        (&colour, b"gAMA", &100_000u32.to_be_bytes()[..], "PNG gAMA 1, sRGB primaries"),
        (&colour, b"cICP", &[12, 13, 0, 1], "Display P3"),
        (&grey, b"gAMA", &100_000u32.to_be_bytes(), "PNG gAMA 1"),
        (&grey, b"cICP", &[9, 8, 0, 1], "BT.2020 primaries, linear transfer"),
    ] {
        let source = with_chunks(source, &[(kind, data)]);
        let (_, result) = remade(&source, ImageFormat::Png);
        let path = temp.path().join("result.png");
        fs::write(&path, &result.bytes).unwrap();
        assert_eq!(profile_name(&path), name);
        let tags = ["-s3", "-n", "-ICC_Profile:ProfileDateTime", "-ICC_Profile:ColorSpaceData"];
        let seen = output(Command::new("exiftool").args(tags).arg(&path));
        let space = if name.ends_with("primaries") || name == "Display P3" { "RGB" } else { "GRAY" };
        assert_eq!(seen.split_whitespace().last(), Some(space), "{name}: {seen}");
        assert!(seen.starts_with("2026:01:01 00:00:00"), "{name}: {seen}");
    }
}

#[test]
fn a_profile_of_rgb_never_lies_in_a_grey_file() {
    if !ready() {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let at = |name: &str| temp.path().join(name);
    output(
        Command::new("convert")
            .arg(photo(temp.path()))
            .args(["-colorspace", "Gray", "-strip", "-define", "png:exclude-chunk=all"])
            .arg(at("grey.png")),
    );
    let adobe =
        decode(&fs::read(crate::real_model::data("samples/icc_adobergb.jpg")).unwrap(), &Limits::default());
    let icc = adobe.unwrap().metadata.icc.unwrap();
    let mut grey = read(&at("grey.png"));
    assert_eq!(grey.color.channels(), 1);
    grey.metadata.icc = Some(icc);
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Tiff] {
        let path = at("result").with_extension(format.extensions()[0]);
        let result = encode(&grey, &EncodeOptions::new(format)).unwrap();
        fs::write(&path, &result.bytes).unwrap();
        let space = output(Command::new("exiftool").args(["-s3", "-ICC_Profile:ColorSpaceData"]).arg(&path));
        assert_eq!(space, "GRAY", "{format}");
        // As bright as Little CMS has it in the profile of RGB: the tone curve is gamma 2.2.
        let tone = decode(&result.bytes, &Limits::default()).unwrap();
        let seen = prepare_for_model(tone).color.data()[0];
        let expected = prepare_for_model(grey.clone()).color.data()[0];
        assert!((seen - expected).abs() < 0.02, "{format}: {seen}, {expected}");
    }
    // Where grey is stored as RGB, the profile holds.
    let result = encode(&grey, &EncodeOptions::new(ImageFormat::WebP)).unwrap();
    assert_eq!(decode(&result.bytes, &Limits::default()).unwrap().metadata.icc, grey.metadata.icc);
    let mut colour = read(&at("photo.png"));
    colour.metadata.icc = {
        let linear = with_chunks(&fs::read(at("grey.png")).unwrap(), &[(b"gAMA", &100_000u32.to_be_bytes())]);
        decode(&linear, &Limits::default()).unwrap().metadata.icc
    };
    for format in ImageFormat::writable() {
        let result = encode(&colour, &EncodeOptions::new(format)).unwrap();
        let back = decode(&result.bytes, &Limits::default()).unwrap();
        assert!(back.metadata.icc.is_none_or(|icc| &icc[16..20] != b"GRAY"), "{format}");
        assert!(!result.warnings.is_empty(), "{format}");
    }
}

/// A JPEG file with further segments (marker, data) behind its start.
fn with_segments(jpeg: &[u8], segments: &[(u8, &[u8])]) -> Vec<u8> {
    let mut out = jpeg[..2].to_vec();
    for (marker, data) in segments {
        out.extend([0xff, *marker]);
        out.extend((data.len() as u16 + 2).to_be_bytes());
        out.extend(*data);
    }
    [&out, &jpeg[2..]].concat()
}

#[test]
fn segments_of_jpeg_that_are_left_out_are_named() {
    let plain = fs::read(crate::real_model::data("samples/gray_progressive.jpg")).unwrap();
    let said = |segments: &[(u8, &[u8])]| {
        decode(&with_segments(&plain, segments), &Limits::default()).unwrap().warnings
    };
    assert_eq!(said(&[(0xe0, b"JFXX\0\x13"), (0xee, b"Adobe\0\x64\0\0\0\0\0")]), [""; 0]);
    let all: [(u8, &[u8]); 5] = [
        (0xe1, b"FLIR\0\x01\0\0"),
        (0xe5, b"RMETA\0"),
        (0xe6, b"GoPro\0"),
        (0xec, b"Ducky\0\x01"),
        (0xe9, b"Holiday\0"),
    ];
    let told = "dropped: FLIR thermal data, Ricoh data, GoPro data, Photoshop's save quality (Ducky), \
                unknown application data (APP9 'Holiday')";
    assert_eq!(said(&all), [told]);
    let credentials = "content credentials (C2PA) are not valid for the new image; dropped";
    assert_eq!(said(&[(0xeb, b"JP\0\x01\0\0\0\x01\0\0\0\x20jumb\0\0\0\x18jumdc2pa")]), [credentials]);
    let png = fs::read(crate::real_model::data("girl.png")).unwrap();
    let png = decode(&with_chunks(&png, &[(b"caBX", b"jumb")]), &Limits::default()).unwrap();
    assert_eq!(png.warnings, [credentials]);
}

#[test]
fn clipping_paths_go_along_in_jpeg_and_tiff() {
    // A closed path of one knot at a quarter of each side, and the name that makes it the clipping path.
    let knot = [[0u8, 0x40, 0, 0]; 6].concat();
    let length = [&[0, 0, 0, 1][..], &[0; 22]].concat();
    let path = [&b"8BIM\x07\xd0\x06Path 1\0\0\0\0\x34"[..], &length, &[0, 1], &knot].concat();
    let name = b"8BIM\x0b\xb7\0\0\0\0\0\x07\x06Path 1\0";
    let paths = [&path[..], name].concat();
    let plain = fs::read(crate::real_model::data("samples/gray_progressive.jpg")).unwrap();
    let segment = [&b"Photoshop 3.0\0"[..], &paths].concat();
    let source = with_segments(&plain, &[(0xed, &segment)]);
    let (image, tiff) = remade(&source, ImageFormat::Tiff);
    assert_eq!(image.metadata.paths.as_ref(), Some(&paths));
    let (_, jpeg) = remade(&tiff.bytes, ImageFormat::Jpeg);
    for (format, result) in [(ImageFormat::Tiff, tiff), (ImageFormat::Jpeg, jpeg)] {
        assert!(result.warnings.is_empty(), "{format}: {:?}", result.warnings);
        assert_eq!(decode(&result.bytes, &Limits::default()).unwrap().metadata.paths.as_ref(), Some(&paths));
        if Command::new("exiftool").arg("-ver").output().is_err() {
            skipped!("exiftool is not installed");
            return;
        }
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("result");
        fs::write(&file, result.bytes).unwrap();
        let seen = output(Command::new("exiftool").args(["-s3", "-ClippingPathName"]).arg(&file));
        assert_eq!(seen, "Path 1", "{format}");
    }
    let (_, png) = remade(&source, ImageFormat::Png);
    assert_eq!(png.warnings, ["PNG cannot store Photoshop's paths; dropped"]);
    // An image that lies on its side is turned, its paths are not.
    let side = fs::read(crate::real_model::data("samples/exif_orientation6.jpg")).unwrap();
    let turned = decode(&with_segments(&side, &[(0xed, &segment)]), &Limits::default()).unwrap();
    assert_eq!(turned.metadata.paths, None);
    assert!(turned.warnings.iter().any(|note| note.starts_with("Photoshop's paths do not turn")));
}

#[test]
fn an_orientation_in_xmp_counts_where_exif_has_none() {
    if !ready() {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let upright = photo(temp.path());
    for name in ["side.jpg", "side.png", "side.webp"] {
        let path = temp.path().join(name);
        let make = |xmp: &str, exif: Option<&str>| {
            output(Command::new("convert").arg(&upright).args(["-quality", "100"]).arg(&path));
            let mut exiftool = Command::new("exiftool");
            exiftool.args(["-q", "-n", "-overwrite_original", &format!("-XMP-tiff:Orientation={xmp}")]);
            exiftool.args(exif.map(|value| format!("-EXIF:Orientation={value}"))).arg(&path);
            output(&mut exiftool);
            let bytes = fs::read(&path).unwrap();
            let image = decode(&bytes, &Limits::default()).unwrap();
            // Planning sees the same.
            let header = header(std::io::Cursor::new(&bytes)).unwrap();
            assert_eq!(
                (header.width, header.height),
                (image.width(), image.height()),
                "{name} {xmp} {exif:?}"
            );
            image
        };
        let turned = make("6", None);
        let xmp = String::from_utf8(turned.metadata.xmp.clone().unwrap()).unwrap();
        assert!(xmp.contains(">1</tiff:Orientation>") || xmp.contains("tiff:Orientation=\"1\""), "{xmp}");
        // ImageMagick turns by the number that it is told.
        let expected = temp.path().join("expected.png");
        output(Command::new("convert").arg(&path).args(["-rotate", "90"]).arg(&expected));
        assert_eq!((turned.width(), turned.height()), (28, 40), "{name}");
        let (mean, _) = off(&turned, &expected);
        assert!(mean < 1.0, "{name}: {mean}");
        // EXIF goes first, and a number beyond 8 says nothing.
        assert_eq!(make("6", Some("1")).width(), 40, "{name}");
        assert_eq!(make("1", Some("6")).width(), 28, "{name}");
        assert_eq!(make("9", None).width(), 40, "{name}");
    }
}
