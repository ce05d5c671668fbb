//! JPEG beyond what the usual decoder gets right: four inks, lossless files, and baseline files with one scan per
//! channel.
//!
//! There are two decoders because neither does for both: zune-jpeg, the usual one, refuses lossless files and hands
//! out
//! the inks of YCCK as RGB only; jpeg-decoder is in maintenance mode and refuses some chroma sampling, and the crate
//! tiff
//! would bring zune-jpeg all the same, for JPEG inside TIFF.

use jpeg_decoder::{ColorTransform, Decoder, Error as JpegError, PixelFormat};

use super::{Decoded, Kind, truncated};
use crate::error::{Error, ErrorKind, Result};
use crate::image::{ImageFormat, SampleDepth};
use crate::limits::Limits;

/// What the frame header and the first scan say.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Frame {
    /// The frame marker's low nibble: 0 baseline, 1 extended, 2 progressive, 3 lossless.
    pub process: u8,
    /// Bits per sample.
    pub precision: u8,
    /// Size in pixels.
    pub width: u16,
    /// Size in pixels.
    pub height: u16,
    /// Channels.
    pub components: u8,
    /// Channels of the first scan.
    pub scan_components: u8,
    /// Whether the end-of-image marker is there.
    pub complete: bool,
    /// Whether anything but filling lies behind the image.
    pub followed: bool,
}

impl Frame {
    /// Reads the headers; `None` without a frame and a scan.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut frame = Self::default();
        let mut rest = bytes.get(2..)?;
        loop {
            let (&[first, marker], tail) = rest.split_first_chunk::<2>()?;
            if first != 0xff {
                return None;
            }
            match marker {
                0xff => rest = &rest[1..],
                0x01 | 0xd0..=0xd8 => rest = tail,
                _ => {
                    let size = usize::from(u16::from_be_bytes(*tail.first_chunk::<2>()?));
                    let data = tail.get(2..size)?;
                    rest = &tail[size..];
                    match marker {
                        0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                            let &[precision, h1, h0, w1, w0, components] = data.first_chunk::<6>()?;
                            frame.process = marker & 0xf;
                            frame.precision = precision;
                            frame.height = u16::from_be_bytes([h1, h0]);
                            frame.width = u16::from_be_bytes([w1, w0]);
                            frame.components = components;
                        }
                        0xda => {
                            frame.scan_components = *data.first()?;
                            break;
                        }
                        _ => {}
                    }
                }
            }
        }
        // Within scans 0xff is followed by 0 or a restart marker; a false find elsewhere only makes this lenient.
        frame.complete = rest.windows(2).rev().any(|pair| pair == [0xff, 0xd9]);
        frame.followed =
            behind_image(rest).is_some_and(|tail| tail.iter().any(|byte| !matches!(byte, 0 | 0xff)));
        (frame.components > 0).then_some(frame)
    }

    /// Whether the usual decoder is not the one to use: it puts channels of separate baseline scans together
    /// wrongly, converts inks without their profile, and knows no lossless files.
    pub fn is_special(&self) -> bool {
        self.components == 4
            || self.process == 3
            || (self.process < 2 && self.scan_components < self.components)
    }
}

/// What lies behind the end-of-image marker, from within the first scan on.
fn behind_image(scan: &[u8]) -> Option<&[u8]> {
    let mut rest = scan;
    loop {
        let at =
            rest.windows(2).position(|pair| pair[0] == 0xff && !matches!(pair[1], 0 | 0xd0..=0xd7 | 0xff))?;
        let (marker, tail) = (rest[at + 1], &rest[at + 2..]);
        if marker == 0xd9 {
            return Some(tail);
        }
        // Tables and headers between the scans of a progressive file.
        rest = tail.get(usize::from(u16::from_be_bytes(*tail.first_chunk::<2>()?))..)?;
    }
}

/// Decodes a special file.
pub(super) fn read(bytes: &[u8], frame: &Frame, adobe: Option<u8>, limits: &Limits) -> Result<Decoded> {
    let (width, height) = (usize::from(frame.width), usize::from(frame.height));
    let sample_bytes = if frame.precision > 8 { 2 } else { 1 };
    limits.check(width as u64, height as u64, frame.components.into(), sample_bytes)?;
    let mut decoder = Decoder::new(bytes);
    decoder.set_max_decoding_buffer_size(usize::try_from(limits.max_decode_bytes).unwrap_or(usize::MAX));
    if frame.components == 4 {
        decoder.set_color_transform(if adobe == Some(2) {
            ColorTransform::YCCK
        } else {
            ColorTransform::CMYK
        });
    }
    let samples = decoder.decode().map_err(failed)?;
    let info = decoder.info().ok_or_else(|| truncated(ImageFormat::Jpeg))?;
    if (usize::from(info.width), usize::from(info.height)) != (width, height) {
        return Err(Error::new(
            ErrorKind::Input,
            "the JPEG data is damaged: its dimensions differ between header and image data",
        ));
    }
    let decoded = |kind, channels, depth, samples| Decoded { kind, channels, depth, height, width, samples };
    Ok(match info.pixel_format {
        PixelFormat::L8 => decoded(Kind::Grey, 1, SampleDepth::U8, samples.into()),
        PixelFormat::RGB24 => decoded(Kind::Rgb, 3, SampleDepth::U8, samples.into()),
        PixelFormat::L16 => {
            let wide: Vec<u16> =
                samples.chunks_exact(2).map(|pair| u16::from_ne_bytes([pair[0], pair[1]])).collect();
            decoded(Kind::Grey, 1, SampleDepth::U16, wide.into())
        }
        PixelFormat::CMYK32 => {
            // The decoder turns values round, as Adobe's files want it; others store inks plainly.
            let mut samples = samples;
            if adobe.is_none() {
                samples.iter_mut().for_each(|value| *value = 255 - *value);
            }
            decoded(Kind::Cmyk, 4, SampleDepth::U8, samples.into())
        }
    })
}

fn failed(error: JpegError) -> Error {
    match error {
        JpegError::Io(io) if io.kind() == std::io::ErrorKind::UnexpectedEof => truncated(ImageFormat::Jpeg),
        other => Error::with_source(ErrorKind::Input, "the JPEG data is damaged", other),
    }
}
