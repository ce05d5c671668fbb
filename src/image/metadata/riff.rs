//! Metadata in WebP chunks (RFC 9649).

use std::io::Cursor;

use image_webp::WebPDecoder;

use super::Metadata;
use super::application::CREDENTIALS;
use super::png::without_prefix;

/// What the chunks say.
#[derive(Debug, Default)]
pub(in crate::image) struct Chunks {
    /// Metadata as they are.
    pub metadata: Metadata,
    /// Whether the file is an animation.
    pub animated: bool,
    /// What cannot be carried over, one sentence each.
    pub notes: Vec<String>,
}

/// Reads profile, EXIF and XMP.
pub(in crate::image) fn read(bytes: &[u8]) -> Chunks {
    // What this decoder refuses is not decoded later either.
    let Ok(mut decoder) = WebPDecoder::new(Cursor::new(bytes)) else { return Default::default() };
    decoder.set_memory_limit(bytes.len());
    let metadata = Metadata {
        icc: decoder.icc_profile().ok().flatten(),
        exif: decoder.exif_metadata().ok().flatten().map(|block| without_prefix(&block)),
        xmp: decoder.xmp_metadata().ok().flatten(),
        ..Metadata::default()
    };
    let notes = has_chunk(bytes, b"C2PA").then(|| CREDENTIALS.into());
    Chunks { metadata, animated: decoder.is_animated(), notes: notes.into_iter().collect() }
}

fn has_chunk(bytes: &[u8], wanted: &[u8; 4]) -> bool {
    let mut rest = bytes.get(12..).unwrap_or_default();
    while let [a, b, c, d, s0, s1, s2, s3, tail @ ..] = rest {
        if [*a, *b, *c, *d] == *wanted {
            return true;
        }
        let size = u32::from_le_bytes([*s0, *s1, *s2, *s3]) as usize;
        // Chunks have even lengths.
        rest = tail.get(size.saturating_add(size % 2)..).unwrap_or_default();
    }
    false
}
