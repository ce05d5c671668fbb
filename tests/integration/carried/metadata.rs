//! EXIF, XMP, IPTC, profile, resolution, orientation.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use moxcms::ColorProfile;
use serde_json::Value;

use super::{Tags, look, output, photo, ready, upscale};

/// Tags that say how pixels are stored, or must change with them.
const CHANGING: [&str; 29] = [
    "BitsPerSample",
    "ColorSpaceData",
    "Compression",
    "ExifImageHeight",
    "ExifImageWidth",
    "ExtraSamples",
    "FillOrder",
    "ImageHeight",
    "ImageWidth",
    "Orientation",
    "PageNumber",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "Predictor",
    "PrimaryChromaticities",
    "ResolutionUnit",
    "RowsPerStrip",
    "SampleFormat",
    "SamplesPerPixel",
    "StripByteCounts",
    "StripOffsets",
    "SubfileType",
    "ThumbnailImage",
    "ThumbnailLength",
    "ThumbnailOffset",
    "WhitePoint",
    "XResolution",
    "YCbCrPositioning",
    "YResolution",
];

/// A photograph in `folder`, and an empty folder beside it.
fn photo_and_inputs(folder: &Path) -> (PathBuf, PathBuf) {
    let inputs = folder.join("in");
    fs::create_dir(&inputs).unwrap();
    (photo(folder), inputs)
}

/// A photographer's files, one for each format, and the profile in them.
fn sources(folder: &Path) -> (Vec<PathBuf>, Vec<u8>) {
    let icc = ColorProfile::new_adobe_rgb().encode().unwrap();
    let profile = folder.join("adobe.icc");
    fs::write(&profile, &icc).unwrap();
    let (photo, inputs) = photo_and_inputs(folder);
    let files = [("a.jpg", "8"), ("b.png", "16"), ("c.tif", "16"), ("d.webp", "8")];
    let files: Vec<PathBuf> = files
        .into_iter()
        .map(|(name, depth)| {
            let path = inputs.join(name);
            let mut convert = Command::new("convert");
            convert.arg(&photo).args(["-depth", depth, "-define", "webp:lossless=true"]);
            convert.args(["-define", "png:bit-depth=16", "-profile"]);
            output(convert.arg(&profile).arg(&path));
            path
        })
        .collect();
    let mut exiftool = Command::new("exiftool");
    exiftool.args(["-q", "-overwrite_original", "-n"]).args([
        "-EXIF:Make=Canon",
        "-EXIF:Model=Canon EOS R5",
        "-EXIF:ExposureTime=0.004",
        "-EXIF:FNumber=2.8",
        "-EXIF:ISO=400",
        "-EXIF:DateTimeOriginal=2024:05:06 07:08:09",
        "-EXIF:OffsetTimeOriginal=+02:00",
        "-EXIF:LensModel=RF50mm",
        "-EXIF:UserComment=Good light",
        "-EXIF:ImageDescription=Gr\u{fc}n",
        "-EXIF:ExifImageWidth=40",
        "-EXIF:ExifImageHeight=28",
        "-EXIF:GPSLatitude=47.5",
        "-EXIF:GPSLatitudeRef=N",
        "-EXIF:GPSLongitude=11.25",
        "-EXIF:GPSLongitudeRef=E",
        "-EXIF:InteropIndex=R03",
        "-EXIF:XResolution=240",
        "-EXIF:YResolution=240",
        "-EXIF:ResolutionUnit=2",
        "-EXIF:Artist=Ada Lovelace",
        "-EXIF:Copyright=CC0",
        "-XMP-dc:Title=A title",
        "-XMP-dc:Subject=one",
        "-XMP-dc:Subject=two",
        "-XMP-xmp:Rating=4",
        "-XMP-photoshop:City=Wien",
        "-IPTC:Keywords=harbour",
        "-IPTC:Caption-Abstract=A long caption",
        "-IPTC:City=Wien",
        "-IPTC:Country-PrimaryLocationName=Austria",
    ]);
    output(exiftool.args(&files));
    let texts = ["-q", "-overwrite_original", "-PNG:Author=Ada L\u{f6}velace", "-PNG:Title=\u{4e16}\u{754c}"];
    output(Command::new("exiftool").args(texts).arg(&files[1]));
    (files, icc)
}

