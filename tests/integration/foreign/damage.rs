//! Damaged files of every format: what can be read is read, and never taken for whole.

use std::ops::Range;

use partdiff::image::{Image, decode};
use partdiff::{ErrorKind, Limits};

/// What became of damaged copies of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Outcomes {
    /// Ended with an error.
    refused: usize,
    /// Read in part, with a word on what is lost.
    told: usize,
    /// Read as if nothing were: none differs from the whole image.
    same: usize,
    /// Read as if nothing were, and another image.
    silent: usize,
    /// The largest mean difference of the last, in levels of 255.
    worst: f32,
}

/// Reads damaged copies of a file of the image `whole`.
fn outcomes(whole: &Image, copies: impl IntoIterator<Item = Vec<u8>>) -> Outcomes {
    let mut out = Outcomes::default();
    for copy in copies {
        match decode(&copy, &Limits::default()) {
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Input, "{}", error.report());
                out.refused += 1;
            }
            Ok(image) if image.damage.is_some() => out.told += 1,
            Ok(image) => {
                let difference = difference(&image, whole);
                if difference == 0.0 {
                    out.same += 1;
                } else {
                    out.silent += 1;
                    out.worst = out.worst.max(difference);
                }
            }
        }
    }
    out
}

/// The mean difference of two images in levels of 255; the whole range where they have not the same size.
fn difference(a: &Image, b: &Image) -> f32 {
    if (a.width(), a.height(), a.color.channels()) != (b.width(), b.height(), b.color.channels()) {
        return 255.0;
    }
    let pairs = a.color.data().iter().zip(b.color.data());
    255.0 * pairs.map(|(a, b)| (a - b).abs()).sum::<f32>() / a.color.data().len() as f32
}

/// Copies of `file` that end within `part`.
fn cut(file: &[u8], part: Range<usize>) -> impl Iterator<Item = Vec<u8>> {
    (1..=20).map(move |i| file[..part.start + part.len() * i / 21].to_vec())
}

/// Copies of `file` with 512 bytes of `part` lost, as by a bad sector.
fn zeroed(file: &[u8], part: Range<usize>) -> impl Iterator<Item = Vec<u8>> {
    (0..20).map(move |i| {
        let mut copy = file.to_vec();
        copy[part.start + (part.len() - 512) * i / 19..][..512].fill(0);
        copy
    })
}

/// Copies of `file` with a bit of `part` turned.
fn flipped(file: &[u8], part: Range<usize>) -> impl Iterator<Item = Vec<u8>> {
    (0..200).map(move |i| {
        let mut copy = file.to_vec();
        copy[part.start + part.len() * i / 200] ^= 1 << (i * 5 % 8);
        copy
    })
}

/// A JPEG file, whole, and what comes after the header of its first scan.
fn jpeg(name: &str) -> (Vec<u8>, Range<usize>) {
    let path = format!("{}/tests/data/foreign/{name}", env!("CARGO_MANIFEST_DIR"));
    let file = std::fs::read(path).unwrap();
    let start = file.windows(2).position(|pair| pair == [0xff, 0xda]).unwrap() + 2;
    let end = file.len() - 2;
    (file, start..end)
}

/// A turned bit within a value, or between codes of the same length, leaves the rest of the data in step: no decoder can
/// tell. djpeg of libjpeg-turbo 2.1.5 says nothing either of so many of these files (176, 163, 118) and is off by as much
/// (121, 6.7 and 26.7 levels), nor of one with zeros in it that end in step by chance (4.1 levels); what is cut it reads in
/// part, with a warning.
#[test]
fn damaged_jpeg_is_refused_or_told() {
    for (name, lucky, silent, worst) in [
        ("jpeg_baseline.jpg", 0, 176, 121.0),
        ("jpeg_restart.jpg", 0, 163, 6.8),
        ("jpeg_progressive.jpg", 1, 118, 26.8),
    ] {
        let (file, part) = jpeg(name);
        let whole = decode(&file, &Limits::default()).unwrap();
        assert_eq!((&whole.damage, whole.warnings.len()), (&None, 0), "{name}");
        let [cut, zeroed, flipped] = [
            outcomes(&whole, cut(&file, part.clone())),
            outcomes(&whole, zeroed(&file, part.clone())),
            outcomes(&whole, flipped(&file, part)),
        ];
        println!("{name}\n  cut {cut:?}\n  zeroed {zeroed:?}\n  flipped {flipped:?}");
        assert_eq!(cut, Outcomes { refused: 20, ..Outcomes::default() }, "{name}");
        assert!(zeroed.silent <= lucky && zeroed.worst < 4.2 && zeroed.told >= 17, "{name}: {zeroed:?}");
        assert!(flipped.silent <= silent && flipped.worst < worst, "{name}: {flipped:?}");
    }
}

/// Nothing is made of it in part: every sample depends on those before it.
#[test]
fn damaged_lossless_jpeg_is_refused() {
    let (file, part) = jpeg("jpeg_lossless_restart.jpg");
    let whole = decode(&file, &Limits::default()).unwrap();
    assert_eq!(outcomes(&whole, cut(&file, part.clone())).refused, 20);
    // One ends in step by chance.
    let zeroed = outcomes(&whole, zeroed(&file, part));
    assert!(zeroed.refused >= 19 && zeroed.worst < 3.0, "{zeroed:?}");
}
