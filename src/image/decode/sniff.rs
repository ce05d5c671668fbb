//! Looking at the first bytes.

use crate::error::{Error, ErrorKind};
use crate::image::ImageFormat;

/// Whether the container holds as many bytes as it says.
pub(super) fn riff_is_complete(bytes: &[u8]) -> bool {
    bytes.get(4..8).is_some_and(|size| {
        let size = u32::from_le_bytes([size[0], size[1], size[2], size[3]]);
        bytes.len() as u64 >= u64::from(size) + 8
    })
}

/// The error for data that no decoder knows, naming well-known kinds.
pub(super) fn unknown(bytes: &[u8]) -> Error {
    let known = match bytes {
        [b'8', b'B', b'P', b'S', ..] => Some("a Photoshop document"),
        [b'%', b'P', b'D', b'F', ..] => Some("a PDF document"),
        [0, 0, 0, 12, b'j', b'P', ..] | [0xff, 0x4f, 0xff, 0x51, ..] => Some("a JPEG 2000 picture"),
        _ => None,
    };
    let supported: Vec<_> = ImageFormat::readable().map(ImageFormat::name).collect();
    let supported = supported.join(", ");
    let message = match known {
        Some(name) => format!("this is {name}, which cannot be read; supported are {supported}"),
        None => format!("not a picture, or of an unknown format; supported are {supported}"),
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