/// The tags of EXIF, without those that describe storage.
fn exif(tags: &Tags) -> BTreeMap<&str, &Value> {
    let fixed = |name: &str| !CHANGING.iter().any(|tag| name.ends_with(&format!(":{tag}")));
    tags.group("EXIF").into_iter().filter(|(name, _)| fixed(name)).collect()
}

#[test]
fn everything_a_photographer_wrote_is_in_every_format_that_can_hold_it() {
    if !ready() {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let (files, icc) = sources(temp.path());
    let originals = Tags::of(&files);
    // Format, IPTC, profile, and depth of 16-bit sources.
    let jxl = cfg!(feature = "jxl").then_some(("jxl", false, false, "16"));
    let formats = [("jpg", true, true, "8"), ("png", true, true, "16"), ("tif", true, true, "16")];
    let formats = formats.into_iter().chain([("webp", false, true, "8")]).chain(jxl);
    for (format, iptc, profile, depth) in formats {
        let outputs = temp.path().join(format);
        upscale([
            temp.path().join("in").as_os_str(),
            "-o".as_ref(),
            outputs.as_os_str(),
            "--format".as_ref(),
            format.as_ref(),
        ]);
        let results: Vec<PathBuf> = files
            .iter()
            .map(|source| outputs.join(source.file_stem().unwrap()).with_extension(format))
            .collect();
        let made = Tags::of(&results);
        for (((source, original), result), made) in files.iter().zip(&originals).zip(&results).zip(&made) {
            let what = format!("{} to {format}", source.file_name().unwrap().to_string_lossy());
            let (before, after) = (exif(original), exif(made));
            assert!(before.len() > 18, "{what}: {before:#?}");
            for (name, value) in &before {
                // Without its profile the image is sRGB (1) now.
                let value = if name.ends_with(":ColorSpace") && !profile { &Value::from(1) } else { *value };
                assert_eq!(after.get(name), Some(&value), "{what}: {name}");
            }
            let (before, after) = (original.group("XMP"), made.group("XMP"));
            assert!(before.len() > 4, "{what}: {before:#?}");
            for (name, value) in before.into_iter().filter(|(name, _)| *name != "XMP-x:XMPToolkit") {
                assert_eq!(after.get(name), Some(&value), "{what}: {name}");
            }
            let kind = made.text("XMP-iptcExt:DigitalSourceType");
            assert!(kind.ends_with("compositeWithTrainedAlgorithmicMedia"), "{what}: {after:#?}");
            if iptc && source.extension() != Some("webp".as_ref()) {
                assert_eq!(made.text("IPTC:Caption-Abstract"), "A long caption", "{what}");
            }
            if iptc && source.extension() == Some("png".as_ref()) && format != "tif" {
                let asked = ["-a", "-s3", "-File:Comment"];
                let comment = output(Command::new("exiftool").args(asked).arg(result));
                let png = ["PNG:Author", "PNG:Title"].map(|tag| made.text(tag));
                let expected = if format == "png" {
                    png == ["Ada L\u{f6}velace", "\u{4e16}\u{754c}"]
                } else {
                    comment.contains("Author: Ada L\u{f6}velace")
                        && comment.contains("Title: \u{4e16}\u{754c}")
                };
                assert!(expected, "{what}: {comment} {png:?}");
            }
            assert_eq!(made.text("EXIF:XResolution"), "960", "{what}");
            assert_eq!(made.text("EXIF:ExifImageWidth"), "160", "{what}");
            assert_eq!(made.text("EXIF:ExifImageHeight"), "112", "{what}");
            let deep = matches!(source.extension().and_then(|ext| ext.to_str()), Some("png" | "tif"));
            if profile {
                assert_eq!(icc_by_exiftool(result), icc, "{what}");
                independent(result, &icc, if deep { depth } else { "8" }, &what);
            }
        }
    }
}

pub(super) fn icc_by_exiftool(path: &Path) -> Vec<u8> {
    Command::new("exiftool").args(["-b", "-icc_profile"]).arg(path).output().unwrap().stdout
}

/// Pillow, ImageMagick and libvips agree with ExifTool.
fn independent(path: &Path, icc: &[u8], depth: &str, what: &str) {
    use sha2::{Digest, Sha256};
    let seen = look(["pillow".as_ref(), path.as_os_str()]);
    assert_eq!(seen["size"], serde_json::json!([160, 112]), "{what}");
    let hash: String = Sha256::digest(icc).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(seen["icc"], hash, "{what}");
    assert_eq!(seen["orientation"], 1, "{what}");
    assert_eq!(seen["xmp"], true, "{what}");
    if path.extension() != Some("webp".as_ref()) {
        let dpi = seen["dpi"][0].as_f64().unwrap_or_default();
        assert!((dpi - 960.0).abs() < 0.1, "{what}: {dpi} dpi");
    }
    let identified = output(Command::new("identify").args(["-format", "%w %h %z"]).arg(path));
    assert_eq!(identified, format!("160 112 {depth}"), "{what}");
    // PATH: 160x112 ushort, 3 bands, srgb, pngload
    let header = output(Command::new("vipsheader").arg(path));
    let sample = if depth == "16" { "ushort" } else { "uchar" };
    assert!(header.contains(&format!(": 160x112 {sample}, 3 bands")), "{what}: {header}");
    if path.extension() == Some("tif".as_ref()) {
        let seen = look(["samples".as_ref(), path.as_os_str()]);
        assert_eq!(seen["type"], format!("uint{depth}"), "{what}");
        assert_eq!(seen["shape"], serde_json::json!([112, 160, 3]), "{what}");
    }
}

#[test]
fn prints_keep_their_size_whatever_file_they_come_from_and_go_to() {
    if !ready() {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let (photo, inputs) = photo_and_inputs(temp.path());
    let from = ["jpg", "png", "tif", "bmp"];
    for format in from {
        let path = inputs.join(format).with_extension(format);
        let density = ["-units", "PixelsPerInch", "-density", "300"];
        output(Command::new("convert").arg(&photo).args(density).arg(&path));
    }
    let jxl =
        cfg!(feature = "jxl").then_some(("jxl", &["EXIF:XResolution=1200", "EXIF:ResolutionUnit=2"][..]));
    let formats: [(&str, &[&str]); 5] = [
        ("jpg", &["JFIF:XResolution=1200", "JFIF:YResolution=1200", "JFIF:ResolutionUnit=1"]),
        ("png", &["PNG-pHYs:PixelsPerUnitX=47244", "PNG-pHYs:PixelsPerUnitY=47244"]),
        ("tif", &["EXIF:XResolution=1200", "EXIF:YResolution=1200", "EXIF:ResolutionUnit=2"]),
        ("bmp", &["File:PixelsPerMeterX=47244", "File:PixelsPerMeterY=47244"]),
        ("webp", &["EXIF:XResolution=1200", "EXIF:YResolution=1200", "EXIF:ResolutionUnit=2"]),
    ];
    for (format, expected) in formats.into_iter().chain(jxl) {
        let outputs = temp.path().join(format);
        let asked = [inputs.as_os_str(), "-o".as_ref(), outputs.as_os_str()];
        upscale(asked.into_iter().chain(["--format".as_ref(), format.as_ref()]));
        let results = from.map(|source| outputs.join(source).with_extension(format));
        for (source, tags) in from.iter().zip(Tags::of(&results)) {
            for line in expected {
                let (tag, value) = line.split_once('=').unwrap();
                assert_eq!(tags.text(tag), value, "{source} to {format}: {tag}");
            }
        }
    }
}

#[test]
fn images_of_all_orientations_come_out_upright_and_say_so() {
    if !ready() {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let (photo, inputs) = photo_and_inputs(temp.path());
    let mut files = Vec::new();
    for format in ["jpg", "png", "tif", "webp"] {
        let plain = temp.path().join("plain").with_extension(format);
        output(Command::new("convert").arg(&photo).args(["-quality", "95"]).arg(&plain));
        for orientation in 1..=8 {
            let path = inputs.join(format!("{orientation}{format}.{format}"));
            fs::copy(&plain, &path).unwrap();
            files.push((path, orientation));
        }
    }
    for orientation in 1..=8 {
        let turned = files.iter().filter(|(_, turn)| *turn == orientation).map(|(path, _)| path);
        let value = format!("-EXIF:Orientation={orientation}");
        output(Command::new("exiftool").args(["-q", "-n", "-overwrite_original", &value]).args(turned));
    }
    for format in ["png", "jpg"] {
        let outputs = temp.path().join(format);
        upscale([
            inputs.as_os_str(),
            "-o".as_ref(),
            outputs.as_os_str(),
            "--format".as_ref(),
            format.as_ref(),
        ]);
        let pairs: Vec<[PathBuf; 2]> = files
            .iter()
            .map(|(source, _)| {
                [source.clone(), outputs.join(source.file_stem().unwrap()).with_extension(format)]
            })
            .collect();
        let results: Vec<&PathBuf> = pairs.iter().map(|[_, result]| result).collect();
        let asked =
            ["upright".as_ref()].into_iter().chain(pairs.iter().flatten().map(|path| path.as_os_str()));
        let off = look(asked);
        for (i, ([source, result], tags)) in pairs.iter().zip(Tags::of(&results)).enumerate() {
            let what = result.display();
            // TIFF's own tag does not become one of EXIF.
            let said = tags.text("EXIF:Orientation");
            assert!(
                said == "1" || said.is_empty() && source.extension() == Some("tif".as_ref()),
                "{what}: {said}"
            );
            // Turned the wrong way it is over 30.
            assert!(off["differences"][i].as_f64().unwrap() < 8.0, "{what}: {off}");
        }
    }
}

#[test]
fn maker_notes_stay_where_they_were_or_go_with_a_note_and_thumbnails_go() {
    if !ready() {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let (photo, source) = (photo(temp.path()), temp.path().join("camera.jpg"));
    look(["with_maker_note".as_ref(), photo.as_os_str(), source.as_os_str()]);
    let small = temp.path().join("small.jpg");
    output(Command::new("convert").arg(&photo).args(["-resize", "16x"]).arg(&small));
    let thumbnail = format!("-ThumbnailImage<={}", small.display());
    output(Command::new("exiftool").args(["-q", "-overwrite_original", &thumbnail]).arg(&source));
    assert!(Tags::of(&[&source])[0].has("ThumbnailLength"));
    let before = look(["maker_note".as_ref(), source.as_os_str()]);
    assert_eq!(before["whole"], true);
    for format in ["jpg", "png", "webp", "tif"] {
        let result = temp.path().join("big").with_extension(format);
        let told = upscale([source.as_os_str(), "-o".as_ref(), result.as_os_str()]);
        let tags = &Tags::of(&[&result])[0];
        assert!(!tags.has("ThumbnailLength"), "{format}");
        assert_eq!(tags.text("EXIF:DateTimeOriginal"), "2024:05:06 07:08:09", "{format}");
        let note = "the maker note would be broken in a TIFF file; dropped";
        let after = look(["maker_note".as_ref(), result.as_os_str()]);
        if format == "tif" {
            assert_eq!(after["any"], false);
            assert!(told.contains(note), "{told}");
        } else {
            assert_eq!(after["whole"], true, "{format}");
            assert_eq!(after["at"], before["at"], "{format}");
            assert!(!told.contains("maker note"), "{told}");
        }
    }
}

#[test]
fn places_and_everything_can_be_left_out() {
    if !ready() {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let (files, icc) = sources(temp.path());
    for strip in ["gps", "all"] {
        let outputs = temp.path().join(strip);
        upscale(
            [temp.path().join("in").as_os_str(), "-o".as_ref(), outputs.as_os_str()].into_iter().chain([
                "--strip".as_ref(),
                strip.as_ref(),
                "--no-provenance".as_ref(),
            ]),
        );
        let results: Vec<PathBuf> =
            files.iter().map(|source| outputs.join(source.file_name().unwrap())).collect();
        for (result, tags) in results.iter().zip(Tags::of(&results)) {
            let what = result.display();
            assert_eq!(icc_by_exiftool(result), icc, "{what}");
            assert!(!tags.0.keys().any(|name| name.contains("GPS")), "{what}");
            let bytes = fs::read(result).unwrap();
            let holds = |text: &[u8]| bytes.windows(text.len()).any(|part| part == text);
            assert!(!holds(b"Wien") && !holds(b"Austria") && !holds(b"partdiff:record"), "{what}");
            if strip == "gps" {
                assert_eq!(tags.text("EXIF:Artist"), "Ada Lovelace", "{what}");
                assert_eq!(tags.text("XMP-dc:Title"), "A title", "{what}");
                let keyword = tags.text("IPTC:Keywords");
                assert!(keyword == "harbour" || result.extension() == Some("webp".as_ref()), "{what}");
            } else {
                assert_eq!(tags.text("EXIF:Artist"), "", "{what}");
                let left = (tags.group("XMP"), tags.group("IPTC"));
                assert!(left.0.is_empty() && left.1.is_empty(), "{what}: {left:#?}");
                // Shorter words turn up in compressed pixels.
                assert!(!holds(b"Canon") && !holds(b"harbour") && !holds(b"Lovelace"), "{what}");
            }
        }
    }
}
