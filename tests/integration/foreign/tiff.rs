//! TIFF of scanners, archives, microscopes and maps.

use std::path::PathBuf;

use partdiff::Limits;
use partdiff::image::{
    EncodeOptions, Image, ImageFormat, Retouch, SampleDepth, Strip, decode, decode_page, encode, page_count,
    page_headers,
};
use tiff::decoder::Decoder;
use tiff::tags::Tag;

pub(super) fn file(name: &str) -> Vec<u8> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/foreign/tiff")).join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

pub(super) fn read(name: &str) -> Image {
    decode(&file(name), &Limits::default()).unwrap_or_else(|error| panic!("{name}: {}", error.report()))
}

/// The largest difference in levels of 255.
pub(super) fn difference(a: &Image, b: &Image) -> f32 {
    let size = |image: &Image| (image.width(), image.height(), image.color.channels(), image.alpha.is_some());
    assert_eq!(size(a), size(b));
    let values = |image: &Image| -> Vec<f32> {
        image.color.data().iter().chain(image.alpha.iter().flat_map(|alpha| alpha.data())).copied().collect()
    };
    values(a).iter().zip(values(b)).map(|(a, b)| (a - b).abs() * 255.0).fold(0.0, f32::max)
}

/// Every kind against the pixels that libtiff, ImageMagick or the program that made it had.
#[test]
fn all_kinds_are_read_as_libtiff_and_imagemagick_read_them() {
    let same = |names: &[&str], png: &str, depth: SampleDepth, allowed: f32| {
        for name in names {
            let image = read(&format!("{name}.tif"));
            let off = difference(&image, &read(&format!("{png}.png")));
            assert!(off <= allowed, "{name}: off by {off}");
            assert_eq!(image.depth, depth, "{name}");
            assert_eq!(image.damage, None, "{name}");
            let header = page_headers(std::io::Cursor::new(file(&format!("{name}.tif"))), &Limits::default());
            let header = header.unwrap()[0].expect("a header");
            let told = (header.width, header.height, header.channels, header.has_alpha, header.depth);
            let color = &image.color;
            let is = (color.width(), color.height(), color.channels(), image.alpha.is_some(), image.depth);
            assert_eq!(told, is, "{name}");
        }
    };
    use SampleDepth::{F32, U8, U16};
    for name in ["grey2", "grey4", "rgb2", "rgb4", "palette4", "palette4_low", "palette8_alpha"] {
        same(&[name], name, U8, 0.001);
    }
    // Six bits do not divide eight: rounded to the nearest of 8 bits.
    same(&["grey6"], "grey6", U8, 0.5);
    for name in ["grey10", "grey12", "grey14", "grey16", "rgb10", "rgb12", "rgb14", "rgb16_big", "rgba12"] {
        same(&[name], name, U16, 0.001);
    }
    same(&["white12"], "grey12", U16, 0.001);
    same(&["grey24", "grey32"], "grey16", F32, 0.005);
    same(&["rgb24", "float_f4", "float_f8", "float_f4_big"], "rgb16_big", F32, 0.005);
    same(&["float_f3"], "rgb16_big", F32, 0.01);
    same(&["float_f2", "float_f2_big"], "rgb16_big", F32, 0.1);
    for name in ["ycc11", "ycc12", "ycc21", "ycc22", "ycc42", "ycc44", "ycc44_video"] {
        same(&[name], name, U8, 0.001);
    }
    let codes = ["ccitt", "words", "g3", "g4", "plain", "g3_2d", "g3_fill"];
    let sizes = ["no_counts", "zero_counts", "endless"];
    let mirrored = ["g4_lsb", "g3_lsb", "packbits_lsb", "lsb"];
    for kind in codes.into_iter().chain(sizes).chain(mirrored) {
        same(&[&format!("bilevel_{kind}")], "bilevel", U8, 0.001);
    }
    let orders = ["planes", "tiles", "planar_tiles", "big", "old_lzw", "no_counts"];
    let mirrored = ["lzw_lsb", "zip_lsb", "packbits_lsb", "lsb"];
    for kind in orders.into_iter().chain(mirrored) {
        same(&[&format!("rgb_{kind}")], "rgb", U8, 0.001);
    }
    // Two transforms in whole numbers: libjpeg-turbo's and mozjpeg's are the same.
    for name in ["rgb_jpeg", "rgb_jpeg_raw", "rgb_jpeg_tiles", "rgb_jpeg_planes", "neon_jpeg"] {
        same(&[name], name, U8, 1.001);
    }
}

/// Chroma beyond what RGB holds is clipped, as when the same pixels come as PNG.
#[test]
fn jpeg_in_tiff_has_no_colours_beyond_white_and_black() {
    let (low, high) = read("neon_jpeg.tif").color.range();
    assert!(low >= 0.0 && high <= 1.0, "{low} {high}");
}

