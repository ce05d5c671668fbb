//! EXIF, XMP, IPTC, profile, resolution, orientation.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use moxcms::ColorProfile;
use serde_json::Value;

use super::{look, output, photo, ready, tag, upscale};

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

/// A photographer's files, one for each format, and the profile in them.
fn sources(folder: &Path) -> (Vec<PathBuf>, Vec<u8>) {
    let icc = ColorProfile::new_adobe_rgb().encode().unwrap();
    let profile = folder.join("adobe.icc");
    fs::write(&profile, &icc).unwrap();
    let photo = photo(folder);
    let inputs = folder.join("in");
    fs::create_dir(&inputs).unwrap();
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
    ]);
    output(exiftool.args(&files));
    (files, icc)
}

/// All tags of some groups, without those that describe storage.
fn tags(path: &Path, groups: &[&str]) -> BTreeMap<String, Value> {
    let mut exiftool = Command::new("exiftool");
    exiftool.args(["-j", "-n", "-G1", "-struct"]).args(groups).arg(path);
    let Value::Array(files) = serde_json::from_str(&output(&mut exiftool)).unwrap() else { panic!() };
    let fixed =
        |name: &str| name != "SourceFile" && !CHANGING.iter().any(|tag| name.ends_with(&format!(":{tag}")));
    files[0].as_object().unwrap().clone().into_iter().filter(|(name, _)| fixed(name)).collect()
}

#[test]
fn everything_a_photographer_wrote_is_in_every_format_that_can_hold_it() {
    if !ready() {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let (files, icc) = sources(temp.path());
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
        for source in &files {
            let what = format!("{} to {format}", source.file_name().unwrap().to_string_lossy());
            let result = outputs.join(source.file_stem().unwrap()).with_extension(format);
            let before = tags(source, &["-EXIF:all"]);
            let after = tags(&result, &["-EXIF:all"]);
            assert!(before.len() > 18, "{what}: {before:#?}");
            for (name, value) in &before {
                // Without its profile the picture is sRGB (1) now.
                let value = if name.ends_with(":ColorSpace") && !profile { &Value::from(1) } else { value };
                assert_eq!(after.get(name), Some(value), "{what}: {name}");
            }
            let xmp = tags(&result, &["-XMP:all"]);
            for (name, value) in tags(source, &["-XMP:all"]) {
                if name != "XMP-x:XMPToolkit" {
                    assert_eq!(xmp.get(&name), Some(&value), "{what}: {name}");
                }
            }
            let made = xmp.get("XMP-iptcExt:DigitalSourceType").and_then(Value::as_str).unwrap_or_default();
            assert!(made.ends_with("compositeWithTrainedAlgorithmicMedia"), "{what}: {xmp:#?}");
            if iptc && source.extension() != Some("webp".as_ref()) {
                assert_eq!(tag(&result, "-IPTC:Caption-Abstract"), "A long caption", "{what}");
            }
            assert_eq!(tag(&result, "-EXIF:XResolution"), "960", "{what}");
            assert_eq!(tag(&result, "-EXIF:ExifImageWidth"), "160", "{what}");
            assert_eq!(tag(&result, "-EXIF:ExifImageHeight"), "112", "{what}");
            let deep = matches!(source.extension().and_then(|ext| ext.to_str()), Some("png" | "tif"));
            if profile {
                assert_eq!(icc_by_exiftool(&result), icc, "{what}");
                independent(&result, &icc, if deep { depth } else { "8" }, &what);
            }
        }
    }
}

fn icc_by_exiftool(path: &Path) -> Vec<u8> {
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
    let header = |field: &str| output(Command::new("vipsheader").args(["-f", field]).arg(path));
    let sample = if depth == "16" { "ushort" } else { "uchar" };
    assert!(header("format").to_ascii_lowercase().contains(sample), "{what}: {}", header("format"));
    assert_eq!((header("width"), header("height")), ("160".into(), "112".into()), "{what}");
    if path.extension() == Some("tif".as_ref()) {
        let seen = look(["samples".as_ref(), path.as_os_str()]);
        assert_eq!(seen["type"], format!("uint{depth}"), "{what}");
        assert_eq!(seen["shape"], serde_json::json!([112, 160, 3]), "{what}");
    }
}

#[test]
fn pictures_of_all_orientations_come_out_upright_and_say_so() {
    if !ready() {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let photo = photo(temp.path());
    let inputs = temp.path().join("in");
    fs::create_dir(&inputs).unwrap();
    let mut files = Vec::new();
    for orientation in 1..=8 {
        for format in ["jpg", "png", "tif", "webp"] {
            let path = inputs.join(format!("{orientation}{format}.{format}"));
            output(Command::new("convert").arg(&photo).args(["-quality", "95"]).arg(&path));
            let value = format!("-EXIF:Orientation={orientation}");
            output(Command::new("exiftool").args(["-q", "-n", "-overwrite_original", &value]).arg(&path));
            files.push(path);
        }
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
        for source in &files {
            let result = outputs.join(source.file_stem().unwrap()).with_extension(format);
            let what = result.display();
            // TIFF's own tag does not become one of EXIF.
            let said = tag(&result, "-EXIF:Orientation");
            assert!(
                said == "1" || said.is_empty() && source.extension() == Some("tif".as_ref()),
                "{what}: {said}"
            );
            let off = look(["upright".as_ref(), source.as_os_str(), result.as_os_str()]);
            // Turned the wrong way it is over 30.
            assert!(off["difference"].as_f64().unwrap() < 8.0, "{what}: {off}");
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
    assert_ne!(tag(&source, "-ThumbnailLength"), "");
    let before = look(["maker_note".as_ref(), source.as_os_str()]);
    assert_eq!(before["whole"], true);
    for format in ["jpg", "png", "webp", "tif"] {
        let result = temp.path().join("big").with_extension(format);
        let told = upscale([source.as_os_str(), "-o".as_ref(), result.as_os_str()]);
        assert_eq!(tag(&result, "-ThumbnailLength"), "", "{format}");
        assert_eq!(tag(&result, "-EXIF:DateTimeOriginal"), "2024:05:06 07:08:09", "{format}");
        let note = "the maker note cannot move into a TIFF file intact; dropped";
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
        for source in &files {
            let result = outputs.join(source.file_name().unwrap());
            let what = result.display();
            assert_eq!(icc_by_exiftool(&result), icc, "{what}");
            assert_eq!(tag(&result, "-GPS:all"), "", "{what}");
            let bytes = fs::read(&result).unwrap();
            let holds = |text: &[u8]| bytes.windows(text.len()).any(|part| part == text);
            assert!(!holds(b"Wien") && !holds(b"partdiff:record"), "{what}");
            if strip == "gps" {
                assert_eq!(tag(&result, "-EXIF:Artist"), "Ada Lovelace", "{what}");
                assert_eq!(tag(&result, "-XMP-dc:Title"), "A title", "{what}");
            } else {
                let left = ["-EXIF:Artist", "-XMP:all", "-IPTC:all"].map(|name| tag(&result, name)).concat();
                assert_eq!(left, "", "{what}");
                // Shorter words turn up in compressed pixels.
                assert!(!holds(b"Canon") && !holds(b"harbour") && !holds(b"Lovelace"), "{what}");
            }
        }
    }
}
