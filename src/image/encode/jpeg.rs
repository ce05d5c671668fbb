//! JPEG with full chroma resolution.

use std::io::{self, Write};

use jpeg_encoder::{Encoder, ImageBuffer, JpegColorType, PixelDensity, PixelDensityUnit, SamplingFactor};

use super::super::ImageFormat;
use super::super::interleave::Rows;
use super::super::metadata::{self, DensityUnit, Metadata};
use super::{EncodeOptions, failed, huffman};
use crate::error::Result;

/// Bytes of the start marker and the JFIF segment, after which other segments go.
const HEAD: usize = 20;

/// Writes `rows` (1 or 3 channels) of an image of `size` (height, width); returns notes on metadata left out.
pub(super) fn write(
    rows: &Rows<'_>,
    size: (usize, usize),
    options: &EncodeOptions,
    metadata: &Metadata,
    out: &mut impl Write,
) -> Result<Vec<String>> {
    let (segments, notes) = metadata::jpeg::write(metadata);
    let mut extra = Vec::new();
    for (marker, data) in segments {
        extra.extend([0xff, marker]);
        extra.extend((data.len() as u16 + 2).to_be_bytes());
        extra.extend(data);
    }
    let mut file = Vec::new();
    let mut encoder = Encoder::new(Insert { out: &mut file, extra, at: 0 }, options.quality);
    if let Some(density) = metadata.density {
        let (unit, x, y) = metadata::jpeg::density(density);
        let unit = match unit {
            DensityUnit::Aspect => PixelDensityUnit::PixelAspectRatio,
            DensityUnit::Inch => PixelDensityUnit::Inches,
            DensityUnit::Centimeter => PixelDensityUnit::Centimeters,
        };
        encoder.set_density(PixelDensity { density: (x, y), unit });
    }
    encoder.set_sampling_factor(SamplingFactor::R_4_4_4);
    encoder.set_progressive(options.progressive);
    // Of baseline files the encoder would make a scan per channel, which decoders in use get wrong, and hold all
    // coefficients.
    encoder.set_optimized_huffman_tables(options.progressive);
    encoder.encode_image(Source { rows, size }).map_err(|error| failed(ImageFormat::Jpeg, error))?;
    let file = if options.progressive { file } else { huffman::optimized(file) };
    out.write_all(&file).map_err(|error| failed(ImageFormat::Jpeg, error))?;
    Ok(notes)
}

/// Puts `extra` after the first `HEAD` bytes of what passes.
struct Insert<W> {
    out: W,
    extra: Vec<u8>,
    at: usize,
}

impl<W: Write> Write for Insert<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let part = if self.at < HEAD { data.len().min(HEAD - self.at) } else { data.len() };
        self.out.write_all(&data[..part])?;
        self.at += part;
        if self.at == HEAD {
            self.out.write_all(&std::mem::take(&mut self.extra))?;
        }
        Ok(part)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Hands rows to the encoder in its own colour space.
struct Source<'a> {
    rows: &'a Rows<'a>,
    size: (usize, usize),
}

impl ImageBuffer for Source<'_> {
    fn get_jpeg_color_type(&self) -> JpegColorType {
        if self.rows.channels() == 1 { JpegColorType::Luma } else { JpegColorType::Ycbcr }
    }

    fn width(&self) -> u16 {
        self.size.1 as u16
    }

    fn height(&self) -> u16 {
        self.size.0 as u16
    }

    /// JFIF's YCbCr (BT.601, full range), straight from floating point: one rounding instead of two.
    fn fill_buffers(&self, y: u16, buffers: &mut [Vec<u8>; 4]) {
        let mut row = vec![0.0f32; self.rows.len()];
        self.rows.write(y.into(), &mut row);
        if self.rows.channels() == 1 {
            buffers[0].extend(row.iter().map(|&value| byte(value)));
            return;
        }
        for pixel in row.chunks_exact(3) {
            let [r, g, b] = [0, 1, 2].map(|i| pixel[i].clamp(0.0, 1.0));
            let luma = 0.299 * r + 0.587 * g + 0.114 * b;
            buffers[0].push(byte(luma));
            buffers[1].push(byte((b - luma) / 1.772 + 128.0 / 255.0));
            buffers[2].push(byte((r - luma) / 1.402 + 128.0 / 255.0));
        }
    }
}

fn byte(value: f32) -> u8 {
    (value.clamp(0.0, 1.0) * 255.0 + 0.5) as u8
}