/// Wherever a file ends too early, it fails, whatever its strips are packed with.
#[test]
fn strips_beyond_the_end_of_the_file_are_an_error() {
    for name in ["none", "zip", "lzw", "packbits", "g3", "g4", "jpeg"] {
        let bytes = file(&format!("whole_{name}.tif"));
        for kept in [bytes.len() / 2, bytes.len() - 1] {
            let error = decode(&bytes[..kept], &Limits::default()).unwrap_err();
            assert_eq!(
                error.to_string(),
                "the TIFF data is truncated: the file ends too early",
                "{name} {kept}"
            );
        }
    }
}

#[test]
fn what_is_not_read_is_refused_by_name() {
    // The value of a tag of the first directory, little-endian and short.
    let with = |tag: u16, value: u16| {
        let mut bytes = file("rgb_no_counts.tif");
        let entry = (10..200).step_by(12).find(|at| bytes[*at..*at + 2] == tag.to_le_bytes()).unwrap();
        bytes[entry + 8..entry + 10].copy_from_slice(&value.to_le_bytes());
        decode(&bytes, &Limits::default()).unwrap_err().to_string()
    };
    let refused = "this kind of TIFF is not supported: ";
    assert_eq!(with(259, 50000), format!("{refused}compression 50000 (Zstandard)"));
    assert_eq!(with(259, 34925), format!("{refused}compression 34925 (LZMA)"));
    assert_eq!(
        with(262, 32803),
        format!("{refused}photometric interpretation 32803 (a camera's colour filter array)")
    );
}

