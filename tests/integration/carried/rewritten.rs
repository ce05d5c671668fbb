//! Files that other programs have written to, and what in them holds for the old image only.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Tags, output, photo, ready, upscale};

fn exiftool(path: &Path, arguments: &[&str]) {
    output(Command::new("exiftool").args(["-q", "-n", "-overwrite_original"]).args(arguments).arg(path));
}

/// The photograph at `photo` as a file of that name.
fn converted(photo: &Path, name: &str) -> PathBuf {
    let path = photo.with_file_name(name);
    output(Command::new("convert").arg(photo).arg(&path));
    path
}

/// Upscales `source` to `name` beside it, and returns that path and what was said.
fn upscaled(source: &Path, name: &str, options: &[&str]) -> (PathBuf, String) {
    let path = source.with_file_name(name);
    let arguments = [source.as_os_str(), "-o".as_ref(), path.as_os_str(), "--overwrite".as_ref()];
    let said = upscale(arguments.into_iter().chain(options.iter().map(AsRef::as_ref)));
    (path, said)
}

fn packet(path: &Path) -> String {
    output(Command::new("exiftool").args(["-b", "-xmp"]).arg(path))
}

#[test]
fn a_record_that_exiftool_wrote_anew_still_verifies() {
    if !ready() {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let photo = photo(temp.path());
    for name in ["a.jpg", "b.tif", "c.webp", "d.png"] {
        let (result, _) = upscaled(&photo, name, &[]);
        exiftool(&result, &["-XMP-dc:Title=Evening", "-PNG:all="]);
        assert!(packet(&result).contains("<partdiff:record>"), "{name}: {}", packet(&result));
        let mut verify = Command::new(env!("CARGO_BIN_EXE_partdiff"));
        let told = output(verify.args(["verify", "--device", "cpu"]).arg(&result).arg(&photo));
        assert!(told.contains("identical"), "{name}: {told}");
    }
}

#[test]
fn a_result_of_a_result_has_its_own_record_or_none() {
    if !ready() {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let photo = photo(temp.path());
    for name in ["a.jpg", "b.png"] {
        let (first, _) = upscaled(&photo, name, &[]);
        let (second, _) = upscaled(&first, &format!("again-{name}"), &["--scale", "2"]);
        let all = fs::read(&second).unwrap();
        let records = |bytes: &[u8]| bytes.windows(13).filter(|part| *part == b"source_sha256").count();
        // In PNG, a text says the same.
        assert_eq!(records(&all), if name == "a.jpg" { 1 } else { 2 }, "{name}");
        let (none, _) = upscaled(&first, &format!("none-{name}"), &["--scale", "2", "--no-provenance"]);
        assert_eq!(records(&fs::read(&none).unwrap()), 0, "{name}");
        let told = Tags::of(&[&none]).remove(0).text("XMP:DigitalSourceType");
        assert!(told.ends_with("compositeWithTrainedAlgorithmicMedia"), "{name}: {told}");
    }
}

#[test]
fn places_go_whatever_program_and_prefix_wrote_them() {
    if !ready() {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let photo = photo(temp.path());
    let sidecar = temp.path().join("places.xmp");
    let source = "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF \
        xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description rdf:about='' \
        xmlns:drone-dji='http://www.dji.com/drone-dji/1.0/' xmlns:ex='http://ns.adobe.com/exif/1.0/' \
        xmlns:ps='http://ns.adobe.com/photoshop/1.0/' xmlns:dc='http://purl.org/dc/elements/1.1/' \
        drone-dji:GpsLatitude='+41.9028' drone-dji:GpsLongtitude='+12.4964' drone-dji:RelativeAltitude='+77.7' \
        drone-dji:FlightYawDegree='10' ex:GPSLatitude='41,54.17N' ps:City='Rome' dc:format='kept'>\
        <drone-dji:GpsLongitude>+12.4964</drone-dji:GpsLongitude></rdf:Description></rdf:RDF></x:xmpmeta>";
    fs::write(&sidecar, source).unwrap();
    for name in ["a.jpg", "b.png", "c.tif", "d.webp"] {
        let path = converted(&photo, name);
        exiftool(&path, &[&format!("-xmp<={}", sidecar.display())]);
        assert!(packet(&path).contains("+12.4964"), "{name}");
        let (result, _) = upscaled(&path, &format!("big-{name}"), &["--strip", "gps"]);
        let left = packet(&result);
        for place in ["41.9028", "12.4964", "77.7", "41,54", "Rome"] {
            assert!(!left.contains(place), "{name}: {place} in {left}");
        }
        assert!(left.contains("FlightYawDegree") && left.contains("kept"), "{name}: {left}");
    }
}

#[test]
fn marked_faces_follow_the_size_and_go_where_the_image_is_turned() {
    if !ready() {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let path = converted(&photo(temp.path()), "a.jpg");
    exiftool(
        &path,
        &[
            "-RegionInfo={AppliedToDimensions={W=40,H=28,Unit=pixel},RegionList=[{Name=Ada,Type=Face,\
             Area={X=0.5,Y=0.25,W=0.1,H=0.2,Unit=normalized}}]}",
            "-XMP-GPano:FullPanoWidthPixels=400",
            "-XMP-GPano:ProjectionType=equirectangular",
            "-EXIF:FocalPlaneXResolution=3000.5",
            "-EXIF:SubjectArea=5 6 7 8",
            "-XMP-exif:FocalPlaneYResolution=100",
        ],
    );
    let (result, said) = upscaled(&path, "big.jpg", &[]);
    assert!(!said.contains("warning"), "{said}");
    let value = |tag: &str| output(Command::new("exiftool").args(["-s3", tag]).arg(&result));
    assert_eq!(value("-RegionAppliedToDimensionsW"), "160");
    assert_eq!(value("-RegionAppliedToDimensionsH"), "112");
    assert_eq!((value("-RegionName").as_str(), value("-RegionAreaY").as_str()), ("Ada", "0.25"));
    assert_eq!(value("-FullPanoWidthPixels"), "1600");
    assert_eq!(
        (value("-EXIF:FocalPlaneXResolution").as_str(), value("-SubjectArea").as_str()),
        ("12002", "20 24 28 32")
    );
    assert_eq!(value("-XMP-exif:FocalPlaneYResolution"), "400");
    exiftool(&path, &["-Orientation=6"]);
    let (_, said) = upscaled(&path, "big.jpg", &[]);
    assert!(said.contains("marked regions"), "{said}");
    assert_eq!((value("-RegionName"), value("-ProjectionType")), (String::new(), "equirectangular".into()));
}

#[test]
fn a_motion_photo_becomes_a_photo_and_says_so() {
    if !ready() {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    for (name, coding) in [("a.jpg", "None"), ("b.jpg", "JPEG")] {
        let path = photo(temp.path()).with_file_name(name);
        output(Command::new("convert").arg(photo(temp.path())).args(["-interlace", coding]).arg(&path));
        exiftool(
            &path,
            &["-XMP-GCamera:MotionPhoto=1", "-XMP-GCamera:MicroVideoOffset=12", "-XMP-dc:Title=Evening"],
        );
        let (_, said) = upscaled(&path, "big.jpg", &[]);
        assert!(!said.contains("warning"), "{name}: {said}");
        exiftool(&path, &["-Photoshop:CopyrightFlag=1"]);
        let mut bytes = fs::read(&path).unwrap();
        bytes.extend(b"\0\0\0\x0cftypmp42");
        fs::write(&path, bytes).unwrap();
        let (result, said) = upscaled(&path, "big.jpg", &[]);
        assert!(said.contains("a motion photo's video) is dropped"), "{name}: {said}");
        assert!(said.contains("Photoshop's own copyright flag"), "{name}: {said}");
        let tags = Tags::of(&[&result]).remove(0);
        assert!(!tags.has("MotionPhoto") && !tags.has("MicroVideoOffset"), "{name}: {}", packet(&result));
        assert_eq!(tags.text("XMP:Title"), "Evening", "{name}");
    }
}
