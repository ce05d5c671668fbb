//! WebP strips and tiles.

use std::io::Cursor;

use image_webp::WebPDecoder;

use super::layout::Layout;
use super::unpacked::Unpacked;

/// Decodes `rows` rows of a strip or tile; nothing of one that is damaged or not what the tags say.
pub(super) fn decode(layout: &Layout, data: &[u8], rows: usize) -> Unpacked<'static> {
    let row_bytes = layout.block.0 * layout.stored();
    let lost = || Unpacked { bytes: vec![0; row_bytes * rows].into(), good: 0, decoded: false };
    let Ok(mut decoder) = WebPDecoder::new(Cursor::new(data)) else { return lost() };
    let (width, height) = decoder.dimensions();
    let channels = if decoder.has_alpha() { 4 } else { 3 };
    if width as usize != layout.block.0 || (height as usize) < rows || height as usize > layout.block.1 {
        return lost();
    }
    let mut samples = vec![0; width as usize * height as usize * channels];
    if decoder.read_image(&mut samples).is_err() {
        return lost();
    }
    // An opaque strip of an image with alpha may come without it.
    let mut samples = match (channels, layout.stored()) {
        (3, 4) => samples.chunks_exact(3).flat_map(|p| [p[0], p[1], p[2], 255]).collect(),
        (4, 3) => samples.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect(),
        _ => samples,
    };
    samples.truncate(row_bytes * rows);
    let good = samples.len();
    Unpacked { bytes: samples.into(), good, decoded: false }
}
