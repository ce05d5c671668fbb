//! Metadata as exiftool sees them.

use super::*;

/// A file with all kinds of metadata, made with exiftool from a sample.
fn loaded(folder: &std::path::Path, name: &str, extra: &[&str]) -> (tempfile::TempDir, PathBuf) {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join(name);
    std::fs::copy(folder.join(name), &path).unwrap();
    let mut command = Command::new("exiftool");
    command.args(["-q", "-overwrite_original", "-n"]).args(extra);
    command.args([
        "-EXIF:Make=Canon",
        "-EXIF:Model=Canon EOS R5",
        "-EXIF:ExposureTime=0.004",
        "-EXIF:FNumber=2.8",
        "-EXIF:ISO=400",
        "-EXIF:DateTimeOriginal=2024:05:06 07:08:09",
        "-EXIF:UserComment=Good light",
        "-EXIF:GPSLatitude=47.5",
        "-EXIF:GPSLatitudeRef=N",
        "-EXIF:GPSLongitude=11.25",
        "-EXIF:GPSLongitudeRef=E",
        "-EXIF:XResolution=240",
        "-EXIF:YResolution=240",
        "-EXIF:ResolutionUnit=2",
        "-EXIF:Artist=Ada Lovelace",
        "-EXIF:Copyright=CC0",
        "-XMP-dc:Title=A title",
        "-XMP-dc:Subject=one",
        "-XMP-dc:Subject=two",
        "-XMP-xmp:Rating=4",
        "-IPTC:Keywords=harbour",
        "-IPTC:Caption-Abstract=A long caption",
    ]);
    output(command.arg(&path));
    (temp, path)
}

/// Tags as exiftool sees them, one a line, `-` for those that are not there.
fn tags(path: &std::path::Path, names: &[&str]) -> String {
    output(Command::new("exiftool").args(["-s3", "-n", "-f", "-sep", "|"]).args(names).arg(path))
        .trim()
        .to_owned()
}

/// One tag, or all of a group; empty if not there.
fn tag(path: &std::path::Path, name: &str) -> String {
    output(Command::new("exiftool").args(["-s3", "-n", name]).arg(path)).trim().to_owned()
}

#[test]
fn metadata_survive_as_exiftool_sees_them() {
    let Some(folder) = has_tool("exiftool").then(samples) else { return };
    for source in ["icc_adobergb.jpg", "photo_dog.png", "rgb16_small.tiff"] {
        let (temp, path) = loaded(&folder, source, &[]);
        let bytes = std::fs::read(&path).unwrap();
        for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Tiff, ImageFormat::WebP] {
            // Both forms of WebP, where there are two.
            let lossless = cfg!(not(feature = "lossy-webp")) || source == "photo_dog.png";
            let options = EncodeOptions { lossless, ..EncodeOptions::new(format) };
            let out = enlarge(&bytes, 2, &options, &RestoreOptions::default());
            let target = temp.path().join(format!("out.{}", format.extensions()[0]));
            std::fs::write(&target, &out.bytes).unwrap();
            let what = format!("{source} to {format}");
            let kept = [
                "-EXIF:Make",
                "-EXIF:Model",
                "-EXIF:ExposureTime",
                "-EXIF:FNumber",
                "-EXIF:ISO",
                "-EXIF:DateTimeOriginal",
                "-EXIF:UserComment",
                "-EXIF:GPSLatitude",
                "-EXIF:GPSLongitude",
                "-EXIF:Artist",
                "-EXIF:Copyright",
                "-XMP-dc:Title",
                "-XMP-dc:Subject",
                "-XMP-xmp:Rating",
            ];
            let before = tags(&path, &kept);
            assert!(before.lines().all(|line| line != "-"), "not all were there: {before}");
            assert_eq!(tags(&target, &kept), before, "{what}");
            if format == ImageFormat::WebP {
                assert!(
                    out.warnings.iter().any(|warning| warning.contains("IPTC")),
                    "{what}: {:?}",
                    out.warnings
                );
            } else {
                let iptc = ["-IPTC:Keywords", "-IPTC:Caption-Abstract"];
                assert_eq!(tags(&target, &iptc), "harbour\nA long caption", "{what}");
            }
            // Twice the pixels on the same paper, and no errors (the first number of the check).
            let checked = tags(&target, &["-EXIF:XResolution", "-validate"]);
            assert!(checked.starts_with("480\n0 "), "{what}: {checked}");
        }
    }
}

#[test]
fn profiles_are_kept_to_the_byte() {
    let Some(folder) = has_tool("exiftool").then(samples) else { return };
    let temp = tempfile::tempdir().unwrap();
    for source in ["icc_adobergb.jpg", "icc_displayp3.jpg"] {
        let path = folder.join(source);
        let profile = |path: &std::path::Path| {
            Command::new("exiftool").args(["-b", "-icc_profile"]).arg(path).output().unwrap().stdout
        };
        let before = profile(&path);
        assert!(before.len() > 300);
        for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Tiff, ImageFormat::WebP] {
            let out = enlarge(
                &std::fs::read(&path).unwrap(),
                1,
                &EncodeOptions::new(format),
                &RestoreOptions::default(),
            );
            let target = temp.path().join(format!("out.{}", format.extensions()[0]));
            std::fs::write(&target, &out.bytes).unwrap();
            assert_eq!(profile(&target), before, "{source} to {format}");
        }
    }
}