/// Three ways in which a file holds several images that are not all pages.
#[test]
fn pages_are_what_a_file_is_about() {
    let limits = Limits::default();
    let (red, stack) = (read("rgb.png"), file("imagej.tif"));
    assert_eq!(page_count(&stack), 4);
    assert_eq!(page_headers(std::io::Cursor::new(&stack), &limits).unwrap().len(), 4);
    for page in 0..3 {
        let image = decode_page(&stack, page, &limits).unwrap();
        assert_eq!(image.color.plane(0), red.color.plane(page), "plane {page}");
    }
    assert_only_the_first_is_read(&stack[..stack.len() - 1], "the file does not hold all");

    let reduced = file("reduced.tif");
    assert_eq!(page_count(&reduced), 2);
    assert_eq!(page_headers(std::io::Cursor::new(&reduced), &limits).unwrap().len(), 2);
    let pages = [0, 1].map(|page| decode_page(&reduced, page, &limits).unwrap());
    assert_eq!(difference(&pages[0], &red), 0.0);
    assert_eq!(pages[0].warnings, ["2 reduced copies of images are left out"]);
    let turned: Vec<f32> = pages[1].color.data().iter().map(|value| 1.0 - value).collect();
    let off = turned.iter().zip(red.color.data()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(off < 1e-6, "{off}");

    let mask = file("mask.tif");
    assert_eq!(page_count(&mask), 1);
    let image = decode_page(&mask, 0, &limits).unwrap();
    assert_eq!(difference(&image, &red), 0.0);
    assert_eq!(image.warnings, ["1 transparency mask of an image is left out"]);
}

/// A file of `data`, which begin at byte 8, and of tags: number, bytes of a value, values.
pub(super) fn with_tags(data: &[u8], tags: &[(u16, usize, &[u32])]) -> Vec<u8> {
    let mut bytes = [b"II*\0", &(8 + data.len() as u32).to_le_bytes()[..], data].concat();
    let behind = bytes.len() + 2 + 12 * tags.len() + 4;
    let (mut table, mut outside) = ((tags.len() as u16).to_le_bytes().to_vec(), Vec::new());
    for (tag, unit, values) in tags {
        let mut place: Vec<u8> =
            values.iter().flat_map(|value| value.to_le_bytes()[..*unit].to_vec()).collect();
        if place.len() > 4 {
            let at = (behind + outside.len()) as u32;
            outside.append(&mut place);
            place.extend(at.to_le_bytes());
        }
        place.resize(4, 0);
        let kind: u16 = if *unit == 1 { 1 } else { *unit as u16 / 2 + 2 };
        table.extend([tag.to_le_bytes(), kind.to_le_bytes()].concat());
        table.extend((values.len() as u32).to_le_bytes());
        table.extend(place);
    }
    bytes.extend([table, vec![0; 4], outside].concat());
    bytes
}

fn assert_only_the_first_is_read(stack: &[u8], why: &str) {
    assert_eq!(page_count(stack), 1);
    let image = decode_page(stack, 0, &Limits::default()).unwrap();
    let warning = format!("only the first is read: {why}");
    assert!(image.warnings.iter().any(|told| told.contains(&warning)), "{:?}", image.warnings);
}

/// Two images of 6 x 4 pixels under one set of tags, as tifffile reads them: in strips, and in planes of three colours.
#[test]
fn images_of_a_stack_follow_each_other_whole() {
    let told: Vec<u32> = b"ImageJ=1.53t\nimages=2\nslices=2\n\0".map(u32::from).to_vec();
    let data: Vec<u8> = (0..144).collect();
    let stack = |data: &[u8], planes: u32, starts: &[u32], compression: u32| {
        let (colors, photometric, rows) = if planes == 2 { (3, 2, 4) } else { (1, 1, 2) };
        let counts = vec![if compression == 1 { 6 * rows } else { 13 }; starts.len()];
        let bits = vec![8; colors];
        with_tags(
            data,
            &[
                (256, 2, &[6]),
                (257, 2, &[4]),
                (258, 2, &bits),
                (259, 2, &[compression]),
                (262, 2, &[photometric]),
                (270, 1, &told),
                (273, 4, starts),
                (277, 2, &[colors as u32]),
                (278, 2, &[rows]),
                (279, 4, &counts),
                (284, 2, &[planes]),
            ],
        )
    };
    let levels = |bytes: &[u8], page: usize| -> Vec<u8> {
        let image = decode_page(bytes, page, &Limits::default()).unwrap();
        image.color.data().iter().map(|value| (value * 255.0).round() as u8).collect()
    };
    let strips = stack(&data[..48], 1, &[8, 20], 1);
    assert_eq!(page_count(&strips), 2);
    assert_eq!([levels(&strips, 0), levels(&strips, 1)].concat(), data[..48]);
    let planes = stack(&data, 2, &[8, 32, 56], 1);
    assert_eq!(page_count(&planes), 2);
    assert_eq!([levels(&planes, 0), levels(&planes, 1)].concat(), data);

    assert_only_the_first_is_read(&stack(&data, 1, &[8, 32], 1), "it is compressed or in pieces");
    let packed: Vec<u8> = [0, 12].iter().flat_map(|at| [&[11], &data[*at..*at + 12]].concat()).collect();
    let packed = stack(&[packed, vec![0; 40]].concat(), 1, &[8, 21], 32773);
    assert_only_the_first_is_read(&packed, "it is compressed or in pieces");
    assert_eq!(levels(&packed, 0), data[..24]);
    let lone = stack(&data[..24], 1, &[8, 20], 1);
    assert_only_the_first_is_read(&lone, "the file does not hold all");
}

/// The tags of a map in a file made from `name` with twice the columns and three times the rows.
fn map_tags(name: &str, strip: Strip) -> (Vec<f64>, Vec<f64>, bool, Vec<String>) {
    let mut image = read(name);
    let old_size = (image.height(), image.width());
    let size = (old_size.0 * 3, old_size.1 * 2);
    image.metadata.retouch(&Retouch { size, old_size, keep_dpi: false, strip });
    let bytes = encode(&image, &EncodeOptions::new(ImageFormat::Tiff)).unwrap().bytes;
    let mut decoder = Decoder::new(std::io::Cursor::new(bytes)).unwrap();
    let mut numbers = |tag| decoder.get_tag_f64_vec(Tag::Unknown(tag)).unwrap_or_default();
    let (scale, tie) = (numbers(33550), numbers(33922));
    let keys = decoder.get_tag_u16_vec(Tag::Unknown(34735)).unwrap_or_default();
    let expected = [1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32611];
    let nodata = decoder.get_tag_ascii_string(Tag::Unknown(42113)).unwrap_or_default();
    (scale, tie, keys == expected && nodata == "-9999", image.warnings)
}

/// 10 m a pixel become 5 m and 3.3 m; the corner of the map stays where it was.
#[test]
fn a_map_stays_in_its_place() {
    let (scale, tie, same, warnings) = map_tags("map.tif", Strip::Nothing);
    assert_eq!(scale, [5.0, 10.0 / 3.0, 0.0]);
    assert_eq!(tie, [0.0, 0.0, 0.0, 440720.0, 3751320.0, 0.0]);
    assert!(same, "keys and value of no data");
    assert!(warnings.is_empty(), "{warnings:?}");

    let (scale, tie, same, _) = map_tags("map.tif", Strip::Gps);
    assert!(scale.is_empty() && tie.is_empty() && !same, "asked to tell no places");

    let (scale, _, _, warnings) = map_tags("map_turned.tif", Strip::Nothing);
    assert!(scale.is_empty());
    assert_eq!(warnings, ["the map position (GeoTIFF) does not turn with the image; dropped"]);

    let png = encode(&read("map.tif"), &EncodeOptions::new(ImageFormat::Png)).unwrap();
    assert_eq!(png.warnings, ["PNG cannot store the map position (GeoTIFF); dropped"]);
}

/// A fax lies on its side: 204 dots per inch across become 204 down.
#[test]
fn resolutions_turn_with_the_image() {
    let image = read("turned.tif");
    assert_eq!((image.width(), image.height()), (29, 37));
    assert_eq!(image.metadata.density.unwrap().dpi(), Some((98.0, 204.0)));
}
