//! Bytes of a file to a picture.

use std::io::{Cursor, ErrorKind as IoErrorKind};

use image::error::LimitErrorKind;
use image::{ColorType, ImageDecoder, ImageError, ImageReader};

use super::interleave::{Sample, split};
use super::{ImageFormat, Picture, Raster, SampleDepth};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::Limits;

/// Decodes the bytes of a picture file; the format is found from its contents.
///
/// # Errors
/// [`ErrorKind::Input`] for empty, unknown, unsupported, truncated or damaged data; [`ErrorKind::Limit`] for a
/// picture over `limits`, which are checked before pixels are allocated.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Picture> {
    if bytes.is_empty() {
        return Err(Error::new(ErrorKind::Input, "the file is empty"));
    }
    let Some(format) = ImageFormat::sniff(bytes) else {
        return Err(unknown_format(bytes));
    };
    // Decoders fill what is missing with grey and say nothing, or call it damaged.
    let complete = match format {
        ImageFormat::Jpeg => jpeg_is_complete(bytes),
        ImageFormat::WebP => riff_is_complete(bytes),
        _ => true,
    };
    if !complete {
        return Err(truncated(format));
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), codec(format));
    let mut codec_limits = image::Limits::no_limits();
    codec_limits.max_alloc = Some(limits.max_decode_bytes);
    reader.limits(codec_limits);
    let decoder = reader.into_decoder().map_err(|error| damaged(format, error))?;
    let (width, height) = decoder.dimensions();
    let color = decoder.color_type();
    let (channels, depth) = layout(format, color)?;
    limits.check(width.into(), height.into(), channels as u64, u64::from(depth.bits() / 8))?;
    let size = (height as usize, width as usize);
    let (color, alpha) = match depth {
        SampleDepth::U8 => read::<u8>(decoder, channels, size),
        SampleDepth::U16 => read::<u16>(decoder, channels, size),
        SampleDepth::F32 => read::<f32>(decoder, channels, size),
    }
    .map_err(|error| damaged(format, error))?;
    Ok(Picture::new(color, alpha, depth, format))
}

/// Reads interleaved samples and parts them into planes.
fn read<S: Sample + bytemuck::Pod>(
    decoder: impl ImageDecoder,
    channels: usize,
    (height, width): (usize, usize),
) -> Result<(Raster, Option<Raster>), ImageError> {
    let mut samples = vec![S::default(); height * width * channels];
    decoder.read_image(bytemuck::cast_slice_mut(&mut samples))?;
    Ok(split(&samples, channels, height, width))
}

/// The codec's name for a format.
fn codec(format: ImageFormat) -> image::ImageFormat {
    match format {
        ImageFormat::Png => image::ImageFormat::Png,
        ImageFormat::Jpeg => image::ImageFormat::Jpeg,
        ImageFormat::WebP => image::ImageFormat::WebP,
        ImageFormat::Tiff => image::ImageFormat::Tiff,
        ImageFormat::Bmp => image::ImageFormat::Bmp,
        ImageFormat::Pnm | ImageFormat::Pam => image::ImageFormat::Pnm,
    }
}

/// Interleaved channels and depth of what a codec returns.
fn layout(format: ImageFormat, color: ColorType) -> Result<(usize, SampleDepth)> {
    let depth = match color {
        ColorType::L8 | ColorType::La8 | ColorType::Rgb8 | ColorType::Rgba8 => SampleDepth::U8,
        ColorType::L16 | ColorType::La16 | ColorType::Rgb16 | ColorType::Rgba16 => SampleDepth::U16,
        ColorType::Rgb32F | ColorType::Rgba32F => SampleDepth::F32,
        other => {
            return Err(Error::new(
                ErrorKind::Input,
                format!("this kind of {format} is not supported ({other:?})"),
            ));
        }
    };
    Ok((color.channel_count().into(), depth))
}

/// Whether the container holds as many bytes as it says.
fn riff_is_complete(bytes: &[u8]) -> bool {
    bytes.get(4..8).is_some_and(|size| {
        let size = u32::from_le_bytes([size[0], size[1], size[2], size[3]]);
        bytes.len() as u64 >= u64::from(size) + 8
    })
}

/// Whether the end-of-image marker is there.
fn jpeg_is_complete(bytes: &[u8]) -> bool {
    let mut rest = &bytes[2..];
    // Segments with a length, up to the first scan.
    while let [0xff, marker, tail @ ..] = rest {
        match (marker, tail) {
            (0xff, _) => rest = &rest[1..],
            (0xd9, _) => return true,
            (0xda, _) => break,
            (0x01 | 0xd0..=0xd8, _) => rest = tail,
            (_, [high, low, ..]) => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                match tail.get(length..) {
                    Some(next) => rest = next,
                    None => return false,
                }
            }
            _ => return false,
        }
    }
    // Within scans 0xff is always followed by 0 or a restart marker, and tables between scans hold no 0xffd9
    // in practice; a false find only makes the check lenient.
    rest.windows(2).rev().any(|pair| pair == [0xff, 0xd9])
}

/// The error for data that no decoder knows, naming well-known kinds.
fn unknown_format(bytes: &[u8]) -> Error {
    let known = match bytes {
        [b'G', b'I', b'F', b'8', ..] => Some("a GIF picture"),
        [b'8', b'B', b'P', b'S', ..] => Some("a Photoshop document"),
        [b'%', b'P', b'D', b'F', ..] => Some("a PDF document"),
        [0xff, 0x0a, ..] | [0, 0, 0, 12, b'J', b'X', b'L', b' ', ..] => Some("a JPEG XL picture"),
        [0, 0, 0, 12, b'j', b'P', ..] | [0xff, 0x4f, 0xff, 0x51, ..] => Some("a JPEG 2000 picture"),
        [_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', b'f' | b's', ..] => Some("an AVIF picture"),
        [_, _, _, _, b'f', b't', b'y', b'p', b'h' | b'm', b'e' | b'i', ..] => Some("a HEIC picture"),
        _ => None,
    };
    let supported = ImageFormat::ALL.map(ImageFormat::name).join(", ");
    let message = match known {
        Some(name) => format!("this is {name}, which cannot be read; supported are {supported}"),
        None => format!("not a picture, or of an unknown format; supported are {supported}"),
    };
    Error::new(ErrorKind::Input, message)
}

fn truncated(format: ImageFormat) -> Error {
    Error::new(ErrorKind::Input, format!("the {format} data is truncated: the file ends too early"))
}

fn damaged(format: ImageFormat, error: ImageError) -> Error {
    match error {
        ImageError::IoError(io) if io.kind() == IoErrorKind::UnexpectedEof => truncated(format),
        ImageError::Limits(limit) if limit.kind() == LimitErrorKind::InsufficientMemory => {
            Error::with_source(
                ErrorKind::Limit,
                format!("decoding the {format} data needs more memory than the limit allows"),
                limit,
            )
        }
        ImageError::Unsupported(kind) => {
            Error::with_source(ErrorKind::Input, format!("this kind of {format} is not supported"), kind)
        }
        other => Error::with_source(ErrorKind::Input, format!("the {format} data is damaged"), other),
    }
}