#[test]
fn all_orientations_come_out_upright() {
    let Some(folder) = has_tool("exiftool").then(samples) else { return };
    let (_temp, path) = loaded(&folder, "photo_flowers_lr_x4_q60.jpg", &["-XMP-tiff:Orientation=1"]);
    let upright = decode(&std::fs::read(&path).unwrap(), &Limits::default()).unwrap();
    for orientation in 1..=8 {
        let value = format!("-Orientation={orientation}");
        output(Command::new("exiftool").args(["-q", "-n", "-overwrite_original", &value]).arg(&path));
        let image = decode(&std::fs::read(&path).unwrap(), &Limits::default()).unwrap();
        let turned = crate::image::orientation::upright(upright.color.clone(), orientation);
        assert_eq!(image.color, turned, "{orientation}");
        let out = encode(&image, &EncodeOptions::new(ImageFormat::Jpeg)).unwrap().bytes;
        let target = path.with_extension("out.jpg");
        std::fs::write(&target, out).unwrap();
        assert_eq!(tag(&target, "-EXIF:Orientation"), "1");
        assert_eq!(tag(&target, "-XMP-tiff:Orientation"), "1");
    }
}

#[test]
fn thumbnails_places_and_maker_notes() {
    let Some(folder) = has_tool("exiftool").then(samples) else { return };
    let thumbnail = format!("-ThumbnailImage<={}", folder.join("photo_flowers_lr_x4_q60.jpg").display());
    let (temp, path) = loaded(&folder, "exif_orientation6.jpg", &[&thumbnail, "-ExifImageWidth=1200"]);
    let bytes = std::fs::read(&path).unwrap();
    assert!(!tag(&path, "-ThumbnailLength").is_empty());
    let options = EncodeOptions::new(ImageFormat::Jpeg);
    let target = temp.path().join("out.jpg");
    let kept = enlarge(&bytes, 1, &options, &RestoreOptions::default());
    std::fs::write(&target, &kept.bytes).unwrap();
    assert_eq!(tag(&target, "-ThumbnailLength"), "");
    assert_eq!(tag(&target, "-EXIF:GPSLatitude"), "47.5");
    assert_eq!(tag(&target, "-EXIF:ExifImageWidth"), tag(&target, "-File:ImageWidth"));
    let strip = RestoreOptions { strip: Strip::Gps, ..RestoreOptions::default() };
    std::fs::write(&target, enlarge(&bytes, 1, &options, &strip).bytes).unwrap();
    assert_eq!(tag(&target, "-GPS:all"), "");
    assert_eq!(tag(&target, "-EXIF:Artist"), "Ada Lovelace");
    let strip = RestoreOptions { strip: Strip::All, keep_dpi: true, ..RestoreOptions::default() };
    std::fs::write(&target, enlarge(&bytes, 1, &options, &strip).bytes).unwrap();
    assert_eq!(tag(&target, "-EXIF:all") + &tag(&target, "-XMP:all") + &tag(&target, "-IPTC:all"), "");
    assert_eq!(tag(&target, "-JFIF:XResolution"), "240");
}

#[test]
fn adobe_rgb_named_by_exif_alone_gets_its_profile() {
    let Some(folder) = has_tool("exiftool").then(samples) else { return };
    let source = "photo_flowers_lr_x4_q60.jpg";
    for (arguments, adobe) in [
        (&["-EXIF:ColorSpace=1"][..], false),
        (&["-EXIF:ColorSpace=65535", "-InteropIndex=R03"], true),
        (&["-EXIF:ColorSpace=65535"], false),
        (&["-EXIF:ColorSpace=2"], true),
    ] {
        let (_temp, path) = loaded(&folder, source, arguments);
        let image = decode(&std::fs::read(&path).unwrap(), &Limits::default()).unwrap();
        assert_eq!(image.metadata.icc.is_some(), adobe, "{arguments:?}");
        if adobe {
            let values = image.color.clone();
            assert_ne!(prepare_for_model(image.clone()).color, values);
            // Where no profile can go along, values become sRGB, and EXIF says so.
            if ImageFormat::JpegXl.can_write() {
                let plain = encode(&image, &EncodeOptions::new(ImageFormat::JpegXl)).unwrap();
                assert_eq!(
                    plain.warnings,
                    [
                        "JPEG XL cannot store IPTC; dropped",
                        "JPEG XL cannot store the colour profile; converted to sRGB"
                    ]
                );
                let plain = decode(&plain.bytes, &Limits::default()).unwrap();
                assert!(plain.metadata.exif.is_some() && !plain.metadata.is_adobe_rgb());
                assert_ne!(plain.color, values);
            }
        }
    }
}
