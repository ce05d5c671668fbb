//! PNG, row by row.

use std::io::Write;

use png::{BitDepth, ColorType, Compression, Encoder, EncodingError};

use super::super::interleave::Rows;
use super::super::{ImageFormat, SampleDepth};
use super::failed;
use crate::error::{Error, Result};

/// Compressed bytes of one data chunk.
const CHUNK: usize = 1 << 16;

/// Writes `rows` of a picture of `size` (height, width) with 8 or 16 bits per sample.
pub(super) fn write(
    rows: &Rows<'_>,
    size: (usize, usize),
    depth: SampleDepth,
    out: &mut impl Write,
) -> Result<()> {
    let mut encoder = Encoder::new(out, size.1 as u32, size.0 as u32);
    encoder.set_color(match rows.channels() {
        1 => ColorType::Grayscale,
        2 => ColorType::GrayscaleAlpha,
        3 => ColorType::Rgb,
        _ => ColorType::Rgba,
    });
    encoder.set_depth(if depth == SampleDepth::U8 { BitDepth::Eight } else { BitDepth::Sixteen });
    encoder.set_compression(Compression::Balanced);
    let mut writer = encoder.write_header().map_err(png_failed)?;
    let mut stream = writer.stream_writer_with_size(CHUNK).map_err(png_failed)?;
    if depth == SampleDepth::U8 {
        let mut row = vec![0u8; rows.len()];
        for y in 0..size.0 {
            rows.write(y, &mut row);
            stream.write_all(&row).map_err(|error| failed(ImageFormat::Png, error))?;
        }
    } else {
        let mut row = vec![0u16; rows.len()];
        let mut bytes = vec![0u8; rows.len() * 2];
        for y in 0..size.0 {
            rows.write(y, &mut row);
            for (pair, sample) in bytes.chunks_exact_mut(2).zip(&row) {
                pair.copy_from_slice(&sample.to_be_bytes());
            }
            stream.write_all(&bytes).map_err(|error| failed(ImageFormat::Png, error))?;
        }
    }
    stream.finish().map_err(png_failed)?;
    writer.finish().map_err(png_failed)
}

fn png_failed(error: EncodingError) -> Error {
    match error {
        EncodingError::IoError(io) => failed(ImageFormat::Png, io),
        other => failed(ImageFormat::Png, other),
    }
}
