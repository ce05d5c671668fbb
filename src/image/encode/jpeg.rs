//! JPEG with full chroma resolution.

use std::io::Write;

use super::super::ImageFormat;
use super::super::interleave::{Rows, Sample};
use super::super::libjpeg::{Form, compress};
use super::super::metadata::{self, DensityUnit, Metadata};
use super::{EncodeOptions, failed};
use crate::error::Result;

/// Writes `rows` (1 or 3 channels) of an image of `size` (height, width); returns notes on metadata left out.
pub(super) fn write(
    rows: &Rows<'_>,
    size: (usize, usize),
    options: &EncodeOptions,
    metadata: &Metadata,
    out: &mut impl Write,
) -> Result<Vec<String>> {
    let (segments, notes) = metadata::jpeg::write(metadata);
    let density = metadata.density.map_or((0, 1, 1), |density| {
        let (unit, x, y) = metadata::jpeg::density(density);
        let unit = match unit {
            DensityUnit::Aspect => 0,
            DensityUnit::Inch => 1,
            DensityUnit::Centimeter => 2,
        };
        (unit, x, y)
    });
    let form = Form {
        width: size.1,
        height: size.0,
        channels: rows.channels(),
        quality: options.quality,
        progressive: options.progressive,
        density,
        segments: &segments,
    };
    let mut row = vec![0.0; rows.len()];
    let fill = |y: usize, out: &mut [u8]| {
        rows.write(y, &mut row);
        if rows.channels() == 1 {
            out.iter_mut().zip(&row).for_each(|(byte, &value)| *byte = u8::from_unit(value));
        } else {
            out.chunks_exact_mut(3).zip(row.chunks_exact(3)).for_each(|(out, rgb)| write_ycbcr(rgb, out));
        }
    };
    compress(&form, fill, out).map_err(|error| failed(ImageFormat::Jpeg, error))?;
    Ok(notes)
}

/// JFIF's YCbCr (BT.601, full range), straight from floating point: one rounding instead of two.
fn write_ycbcr(rgb: &[f32], out: &mut [u8]) {
    let [r, g, b] = [0, 1, 2].map(|i| rgb[i].clamp(0.0, 1.0));
    let luma = 0.299 * r + 0.587 * g + 0.114 * b;
    let chroma = |difference: f32| u8::from_unit(difference + 128.0 / 255.0);
    out.copy_from_slice(&[u8::from_unit(luma), chroma((b - luma) / 1.772), chroma((r - luma) / 1.402)]);
}
