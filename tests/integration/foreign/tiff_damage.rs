//! Damaged TIFF files: what is told to be whole is whole, but for what nobody can see.

use partdiff::Limits;
use partdiff::image::{Image, decode};
use tiff::decoder::Decoder;
use tiff::tags::Tag;

use super::tiff::{difference, file, read, with_tags};

/// What became of damaged copies of a file.
#[derive(Debug, Default)]
struct Counts {
    refused: usize,
    told: usize,
    same: usize,
    /// Other pixels without a word.
    silent: usize,
}

impl Counts {
    fn add(&mut self, bytes: &[u8], whole: &Image) {
        let counter = match decode(bytes, &Limits::default()) {
            Err(_) => &mut self.refused,
            Ok(image) if image.damage.is_some() => &mut self.told,
            Ok(image)
                if image.color.data().len() == whole.color.data().len()
                    && difference(&image, whole) == 0.0 =>
            {
                &mut self.same
            }
            Ok(_) => &mut self.silent,
        };
        *counter += 1;
    }
}

/// Each file is cut at 20 places, has 512 zeros at 20 places, and one bit turned at 200 places, behind its tags.
///
/// Plain samples and literal bytes of PackBits have nothing that could tell; LZW and the fax codes have no checksum, so
/// that only what breaks their rules shows. Of the same files tiff2rgba of libtiff 4.5 makes other pixels without a
/// warning: none 220, zip 48, lzw 175, packbits 167, g3 40, g4 13, jpeg 154.
#[test]
fn damage_is_told() {
    let mut wrong = Vec::new();
    for (name, most) in
        [("none", 220), ("zip", 0), ("lzw", 175), ("packbits", 167), ("g3", 40), ("g4", 13), ("jpeg", 154)]
    {
        let bytes = file(&format!("whole_{name}.tif"));
        let whole = read(&format!("whole_{name}.tif"));
        let mut decoder = Decoder::new(std::io::Cursor::new(&bytes)).unwrap();
        // Tags come first, and the data of the last strip end the file.
        let start = decoder.get_tag_u64_vec(Tag::StripOffsets).unwrap()[0] as usize;
        let mut counts = Counts::default();
        for i in 0..20 {
            let at = start + i * (bytes.len() - start - 1) / 20;
            counts.add(&bytes[..at], &whole);
            let mut zeros = bytes.clone();
            let end = bytes.len().min(at + 512);
            zeros[at..end].fill(0);
            counts.add(&zeros, &whole);
        }
        let mut state = 7u64;
        for _ in 0..200 {
            // Knuth's generator.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = (state >> 33) as usize % ((bytes.len() - start) * 8);
            let mut turned = bytes.clone();
            turned[start + at / 8] ^= 1 << (at % 8);
            counts.add(&turned, &whole);
        }
        println!("{name}: {counts:?}");
        assert_eq!(counts.refused + counts.told + counts.same + counts.silent, 240);
        if counts.silent > most {
            wrong.push(format!("{name}: {counts:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Grey levels of 40 x 32 pixels in strips of equal height.
fn strips(compression: u32, strips: &[Vec<u8>]) -> Vec<u8> {
    let counts: Vec<u32> = strips.iter().map(|strip| strip.len() as u32).collect();
    let starts: Vec<u32> = (0..counts.len()).map(|i| 8 + counts[..i].iter().sum::<u32>()).collect();
    with_tags(
        &strips.concat(),
        &[
            (256, 2, &[40]),
            (257, 2, &[32]),
            (258, 2, &[8]),
            (259, 2, &[compression]),
            (262, 2, &[1]),
            (273, 4, &starts),
            (277, 2, &[1]),
            (278, 2, &[32 / strips.len() as u32]),
            (279, 4, &counts),
        ],
    )
}

/// libtiff reads all of these with the same pixels.
#[test]
fn strips_whose_bytes_are_all_there_are_shown() {
    let levels: Vec<u8> = (0..40 * 32).map(|i| (i * 7 % 251) as u8).collect();
    let zip = |bytes: &[u8]| {
        let mut packed = Vec::new();
        let mut writer = flate2::write::ZlibEncoder::new(&mut packed, flate2::Compression::default());
        std::io::Write::write_all(&mut writer, bytes).unwrap();
        writer.finish().unwrap();
        packed
    };
    let pack_bits = |bytes: &[u8]| -> Vec<u8> {
        bytes.chunks(128).flat_map(|run| [&[run.len() as u8 - 1], run].concat()).collect()
    };
    let quarters = |wrong: usize| -> Vec<Vec<u8>> {
        let mut strips: Vec<_> = levels.chunks(levels.len() / 4).map(zip).collect();
        *strips[wrong].last_mut().unwrap() ^= 1;
        strips
    };
    let mut wrong = zip(&levels);
    *wrong.last_mut().unwrap() ^= 1;
    let damage = |share| Some(format!("the TIFF data is damaged: {share} % of the image may be wrong"));
    for (name, bytes, told) in [
        ("deflate, 3 bytes more", strips(8, &[zip(&[&levels, &b"abc"[..]].concat())]), None),
        ("deflate, 5 rows more", strips(8, &[zip(&[&levels, &levels[..200]].concat())]), None),
        ("PackBits, 3 bytes more", strips(32773, &[pack_bits(&[&levels, &b"abc"[..]].concat())]), None),
        ("deflate, wrong checksum", strips(8, &[wrong]), damage(100)),
        ("deflate, wrong checksum of a quarter", strips(8, &quarters(2)), damage(25)),
    ] {
        let image = decode(&bytes, &Limits::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let shown: Vec<u8> = image.color.data().iter().map(|value| (value * 255.0).round() as u8).collect();
        assert_eq!(shown, levels, "{name}");
        assert_eq!(image.damage, told, "{name}");
    }
}

/// A strip is not decoded where its JPEG has far more rows than the tags say: each of many could hold a huge image.
#[test]
fn a_jpeg_strip_far_taller_than_the_tags_say_is_lost() {
    let bytes = file("whole_jpeg.tif");
    let mut decoder = Decoder::new(std::io::Cursor::new(&bytes)).unwrap();
    let strips = decoder.get_tag_u64_vec(Tag::StripOffsets).unwrap();
    let with_height = |strip: usize, height: u16| {
        let start = strips[strip] as usize;
        let frame = bytes[start..].windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
        let mut changed = bytes.clone();
        changed[start + frame + 5..start + frame + 7].copy_from_slice(&height.to_be_bytes());
        decode(&changed, &Limits::default()).unwrap().damage.unwrap_or_default()
    };
    // 16 of 60 rows.
    assert_eq!(with_height(0, u16::MAX), "the TIFF data is damaged: 27 % of the image is lost");
    assert_eq!(with_height(0, decoder.get_tag_u32(Tag::RowsPerStrip).unwrap() as u16), "");
}
