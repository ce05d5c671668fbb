//! Metadata in WebP chunks (RFC 9649).

use super::Metadata;
use super::png::without_prefix;

/// Reads profile, EXIF and XMP, and whether the file is an animation.
pub(in crate::image) fn read(bytes: &[u8]) -> (Metadata, bool) {
    let mut metadata = Metadata::default();
    let mut animated = false;
    let mut rest = bytes.get(12..).unwrap_or_default();
    while let Some((kind, size)) = rest.get(..4).zip(rest.get(4..8)) {
        let size = u32::from_le_bytes([size[0], size[1], size[2], size[3]]) as usize;
        let Some(data) = size.checked_add(8).and_then(|end| rest.get(8..end)) else { break };
        match kind {
            b"ICCP" => metadata.icc = Some(data.to_vec()),
            b"EXIF" => metadata.exif = Some(without_prefix(data)),
            b"XMP " => metadata.xmp = Some(data.to_vec()),
            b"ANIM" => animated = true,
            _ => {}
        }
        rest = rest.get(8 + size + size % 2..).unwrap_or_default();
    }
    (metadata, animated)
}
