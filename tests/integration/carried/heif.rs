//! AVIF and HEIC, written and read by the tools of libavif and of another libheif.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use partdiff::image::{Image, SampleDepth};

use super::color::{off, read};
use super::{Tags, output, photo, said_adobe, upscale};

fn ready() -> bool {
    for tool in ["avifenc", "avifdec", "heif-enc"] {
        if Command::new(tool).arg("--help").output().is_err() {
            skipped!("{tool} is not installed");
            return false;
        }
    }
    super::ready()
}

/// Runs a tool, the file that it makes last.
fn make(tool: &str, arguments: &[&str], source: &Path, result: &Path) {
    let mut command = Command::new(tool);
    command.args(arguments);
    if tool == "heif-enc" {
        command.arg(source).arg("-o").arg(result);
    } else {
        command.arg(source).arg(result);
    }
    output(&mut command);
}

/// Largest difference of two images' opacity, in levels.
fn off_alpha(image: &Image, reference: &Image) -> f32 {
    let (a, b) = (image.alpha.as_ref().unwrap(), reference.alpha.as_ref().unwrap());
    assert_eq!((a.width(), a.height()), (b.width(), b.height()));
    a.data().iter().zip(b.data()).map(|(a, b)| 255.0 * (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn files_of_other_programs_read_as_they_were_written() {
    if !ready() {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let at = |name: &str| temp.path().join(name);
    let (photo, deep, grey, clear) = (photo(temp.path()), at("deep.png"), at("grey.png"), at("clear.png"));
    let sixteen = ["-depth", "16", "-define", "png:bit-depth=16"];
    output(Command::new("convert").arg(&photo).args(sixteen).arg(&deep));
    output(Command::new("convert").arg(&photo).args(["-colorspace", "Gray"]).arg(&grey));
    let fade = ["(", "-size", "40x28", "gradient:", ")", "-compose", "CopyOpacity", "-composite"];
    output(Command::new("convert").arg(&photo).args(fade).arg(&clear));
    // Tool, its options, source, file, and the mean difference that the loss may make.
    let files: [(&str, &[&str], &Path, &str, f64); 8] = [
        ("avifenc", &["-l"], &photo, "a.avif", 0.01),
        ("avifenc", &["-y", "444", "-d", "10", "--min", "0", "--max", "4"], &deep, "b.avif", 1.0),
        ("avifenc", &["-y", "420", "--min", "0", "--max", "10"], &photo, "c.avif", 4.0),
        ("avifenc", &["-y", "400", "--min", "0", "--max", "4"], &grey, "d.avif", 1.0),
        ("avifenc", &["-y", "444", "--min", "0", "--max", "4", "--maxalpha", "0"], &clear, "e.avif", 1.0),
        ("heif-enc", &["-q", "97", "-p", "chroma=444"], &photo, "f.heic", 2.5),
        ("heif-enc", &["-q", "97", "-b", "10", "-p", "chroma=444"], &deep, "g.heic", 2.5),
        ("heif-enc", &["-q", "97", "-p", "chroma=444"], &clear, "h.heic", 2.5),
    ];
    for (tool, options, source, name, loss) in files {
        make(tool, options, source, &at(name));
        let image = read(&at(name));
        let depth = if source == deep { SampleDepth::U16 } else { SampleDepth::U8 };
        assert_eq!((image.width(), image.height(), image.depth), (40, 28, depth), "{name}");
        assert_eq!(image.color.channels(), if source == grey { 1 } else { 3 }, "{name}");
        assert_eq!(image.alpha.is_some(), source == clear, "{name}");
        if source == clear {
            let off = off_alpha(&image, &read(source));
            assert!(off < 2.0, "{name}: opacity is off by {off} levels");
        } else {
            let (mean, worst) = off(&image, source);
            println!("{name}: mean {mean:.3}, worst {worst:.1} levels");
            assert!(mean < loss, "{name}: mean {mean}, worst {worst}");
        }
    }
    make("avifenc", &["-l", "--irot", "1"], &photo, &at("turned.avif"));
    output(Command::new("convert").arg(&photo).args(["-rotate", "-90"]).arg(at("turned.png")));
    let turned = read(&at("turned.avif"));
    assert_eq!((turned.width(), turned.height()), (28, 40));
    let (mean, _) = off(&turned, &at("turned.png"));
    assert!(mean < 0.01, "turned: {mean}");
    let whole = fs::read(at("f.heic")).unwrap();
    for end in [whole.len() / 3, whole.len() - 40] {
        let error = partdiff::image::decode(&whole[..end], &partdiff::Limits::default()).unwrap_err();
        assert_eq!(error.to_string(), "the HEIC data is truncated: the file ends too early");
    }
}

#[test]
fn profile_metadata_and_depth_come_and_go_with_avif() {
    if !ready() {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let at = |name: &str| temp.path().join(name);
    let photo = photo(temp.path());
    // The profile that an image gets whose EXIF block alone says Adobe RGB.
    let said = said_adobe(&photo, "said.jpg");
    upscale([said.as_os_str(), "-o".as_ref(), at("said.png").as_os_str()]);
    let icc = super::metadata::icc_by_exiftool(&at("said.png"));
    fs::write(at("adobe.icc"), &icc).unwrap();
    // A JPEG file to take the EXIF block and the XMP packet from; avifenc says the orientation in AVIF's own way, too, and
    // it must not be applied twice.
    output(Command::new("convert").arg(&photo).arg(at("tags.jpg")));
    output(Command::new("exiftool").args(["-q", "-n", "-overwrite_original"]).arg(at("tags.jpg")).args([
        "-EXIF:Artist=Ada Lovelace",
        "-EXIF:DateTimeOriginal=2024:05:06 07:08:09",
        "-EXIF:XResolution=240",
        "-EXIF:YResolution=240",
        "-EXIF:ResolutionUnit=2",
        "-EXIF:Orientation=6",
        "-XMP-dc:Title=A title",
    ]));
    for (kind, name) in [("-exif", "exif.bin"), ("-xmp", "xmp.bin")] {
        let block = Command::new("exiftool").args(["-b", kind]).arg(at("tags.jpg")).output().unwrap().stdout;
        // ExifTool gives the block with JPEG's own beginning.
        fs::write(at(name), block.strip_prefix(b"Exif\0\0").unwrap_or(&block)).unwrap();
    }
    let mut sources = Vec::new();
    for depth in ["8", "10"] {
        let (source, deep) = (at(depth).with_extension("avif"), at("deep.png"));
        output(Command::new("convert").arg(&photo).args(["-define", "png:bit-depth=16"]).arg(&deep));
        let mut avifenc = Command::new("avifenc");
        avifenc.args(["-y", "444", "--min", "0", "--max", "2", "-d", depth, "--icc"]).arg(at("adobe.icc"));
        avifenc.arg("--exif").arg(at("exif.bin")).arg("--xmp").arg(at("xmp.bin"));
        output(avifenc.arg(&deep).arg(&source));
        sources.push(source);
    }
    for (source, bits) in sources.iter().zip(["8", "12"]) {
        let results: Vec<PathBuf> =
            ["avif", "png"].map(|format| at("big").with_extension(format)).into_iter().collect();
        for result in &results {
            upscale([source.as_os_str(), "-o".as_ref(), result.as_os_str(), "--overwrite".as_ref()]);
        }
        for (result, tags) in results.iter().zip(Tags::of(&results)) {
            let what = format!("{} to {}", source.display(), result.display());
            assert_eq!(super::metadata::icc_by_exiftool(result), icc, "{what}");
            assert_eq!(tags.text("EXIF:Artist"), "Ada Lovelace", "{what}");
            assert_eq!(tags.text("EXIF:DateTimeOriginal"), "2024:05:06 07:08:09", "{what}");
            assert_eq!(tags.text("EXIF:XResolution"), "960", "{what}");
            assert_eq!(tags.text("EXIF:Orientation"), "1", "{what}");
            assert_eq!(tags.text("XMP-dc:Title"), "A title", "{what}");
        }
        // libavif sees the pixels that the PNG file has, for the same profile.
        let (avif, png) = (&results[0], &results[1]);
        let told = output(Command::new("avifdec").arg("--info").arg(avif));
        let has = |line: &str| told.lines().any(|said| said.split_whitespace().eq(line.split_whitespace()));
        assert!(has("* Resolution : 112x160") && has(&format!("* Bit Depth : {bits}")), "{told}");
        assert!(has("* Format : YUV444"), "{told}");
        output(Command::new("avifdec").arg(avif).arg(at("again.png")));
        let again = read(&at("again.png"));
        let (mean, worst) = off(&again, png);
        println!("{bits} bits: mean {mean:.3}, worst {worst:.1} levels between AVIF and PNG");
        assert!(mean < 2.0 && again.depth == read(png).depth, "{mean} {worst}");
    }
    let clear = at("clear.png");
    let fade = ["(", "-size", "40x28", "gradient:", ")", "-compose", "CopyOpacity", "-composite"];
    output(Command::new("convert").arg(&photo).args(fade).arg(&clear));
    for name in ["clear.avif", "clear4.png"] {
        upscale([clear.as_os_str(), "-o".as_ref(), at(name).as_os_str()]);
    }
    output(Command::new("avifdec").arg(at("clear.avif")).arg(at("again.png")));
    let off = off_alpha(&read(&at("again.png")), &read(&at("clear4.png")));
    assert_eq!(off, 0.0, "opacity is off by {off} levels");
}
