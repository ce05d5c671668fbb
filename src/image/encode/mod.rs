//! A picture to the bytes of a file.

mod adapt;
#[cfg(feature = "heif")]
mod heif;
mod jpeg;
#[cfg(feature = "jxl")]
mod jxl;
mod options;
mod png;
mod pnm;
mod simple;
mod tiff;
mod webp;

use std::io::{Cursor, Seek, Write};

use super::interleave::Rows;
use super::{ImageFormat, Picture};
use crate::error::{Error, ErrorKind, Result};
pub use options::EncodeOptions;

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
/// picture is never copied whole, but for WebP, QOI and BMP (8-bit copy), and where the format implies another
/// coding of colour (linear light, or no profile) or is OpenEXR or Radiance.
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
    let mut warnings = options.losses(picture.depth, picture.alpha.is_some());
    warnings.extend(options.metadata_losses(&picture.metadata));
    let depth = options.stored_depth(picture.depth);
    let (picture, notes) = adapt::adapt(picture, options);
    warnings.extend(notes);
    let metadata = &picture.metadata;
    let background = (!format.has_alpha()).then_some(options.background);
    // BMP's alpha goes with colour only.
    let spread = !format.has_grey() || format == ImageFormat::Bmp && picture.alpha.is_some();
    let rows = Rows::new(&picture, background, spread);
    let size = (picture.height(), picture.width());
    match format {
        ImageFormat::Png => png::write(&rows, size, depth, metadata, out)?,
        ImageFormat::Jpeg => warnings.extend(jpeg::write(&rows, size, options, metadata, out)?),
        ImageFormat::Tiff => warnings.extend(tiff::write(&rows, size, depth, metadata, out)?),
        ImageFormat::Pnm | ImageFormat::Pam => pnm::write(&rows, size, depth, format, out)?,
        ImageFormat::WebP => webp::write(&rows, size, options, metadata, out)?,
        ImageFormat::Pfm => pnm::write_float(&rows, size, out)?,
        #[cfg(feature = "jxl")]
        ImageFormat::JpegXl => jxl::write(&rows, size, depth, metadata, out)?,
        #[cfg(feature = "heif")]
        ImageFormat::Avif => heif::write(&rows, size, depth, options, metadata, out)?,
        _ => simple::write(&rows, size, format, metadata, out)?,
    }
    out.flush().map_err(|error| failed(format, error))?;
    Ok(warnings)
}

fn failed(format: ImageFormat, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::with_source(ErrorKind::Output, format!("cannot write the {format} data"), error)
}

#[cfg(test)]
mod tests;
