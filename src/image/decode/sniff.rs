//! Looking at the first bytes.

use crate::error::{Error, ErrorKind};
use crate::image::{Density, ImageFormat};

/// Whether the container holds as many bytes as it says.
pub(super) fn riff_is_complete(bytes: &[u8]) -> bool {
    bytes.get(4..8).is_some_and(|size| {
        let size = u32::from_le_bytes([size[0], size[1], size[2], size[3]]);
        bytes.len() as u64 >= u64::from(size) + 8
    })
}

/// Whether all boxes of an ISO base media file are as long as they say (ISO 14496-12, 4.2).
#[cfg(feature = "heif")]
pub(super) fn boxes_are_complete(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let [a, b, c, d, _, _, _, _, tail @ ..] = rest {
        let size = match u32::from_be_bytes([*a, *b, *c, *d]) {
            // To the end of the file.
            0 => return true,
            1 => tail.first_chunk().map_or(u64::MAX, |size| u64::from_be_bytes(*size)),
            size => u64::from(size),
        };
        match usize::try_from(size).ok().and_then(|size| rest.get(size.max(8)..)) {
            Some(next) => rest = next,
            None => return false,
        }
    }
    rest.is_empty()
}

/// The resolution in a bitmap's information header; its older form has none.
pub(super) fn bmp_density(bytes: &[u8]) -> Option<Density> {
    let number = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    (number(14)? >= 40).then_some(())?;
    Density::per_meter(number(38)?, number(42)?)
}

/// Whether a GIF file holds a second image, found by walking over its blocks (GIF89a, appendix A).
pub(super) fn gif_has_frames(bytes: &[u8]) -> bool {
    let table = |flags: u8| if flags & 0x80 != 0 { 3 << ((flags & 7) + 1) } else { 0usize };
    let second = || {
        let mut rest = bytes.get(13 + table(*bytes.get(10)?)..)?;
        let mut images = 0;
        loop {
            rest = match *rest {
                [0x21, _, ..] => &rest[2..],
                [0x2c, ..] => {
                    images += 1;
                    // A descriptor, its colours, and the size of its codes.
                    rest.get(11 + table(*rest.get(9)?)..)?
                }
                _ => return Some(false),
            };
            if images > 1 {
                return Some(true);
            }
            while let Some(&size) = rest.first().filter(|size| **size > 0) {
                rest = rest.get(1 + usize::from(size)..)?;
            }
            rest = rest.get(1..)?;
        }
    };
    second().unwrap_or(false)
}

/// The error for data that no decoder knows, naming well-known kinds.
pub(super) fn unknown(bytes: &[u8]) -> Error {
    let known = match bytes {
        [b'8', b'B', b'P', b'S', ..] => Some("a Photoshop document"),
        [b'%', b'P', b'D', b'F', ..] => Some("a PDF document"),
        [0, 0, 0, 12, b'j', b'P', ..] | [0xff, 0x4f, 0xff, 0x51, ..] => Some("a JPEG 2000 image"),
        _ => None,
    };
    let supported: Vec<_> = ImageFormat::readable().map(ImageFormat::name).collect();
    let supported = supported.join(", ");
    let message = match known {
        Some(name) => format!("this is {name}, which is not supported; supported formats: {supported}"),
        None => format!("unknown image format; supported formats: {supported}"),
    };
    Error::new(ErrorKind::Input, message)
}

/// The error for a format that this program was built without.
pub(super) fn left_out(format: ImageFormat, feature: &str) -> Error {
    Error::new(
        ErrorKind::Input,
        format!("this is {format}, which needs the feature {feature}, and this program was built without it"),
    )
}
