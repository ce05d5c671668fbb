//! AVIF, through libheif.

use std::io::Write;

use libheif_rs::{
    Channel, ColorProfileNCLX, ColorProfileRaw, ColorSpace, CompressionFormat, EncoderParameterValue,
    EncoderQuality, HeifContext, HeifError, Image, LibHeif, RgbChroma, color_profile_types,
};

use super::super::interleave::Rows;
use super::super::metadata::Metadata;
use super::super::metadata::exif_fields::only_density;
use super::super::{ImageFormat, SampleDepth};
use super::{EncodeOptions, failed};
use crate::error::Result;

/// Bits per sample of the deep form.
const DEEP: u8 = 12;

/// Writes `rows` (3 or 4 channels) of an image of `size` (height, width).
pub(super) fn write(
    rows: &Rows<'_>,
    size: (usize, usize),
    depth: SampleDepth,
    options: &EncodeOptions,
    metadata: &Metadata,
    out: &mut impl Write,
) -> Result<()> {
    let bytes = encode(rows, size, depth, options.quality, metadata)
        .map_err(|error| failed(ImageFormat::Avif, error))?;
    out.write_all(&bytes).map_err(|error| failed(ImageFormat::Avif, error))
}

fn encode(
    rows: &Rows<'_>,
    (height, width): (usize, usize),
    depth: SampleDepth,
    quality: u8,
    metadata: &Metadata,
) -> Result<Vec<u8>, HeifError> {
    let deep = depth != SampleDepth::U8;
    let chroma = match (deep, rows.channels()) {
        (false, 3) => RgbChroma::Rgb,
        (false, _) => RgbChroma::Rgba,
        (true, 3) => RgbChroma::HdrRgbLe,
        (true, _) => RgbChroma::HdrRgbaLe,
    };
    let mut image = Image::new(width as u32, height as u32, ColorSpace::Rgb(chroma))?;
    image.create_plane(Channel::Interleaved, width as u32, height as u32, if deep { DEEP } else { 8 })?;
    if let Some(plane) = image.planes_mut().interleaved {
        for (y, line) in plane.data.chunks_mut(plane.stride).take(height).enumerate() {
            if deep {
                let mut row = vec![0.0f32; rows.len()];
                rows.write(y, &mut row);
                let most = f32::from((1u16 << DEEP) - 1);
                for (pair, value) in line.chunks_exact_mut(2).zip(row) {
                    pair.copy_from_slice(&((value.clamp(0.0, 1.0) * most + 0.5) as u16).to_le_bytes());
                }
            } else {
                rows.write(y, &mut line[..rows.len()]);
            }
        }
    }
    match (&metadata.icc, ColorProfileNCLX::new()) {
        (Some(icc), _) => {
            image.set_color_profile_raw(&ColorProfileRaw::new(color_profile_types::PROF, icc.clone()))?;
        }
        // The default is sRGB.
        (None, Some(srgb)) => image.set_color_profile_nclx(&srgb)?,
        (None, None) => {}
    }
    let library = LibHeif::new();
    let mut encoder = library.encoder_for_format(CompressionFormat::Av1)?;
    encoder.set_quality(EncoderQuality::Lossy(quality))?;
    encoder.set_parameter_value("chroma", EncoderParameterValue::String("444".into()))?;
    // Ringing around edges shows most in opacity, which costs little whole. Not all encoders know how.
    let _ = encoder.set_parameter_value("lossless-alpha", EncoderParameterValue::Bool(true));
    let mut context = HeifContext::new()?;
    let handle = context.encode_image(&image, &mut encoder, None)?;
    // AVIF has no resolution of its own.
    if let Some(exif) = metadata.exif.clone().or_else(|| metadata.density.map(only_density)) {
        context.add_exif_metadata(&handle, &exif)?;
    }
    if let Some(xmp) = &metadata.xmp {
        context.add_xmp_metadata(&handle, xmp)?;
    }
    context.write_to_bytes()
}
