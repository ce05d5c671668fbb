//! JPEG: by libjpeg, and lossless files by a decoder of our own.

mod damage;
mod frame;
mod lossless;

pub(in crate::image) use self::frame::Frame;
use super::{Decoded, Kind, truncated};
use crate::error::{Error, ErrorKind, Result};
use crate::image::libjpeg::{Coding, Failure, MOST_SCANS, Space, decompress};
use crate::image::{ImageFormat, SampleDepth};
use crate::limits::Limits;

/// A decoded file.
pub(super) struct File {
    pub decoded: Decoded,
    /// What of the pixels is lost.
    pub damage: Option<String>,
    /// What else is to say.
    pub note: Option<String>,
}

/// Decodes a file with the given headers and Adobe's colour transform.
pub(super) fn read(bytes: &[u8], frame: &Frame, adobe: Option<u8>, limits: &Limits) -> Result<File> {
    if let Some(kind) = frame.unsupported() {
        return Err(unsupported(&kind));
    }
    let sample_bytes = if frame.precision > 8 { 2 } else { 1 };
    limits.check(frame.width.into(), frame.height.into(), frame.components.into(), sample_bytes)?;
    let bytes = frame.with_height(bytes);
    if frame.is_lossless() {
        return Ok(File { decoded: lossless::read(&bytes, frame, adobe)?, damage: None, note: None });
    }
    let stream = without_appended_zeros(&bytes);
    let mut image = decompress(None, stream, Coding::Declared, limits).map_err(failed)?;
    // An arithmetic decoder continues with zeros after the end of the data, as the standard allows.
    let incomplete = image.missing > 0 || !image.refined || frame.is_arithmetic();
    if image.truncated || image.ended && incomplete {
        return Err(truncated(ImageFormat::Jpeg));
    }
    let damage = damage::describe(&image, frame);
    let kind = match image.space {
        Space::Grey => Kind::Grey,
        Space::Rgb => Kind::Rgb,
        Space::Cmyk => {
            // Adobe's files hold 255 for no ink.
            if adobe.is_some() {
                image.samples.iter_mut().for_each(|value| *value = !*value);
            }
            Kind::Cmyk
        }
        Space::Unknown => return Err(unsupported(&format!("{} channels", image.channels))),
    };
    let note = (image.ended && damage.is_none())
        .then(|| "the JPEG data has no end marker; the image is complete".to_owned());
    let decoded = Decoded {
        kind,
        channels: image.channels,
        depth: SampleDepth::U8,
        height: image.height,
        width: image.width,
        samples: image.samples.into(),
    };
    Ok(File { decoded, damage, note })
}

/// `bytes` without the zeros that recovery programs append, and which would count as coded data. One zero stays: it may
/// belong to a coded 0xff.
fn without_appended_zeros(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 2);
    &bytes[..end.min(bytes.len())]
}

fn failed(failure: Failure) -> Error {
    match failure {
        Failure::Truncated => truncated(ImageFormat::Jpeg),
        Failure::Limit(error) => error,
        Failure::Scans => {
            Error::new(ErrorKind::Limit, format!("the JPEG data has more than {MOST_SCANS} scans, the limit"))
        }
        Failure::Fatal(fatal) if fatal.is_memory() => Error::with_source(
            ErrorKind::Limit,
            "decoding the JPEG data needs more memory than the limit allows",
            fatal,
        ),
        Failure::Fatal(fatal) if fatal.is_unsupported() => {
            Error::with_source(ErrorKind::Input, "this kind of JPEG is not supported", fatal)
        }
        Failure::Fatal(fatal) => Error::with_source(ErrorKind::Input, "the JPEG data is damaged", fatal),
    }
}

fn unsupported(kind: &str) -> Error {
    Error::new(ErrorKind::Input, format!("this kind of JPEG ({kind}) is not supported"))
}
