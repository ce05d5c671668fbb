//! Formats whose codecs take the whole image at once: BMP, QOI, Radiance, OpenEXR.

use std::io::{Cursor, Seek, Write};

use image::codecs::bmp::BmpEncoder;
use image::codecs::hdr::HdrEncoder;
use image::codecs::openexr::OpenExrEncoder;
use image::codecs::qoi::QoiEncoder;
use image::{ExtendedColorType, ImageEncoder, ImageError, Rgb};

use super::super::ImageFormat;
use super::super::interleave::Rows;
use super::super::metadata::{Density, DensityUnit, Metadata};
use super::failed;
use crate::error::{Error, Result};

/// Writes `rows` of an image of `size` (height, width).
pub(super) fn write(
    rows: &Rows<'_>,
    size: (usize, usize),
    format: ImageFormat,
    metadata: &Metadata,
    out: &mut (impl Write + Seek),
) -> Result<()> {
    let (height, width) = (size.0 as u32, size.1 as u32);
    let alpha = rows.channels().is_multiple_of(2);
    let color = match (rows.channels(), alpha) {
        (1, _) => ExtendedColorType::L8,
        (_, false) => ExtendedColorType::Rgb8,
        (_, true) => ExtendedColorType::Rgba8,
    };
    match format {
        ImageFormat::Bmp => {
            let mut bytes = Cursor::new(Vec::new());
            BmpEncoder::new(&mut bytes)
                .encode(&rows.collect(), width, height, color)
                .map_err(|error| codec_failed(format, error))?;
            let mut bytes = bytes.into_inner();
            if let Some(density) = metadata.density {
                set_density(&mut bytes, density);
            }
            out.write_all(&bytes).map_err(|error| failed(format, error))
        }
        ImageFormat::Qoi => QoiEncoder::new(out)
            .write_image(&rows.collect(), width, height, color)
            .map_err(|error| codec_failed(format, error)),
        ImageFormat::Hdr => {
            let samples: Vec<f32> = rows.collect();
            let pixels: Vec<Rgb<f32>> = samples.chunks_exact(3).map(|p| Rgb([p[0], p[1], p[2]])).collect();
            HdrEncoder::new(out).encode(&pixels, size.1, size.0).map_err(|error| codec_failed(format, error))
        }
        ImageFormat::OpenExr => {
            let samples: Vec<f32> = rows.collect();
            let color = if alpha { ExtendedColorType::Rgba32F } else { ExtendedColorType::Rgb32F };
            OpenExrEncoder::new(out)
                .write_image(bytemuck::cast_slice(&samples), width, height, color)
                .map_err(|error| codec_failed(format, error))
        }
        other => Err(failed(other, "this format has a writer of its own")),
    }
}

/// BMP's pixels per metre.
fn set_density(bytes: &mut [u8], density: Density) {
    let scale = match density.unit {
        DensityUnit::Aspect => return,
        DensityUnit::Inch => 100.0 / 2.54,
        DensityUnit::Centimeter => 100.0,
    };
    for (at, value) in [(38, density.x), (42, density.y)] {
        bytes[at..at + 4].copy_from_slice(&((value * scale).round() as i32).to_le_bytes());
    }
}

fn codec_failed(format: ImageFormat, error: ImageError) -> Error {
    match error {
        ImageError::IoError(io) => failed(format, io),
        other => failed(format, other),
    }
}
