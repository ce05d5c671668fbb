//! Files of several pages.

use std::fs;
use std::io::Cursor;

use partdiff::Limits;
use partdiff::image::{
    EncodeOptions, Image, ImageFormat, Metadata, PageWriter, Provenance, Raster, SampleDepth, decode_page,
    page_count,
};

use super::{Place, has_runtime, read};

/// A TIFF file of pages with these (width, height, depth), each of its own brightness.
pub fn pages(shapes: &[(usize, usize, SampleDepth)]) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let mut writer = PageWriter::new(&mut bytes, EncodeOptions::new(ImageFormat::Tiff), 10_000).unwrap();
    for (index, &(width, height, depth)) in shapes.iter().enumerate() {
        let channels = if index.is_multiple_of(2) { 3 } else { 1 };
        let value = |i: usize| 0.2 * (index + 1) as f32 + if i.is_multiple_of(2) { 0.05 } else { 0.0 };
        let data = (0..channels * width * height).map(value).collect();
        let mut image =
            Image::new(Raster::from_vec(channels, height, width, data), None, depth, ImageFormat::Tiff);
        image.metadata = Metadata::default();
        writer.add(&image).unwrap();
    }
    bytes.into_inner()
}

pub const THREE: [(usize, usize, SampleDepth); 3] =
    [(9, 7, SampleDepth::U8), (5, 11, SampleDepth::U16), (8, 8, SampleDepth::F32)];

#[track_caller]
fn expect_page(image: &Image, index: usize, scale: usize) {
    let (width, height, depth) = THREE[index];
    assert_eq!((image.width(), image.height()), (scale * width, scale * height));
    assert_eq!((image.depth, image.color.channels()), (depth, if index.is_multiple_of(2) { 3 } else { 1 }));
    let data = image.color.data();
    let mean = data.iter().sum::<f32>() / data.len() as f32;
    assert!((mean - 0.2 * (index + 1) as f32 - 0.025).abs() < 0.02, "page {index}: {mean}");
}

#[test]
fn pages_stay_pages() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    place.put("a.tif", &pages(&THREE));
    place.upscale(["a.tif"]).expect(0).says("3 pages, the first 36x28 pixels");
    let bytes = fs::read(place.path("a_x4.tif")).unwrap();
    assert_eq!(page_count(&bytes), 3);
    for index in 0..3 {
        let image = decode_page(&bytes, index, &Limits::default()).unwrap();
        expect_page(&image, index, 4);
        assert_eq!(Provenance::read(&image.metadata).unwrap().page, index);
    }
    assert_eq!(place.files(), ["a.tif", "a_x4.tif"]);
    // In a pipe and in place as well.
    let mut piped = place.command();
    piped.args(["upscale", "-", "-o", "-", "--device", "cpu"]).write_stdin(pages(&THREE));
    let piped = piped.output().unwrap();
    assert_eq!(page_count(&piped.stdout), 3, "{}", String::from_utf8_lossy(&piped.stderr));
    place.upscale(["a.tif", "--in-place"]).expect(0);
    assert_eq!(page_count(&fs::read(place.path("a.tif")).unwrap()), 3);
}

#[test]
fn formats_of_one_page_get_numbered_files() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    place.put("a.tif", &pages(&THREE));
    let ran = place.upscale(["a.tif", "-o", "out.png", "-s", "2", "--depth", "8"]).expect(0);
    ran.says(
        "a.tif: warning: the file has 3 pages, but PNG can store only one: written as out-1.png to out-3.png",
    );
    assert_eq!(place.files(), ["a.tif", "out-1.png", "out-2.png", "out-3.png"]);
    for (index, (width, height, _)) in THREE.into_iter().enumerate() {
        let image = read(&place.path(format!("out-{}.png", index + 1)));
        assert_eq!((image.width(), image.height()), (2 * width, 2 * height));
        assert_eq!(Provenance::read(&image.metadata).unwrap().page, index);
    }
    let mut piped = place.command();
    let piped = piped.args(["upscale", "a.tif", "-o", "-", "--format", "png"]).output().unwrap();
    assert_eq!(piped.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&piped.stderr)
            .contains("3 pages, but PNG can store only one: give --format tiff")
    );
}

#[test]
fn too_many_pages_and_too_large_ones_fail_before_any_work() {
    let place = Place::new();
    let size = (1, 1, SampleDepth::U8);
    place.put("many.tif", &pages(&[size; 1001]));
    let large = [(9, 9, SampleDepth::U8), (50, 30, SampleDepth::U8)];
    place.put("large.tif", &pages(&large));
    let ran =
        place.upscale(["many.tif", "large.tif", "--max-pixels", "1000", "--library", "/none"]).expect(1);
    ran.says("many.tif: the file has more than 1000 pages, the limit");
    ran.says("large.tif: the image has 50 x 30 = 1500 pixels: expected at most 1000 (max_pixels)");
}

/// A page whose pixels are cut off: the whole file fails, and nothing is left.
#[test]
fn a_damaged_page_leaves_no_half_of_a_file() {
    if !has_runtime() {
        return;
    }
    let place = Place::new();
    let mut bytes = pages(&[(6, 6, SampleDepth::U8), (40, 40, SampleDepth::U8)]);
    let damaged = {
        // The second page's deflated strip begins with 0x78; anything else is no deflate.
        let at = (0..bytes.len() - 1).rfind(|&at| bytes[at..].starts_with(b"\x78\x9c"));
        bytes[at.unwrap()..][..2].fill(0);
        bytes
    };
    place.put("a.tif", &damaged);
    place.upscale(["a.tif"]).expect(1).says("page 2: the TIFF data is damaged");
    assert_eq!(place.files(), ["a.tif"]);
}
