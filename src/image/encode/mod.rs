//! A picture to the bytes of a file.

mod jpeg;
mod png;
mod pnm;
mod tiff;

use std::io::{Cursor, Seek, Write};

use image::codecs::bmp::BmpEncoder;
use image::codecs::webp::WebPEncoder;
use image::{ExtendedColorType, ImageError};

use super::interleave::Rows;
use super::{ImageFormat, Picture, SampleDepth};
use crate::error::{Error, ErrorKind, Result};

/// How to write a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct EncodeOptions {
    /// The format of the file.
    pub format: ImageFormat,
    /// JPEG quality from 1 to 100. Default: 95.
    pub quality: u8,
    /// Sample depth; `None` keeps the picture's where the format can. Default: `None`.
    pub depth: Option<SampleDepth>,
    /// Colour (coded red, green, blue, each 0 to 1) under transparency where the format has none. Default: white.
    pub background: [f32; 3],
    /// Whether JPEG is written in scans of rising detail. Default: `false`.
    pub progressive: bool,
}

impl EncodeOptions {
    /// The defaults for `format`.
    pub fn new(format: ImageFormat) -> Self {
        Self { format, quality: 95, depth: None, background: [1.0; 3], progressive: false }
    }

    /// Checks ranges.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidOption`] naming the option, its value and the range.
    pub fn validate(&self) -> Result<()> {
        if !(1..=100).contains(&self.quality) {
            return Err(Error::new(
                ErrorKind::InvalidOption,
                format!("quality is {}, it must be from 1 to 100", self.quality),
            ));
        }
        if self.background.iter().any(|value| !(0.0..=1.0).contains(value)) {
            return Err(Error::new(
                ErrorKind::InvalidOption,
                format!("background is {:?}, each part must be from 0 to 1", self.background),
            ));
        }
        Ok(())
    }

    /// The depth that a file gets for samples that had `source` depth.
    pub fn stored_depth(&self, source: SampleDepth) -> SampleDepth {
        self.format.nearest_depth(self.depth.unwrap_or(source))
    }

    /// What the file cannot hold of a picture of `source` depth, one sentence each; known before work starts.
    pub fn losses(&self, source: SampleDepth, has_alpha: bool) -> Vec<String> {
        let mut losses = Vec::new();
        let format = self.format;
        let wanted = self.depth.unwrap_or(source);
        let stored = self.stored_depth(source);
        if stored < wanted {
            losses.push(format!(
                "{format} cannot store {} bits per sample; written with {}",
                wanted.bits(),
                stored.bits()
            ));
        }
        if has_alpha && !format.has_alpha() {
            losses.push(format!("{format} has no transparency; flattened on the background colour"));
        }
        losses
    }
}

/// A written file.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// The file's contents.
    pub bytes: Vec<u8>,
    /// What the file could not hold, one sentence each.
    pub warnings: Vec<String>,
}

/// Encodes `picture` in memory; see [`encode_to`].
pub fn encode(picture: &Picture, options: &EncodeOptions) -> Result<Encoded> {
    let mut bytes = Cursor::new(Vec::new());
    let warnings = encode_to(picture, options, &mut bytes)?;
    Ok(Encoded { bytes: bytes.into_inner(), warnings })
}

/// Writes `picture` to `out` and returns warnings: what the file could not hold, one sentence each.
///
/// Values are clipped to 0..1 and rounded for integer samples. Rows are converted as they are written, so the
/// picture is never copied whole, but for WebP and BMP (8-bit copy).
///
/// # Errors
/// [`ErrorKind::InvalidOption`] from [`EncodeOptions::validate`]; [`ErrorKind::Output`] where the format cannot
/// store the size or `out` fails.
pub fn encode_to(
    picture: &Picture,
    options: &EncodeOptions,
    out: &mut (impl Write + Seek),
) -> Result<Vec<String>> {
    options.validate()?;
    let format = options.format;
    format.check_size(picture.width(), picture.height())?;
    let rows = Rows::new(picture, (!format.has_alpha()).then_some(options.background));
    let size = (picture.height(), picture.width());
    let depth = options.stored_depth(picture.depth);
    match format {
        ImageFormat::Png => png::write(&rows, size, depth, out)?,
        ImageFormat::Jpeg => jpeg::write(&rows, size, options, out)?,
        ImageFormat::Tiff => tiff::write(&rows, size, depth, out)?,
        ImageFormat::Pnm | ImageFormat::Pam => pnm::write(&rows, size, depth, format, out)?,
        ImageFormat::WebP | ImageFormat::Bmp => {
            let (samples, color) = bytes(&rows, format);
            let (height, width) = (size.0 as u32, size.1 as u32);
            match format {
                ImageFormat::WebP => {
                    WebPEncoder::new_lossless(&mut *out).encode(&samples, width, height, color)
                }
                _ => BmpEncoder::new(&mut *out).encode(&samples, width, height, color),
            }
            .map_err(|error| codec_failed(format, error))?;
        }
    }
    out.flush().map_err(|error| failed(format, error))?;
    Ok(options.losses(picture.depth, picture.alpha.is_some()))
}

/// All samples in 8 bits, and their layout.
fn bytes(rows: &Rows<'_>, format: ImageFormat) -> (Vec<u8>, ExtendedColorType) {
    let samples = rows.collect();
    match rows.channels() {
        1 => (samples, ExtendedColorType::L8),
        2 if format == ImageFormat::Bmp => {
            // BMP's alpha goes with colour only.
            let pixels = samples.chunks_exact(2).flat_map(|pixel| [pixel[0], pixel[0], pixel[0], pixel[1]]);
            (pixels.collect(), ExtendedColorType::Rgba8)
        }
        2 => (samples, ExtendedColorType::La8),
        3 => (samples, ExtendedColorType::Rgb8),
        _ => (samples, ExtendedColorType::Rgba8),
    }
}

fn codec_failed(format: ImageFormat, error: ImageError) -> Error {
    match error {
        ImageError::IoError(io) => failed(format, io),
        other => failed(format, other),
    }
}

fn failed(format: ImageFormat, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::with_source(ErrorKind::Output, format!("cannot write the {format} data"), error)
}

#[cfg(test)]
mod tests;
