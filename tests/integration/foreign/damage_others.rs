//! Damaged files of formats other than JPEG and TIFF: what passes for whole here, and what other decoders say of it.
//!
//! A flipped bit cannot be noticed in formats without checksums (BMP, PNM, PAM, PFM, QOI, GIF, Radiance, lossy and lossless
//! WebP, OpenEXR but for its compression, JPEG XL but for its entropy code's end): nobody notices it there.

use std::fs;
use std::process::Command;

use partdiff::Limits;
use partdiff::image::{EncodeOptions, ImageFormat, decode, encode};

use super::metadata::with_chunks;
use crate::real_model::data;

/// What became of a damaged file.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    /// An error, damage that is told of, or a warning.
    Told,
    /// The image as it was.
    Same,
    /// Another image, and not a word.
    Silent,
}

/// The damaged forms of a file: its kind of damage, the place, and the bytes.
fn damaged(file: &[u8]) -> impl Iterator<Item = (&'static str, usize, Vec<u8>)> {
    let size = file.len();
    let cuts = (1..=20).map(move |i| ("cut", i * (size - 1) / 20, file[..i * (size - 1) / 20].to_vec()));
    let zeros = (0..20).map(move |i| {
        let at = 12 + i * size.saturating_sub(524) / 20;
        let mut bytes = file.to_vec();
        let end = size.min(at + 512);
        bytes[at..end].fill(0);
        ("zeros", at, bytes)
    });
    let flips = (0..200).map(move |i| {
        let bit = i * (8 * size - 1) / 199;
        let mut bytes = file.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        ("flip", bit / 8, bytes)
    });
    cuts.chain(zeros).chain(flips)
}

/// Which of the files another decoder refuses or complains of: Pillow (libpng, libwebp), djxl, or ImageMagick.
fn refused(extension: &str, files: &[Vec<u8>]) -> Option<Vec<bool>> {
    let temp = tempfile::tempdir().unwrap();
    let paths: Vec<_> = (0..files.len()).map(|i| temp.path().join(format!("{i}.{extension}"))).collect();
    files.iter().zip(&paths).for_each(|(file, path)| fs::write(path, file).unwrap());
    if matches!(extension, "png" | "webp") {
        let python = crate::python::python("PIL.Image")?;
        let script = "import sys, warnings\nfrom PIL import Image\nwarnings.simplefilter('error')\n\
            for path in sys.argv[1:]:\n try:\n  Image.open(path).load(); print('read')\n except Exception: print('refused')";
        let output = Command::new(python).args(["-c", script]).args(&paths).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout);
        return Some(text.lines().map(|line| line == "refused").collect());
    }
    let complains = |path| {
        let mut command = match extension {
            "jxl" => Command::new("djxl"),
            _ => Command::new("convert"),
        };
        let output = command.arg(path).arg(temp.path().join("out.ppm")).output().ok()?;
        if extension == "jxl" {
            return Some(!output.status.success());
        }
        Some(!output.status.success() || !output.stderr.is_empty())
    };
    paths.iter().map(complains).collect()
}

