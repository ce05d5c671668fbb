//! Metadata in WebP chunks (RFC 9649).

use std::io::Cursor;

use image_webp::WebPDecoder;

use super::Metadata;
use super::png::without_prefix;

/// Reads profile, EXIF and XMP, and whether the file is an animation.
pub(in crate::image) fn read(bytes: &[u8]) -> (Metadata, bool) {
    // What this decoder refuses is not decoded later either.
    let Ok(mut decoder) = WebPDecoder::new(Cursor::new(bytes)) else { return Default::default() };
    decoder.set_memory_limit(bytes.len());
    let metadata = Metadata {
        icc: decoder.icc_profile().ok().flatten(),
        exif: decoder.exif_metadata().ok().flatten().map(|block| without_prefix(&block)),
        xmp: decoder.xmp_metadata().ok().flatten(),
        ..Metadata::default()
    };
    (metadata, decoder.is_animated())
}
