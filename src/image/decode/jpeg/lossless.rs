//! Lossless JPEG (process 14) without restart intervals and point transform, which the decoder gets wrong.

use jpeg_decoder::{Decoder, Error as JpegError, PixelFormat};

use super::super::{Decoded, Kind, truncated};
use super::Frame;
use crate::error::{Error, ErrorKind, Result};
use crate::image::{ImageFormat, SampleDepth};
use crate::limits::Limits;

/// Decodes the file.
pub(super) fn read(bytes: &[u8], frame: &Frame, limits: &Limits) -> Result<Decoded> {
    let mut decoder = Decoder::new(bytes);
    decoder.set_max_decoding_buffer_size(usize::try_from(limits.max_decode_bytes).unwrap_or(usize::MAX));
    let samples = decoder.decode().map_err(failed)?;
    let info = decoder.info().ok_or_else(|| truncated(ImageFormat::Jpeg))?;
    let (height, width) = (usize::from(frame.height), usize::from(frame.width));
    if (usize::from(info.height), usize::from(info.width)) != (height, width) {
        return Err(Error::new(
            ErrorKind::Input,
            "the JPEG data is damaged: its dimensions differ between header and image data",
        ));
    }
    let decoded = |kind, channels, depth, samples| Decoded { kind, channels, depth, height, width, samples };
    match info.pixel_format {
        PixelFormat::L8 => Ok(decoded(Kind::Grey, 1, SampleDepth::U8, samples.into())),
        PixelFormat::RGB24 => Ok(decoded(Kind::Rgb, 3, SampleDepth::U8, samples.into())),
        PixelFormat::L16 => {
            let wide: Vec<u16> =
                samples.chunks_exact(2).map(|pair| u16::from_ne_bytes([pair[0], pair[1]])).collect();
            Ok(decoded(Kind::Grey, 1, SampleDepth::U16, wide.into()))
        }
        PixelFormat::CMYK32 => Err(super::unsupported("lossless with four channels")),
    }
}

fn failed(error: JpegError) -> Error {
    match error {
        JpegError::Io(io) if io.kind() == std::io::ErrorKind::UnexpectedEof => truncated(ImageFormat::Jpeg),
        JpegError::Unsupported(kind) => super::unsupported(&format!("lossless, {kind:?}")),
        other => Error::with_source(ErrorKind::Input, "the JPEG data is damaged", other),
    }
}