#[test]
fn what_passes_for_whole_passes_elsewhere_too() {
    let mut image = decode(&fs::read(data("girl.png")).unwrap(), &Limits::default()).unwrap();
    image.color = image.color.crop(20..84, 10..74);
    image.alpha = None;
    // Of each format: silent cuts, silent blocks of zeros, and how many of all silent ones another decoder minds.
    let mut table: Vec<(&str, Vec<u8>, usize)> = Vec::new();
    for format in ImageFormat::writable() {
        let bytes = encode(&image, &EncodeOptions::new(format)).unwrap().bytes;
        match format {
            ImageFormat::Jpeg | ImageFormat::Tiff | ImageFormat::Avif => {}
            _ => table.push((format.extensions()[0], bytes, 0)),
        }
    }
    if cfg!(feature = "lossy-webp") {
        let lossy = EncodeOptions { lossless: false, ..EncodeOptions::new(ImageFormat::WebP) };
        table.push(("webp", encode(&image, &lossy).unwrap().bytes, 0));
    }
    table.push(("gif", fs::read(data("samples/animated.gif")).unwrap(), 0));
    let mut failures = Vec::new();
    for (extension, file, bound) in table {
        let whole = decode(&file, &Limits::default()).unwrap();
        // What is always said of this file is no word about damage.
        let always = whole.warnings;
        let judge = |bytes: &[u8]| match decode(bytes, &Limits::default()) {
            Ok(image) if image.damage.is_some() || image.warnings != always => Fate::Told,
            Ok(image) if image.color == whole.color => Fate::Same,
            Ok(_) => Fate::Silent,
            Err(_) => Fate::Told,
        };
        // The whole file comes first: a decoder that refuses it has no say.
        let mut silent = vec![("whole", 0, file.clone())];
        let mut counts = [0; 3];
        for (kind, at, bytes) in damaged(&file) {
            if judge(&bytes) == Fate::Silent {
                counts[["cut", "zeros", "flip"].iter().position(|known| *known == kind).unwrap()] += 1;
                silent.push((kind, at, bytes));
            }
        }
        let files: Vec<_> = silent.iter().map(|(.., bytes)| bytes.clone()).collect();
        let minded = refused(extension, &files);
        if minded.is_none() {
            skipped!("no other decoder of {extension}");
        }
        let minded = minded.filter(|minded| !minded[0]);
        let asked = if minded.is_some() { "" } else { " (not asked)" };
        let minded = minded.unwrap_or_default();
        let places = minded.iter().zip(&silent).filter(|(minded, _)| **minded);
        let places: Vec<_> = places.map(|(_, (kind, at, _))| format!("{kind} at {at}")).collect();
        println!(
            "{extension}: of 20 cuts, 20 blocks of zeros and 200 flips, {counts:?} pass for another image; \
             others{asked} mind {places:?}"
        );
        if counts[0] > 0 || places.len() > bound {
            failures.push(format!("{extension}: {counts:?}, others mind {places:?}"));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

/// `png` with the checksum of its first further chunk turned wrong.
fn with_wrong_sum(png: &[u8], chunk: (&[u8; 4], &[u8])) -> Vec<u8> {
    let mut bytes = with_chunks(png, &[chunk]);
    // Behind signature and header: length, type and data.
    bytes[33 + 8 + chunk.1.len()] ^= 1;
    bytes
}

#[test]
fn chunks_of_png_with_a_wrong_checksum_are_named() {
    let png = fs::read(data("girl.png")).unwrap();
    let whole = decode(&png, &Limits::default()).unwrap();
    let transparency: [u8; 6] = [0, 10, 0, 10, 0, 10];
    let text = b"Comment\0hello";
    for (kind, chunk, damage, warning) in [
        (b"tRNS", &transparency[..], "the transparency (tRNS) is damaged; dropped", ""),
        (b"gAMA", &[0, 1, 0x86, 0xa0], "", "the checksum of the chunk gAMA is wrong; dropped"),
        (b"cICP", &[9, 16, 0, 1], "", "the checksum of the chunk cICP is wrong; dropped"),
        (b"tEXt", text, "", "the checksum of the chunk tEXt is wrong; it may be damaged"),
    ] {
        let image = decode(&with_wrong_sum(&png, (kind, chunk)), &Limits::default()).unwrap();
        assert_eq!(image.damage.as_deref().unwrap_or_default(), damage);
        assert_eq!(image.warnings.first().map_or("", String::as_str), warning);
        assert_eq!(image.color, whole.color);
        assert!(image.metadata.icc.is_none() && image.metadata.color_chunks.is_empty());
    }
    let broken = with_chunks(&png, &[(b"iCCP", b"name\0\0nothing")]);
    let image = decode(&broken, &Limits::default()).unwrap();
    assert_eq!(image.warnings, ["the colour profile is damaged; dropped"]);
    // The data's own checksum, of which the chunk's knows nothing: one grey pixel.
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, &[0, 200]).unwrap();
    let mut packed = packed.finish().unwrap();
    let head = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0\x3a\x7e\x9b\x55";
    let file = |packed: &[u8]| {
        let end = [&head[..], b"\0\0\0\0IEND\xae\x42\x60\x82"].concat();
        decode(&with_chunks(&end, &[(b"IDAT", packed)]), &Limits::default()).unwrap()
    };
    assert_eq!(file(&packed).damage, None);
    *packed.last_mut().unwrap() ^= 1;
    let image = file(&packed);
    assert_eq!(image.damage.as_deref(), Some("the checksum of the image data is wrong: pixels may be wrong"));
    assert_eq!(image.color.data(), [200.0 / 255.0]);
}

#[test]
fn png_that_ends_behind_its_pixels_is_read_and_says_so() {
    let png = fs::read(data("girl.png")).unwrap();
    let whole = decode(&png, &Limits::default()).unwrap();
    // Before the last chunk, which marks the end.
    let (pixels, end) = png.split_at(png.len() - 12);
    let text = with_chunks(&[0; 33], &[(b"tEXt", &[b'a'; 102])])[33..].to_vec();
    let cut_text = [pixels, &text[..50]].concat();
    for file in [pixels, &png[..png.len() - 5], &cut_text, &[pixels, &text].concat()] {
        let image = decode(file, &Limits::default()).unwrap();
        let damage = "the file ends too early: what follows the image data is lost";
        assert_eq!(image.damage.as_deref(), Some(damage));
        assert_eq!(image.color, whole.color);
    }
    assert_eq!(decode(&[pixels, &text, end].concat(), &Limits::default()).unwrap().damage, None);
    // Within the image data and its checksum.
    for size in [pixels.len() / 2, pixels.len() - 5, pixels.len() - 2] {
        let error = decode(&png[..size], &Limits::default()).unwrap_err();
        assert_eq!(error.to_string(), "the PNG data is truncated: the file ends too early");
    }
}

/// An indexed PNG of 5 x 2 pixels, with red and green in its palette, and this transparency.
fn indexed(transparency: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    // Indices 0 1 2 3 1 and 3 0 0 0 0, of 2 bits each, behind the filter's number.
    std::io::Write::write_all(&mut packed, &[0, 0b0001_1011, 0b0100_0000, 0, 0b1100_0000, 0]).unwrap();
    let packed = packed.finish().unwrap();
    let header = [0, 0, 0, 5, 0, 0, 0, 2, 2, 3, 0, 0, 0];
    let mut chunks: Vec<(&[u8; 4], &[u8])> = vec![(b"IHDR", &header), (b"PLTE", &[255, 0, 0, 0, 255, 0])];
    if !transparency.is_empty() {
        chunks.push((b"tRNS", transparency));
    }
    chunks.extend([(b"IDAT", &packed[..]), (b"IEND", &[])]);
    [b"\x89PNG\r\n\x1a\n", &with_chunks(&[0; 33], &chunks)[33..]].concat()
}

#[test]
fn indices_beyond_the_palette_of_png_are_black_and_counted() {
    let image = decode(&indexed(&[]), &Limits::default()).unwrap();
    assert_eq!(image.damage.as_deref(), Some("3 pixels have an index beyond the palette"));
    // Red, green and blue lie in planes.
    let red = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0];
    let green = [0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    assert_eq!(image.color.data(), [red, green, [0.0; 10]].concat());
    assert!(image.alpha.is_none());
    let image = decode(&indexed(&[51]), &Limits::default()).unwrap();
    let alpha = [0.2, 1.0, 1.0, 1.0, 1.0, 1.0, 0.2, 0.2, 0.2, 0.2];
    assert_eq!(image.alpha.unwrap().data(), alpha);
}

#[test]
fn transparency_of_png_with_a_wrong_size_is_dropped_and_named() {
    let png = fs::read(data("girl.png")).unwrap();
    let dropped = "the transparency (tRNS) is damaged; dropped";
    let rgb =
        |transparency| decode(&with_chunks(&png, &[(b"tRNS", transparency)]), &Limits::default()).unwrap();
    for transparency in [&[0, 10, 0][..], &[0, 10, 0, 10, 0, 10, 0]] {
        let image = rgb(transparency);
        assert_eq!((image.damage.as_deref(), image.alpha.is_some()), (Some(dropped), false));
    }
    assert_eq!(rgb(&[0, 10, 0, 10, 0, 10]).damage, None);
    // More values than colours.
    let image = decode(&indexed(&[0, 0, 0]), &Limits::default()).unwrap();
    assert!(image.damage.unwrap().starts_with(dropped) && image.alpha.is_none());
}
