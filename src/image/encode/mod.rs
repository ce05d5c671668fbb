//! An image to the bytes of a file.

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
use super::{Image, ImageFormat, Metadata, SampleDepth};
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

/// Encodes `image` in memory; see [`encode_to`].
pub fn encode(image: &Image, options: &EncodeOptions) -> Result<Encoded> {
    let mut bytes = Cursor::new(Vec::new());
    let warnings = encode_to(image, options, &mut bytes)?;
    Ok(Encoded { bytes: bytes.into_inner(), warnings })
}

/// Writes `image` to `out` and returns warnings: what the file could not hold, one sentence each.
///
/// Values are clipped to 0..1 and rounded for integer samples. Rows are converted as they are written, so the
/// image is never copied whole, but for WebP, QOI and BMP (8-bit copy), and where the format implies another
/// coding of colour (linear light, or no profile) or is OpenEXR or Radiance.
///
/// # Errors
/// [`ErrorKind::InvalidOption`] from [`EncodeOptions::validate`]; [`ErrorKind::Output`] where the format cannot
/// store the size or `out` fails.
pub fn encode_to(
    image: &Image,
    options: &EncodeOptions,
    out: &mut (impl Write + Seek),
) -> Result<Vec<String>> {
    let format = options.format;
    let warnings = laid_out(image, options, |rows, size, depth, metadata| {
        let mut notes = Vec::new();
        match format {
            ImageFormat::Png => png::write(rows, size, depth, metadata, out)?,
            ImageFormat::Jpeg => notes.extend(jpeg::write(rows, size, options, metadata, out)?),
            ImageFormat::Tiff => {
                let mut pages = tiff::Pages::new(&mut *out, tiff::bytes(rows, size, depth))?;
                notes.extend(pages.add(rows, size, depth, metadata)?);
            }
            ImageFormat::Pnm | ImageFormat::Pam => pnm::write(rows, size, depth, format, out)?,
            ImageFormat::WebP => webp::write(rows, size, options, metadata, out)?,
            ImageFormat::Pfm => pnm::write_float(rows, size, out)?,
            #[cfg(feature = "jxl")]
            ImageFormat::JpegXl => jxl::write(rows, size, depth, metadata, out)?,
            #[cfg(feature = "heif")]
            ImageFormat::Avif => heif::write(rows, size, depth, options, metadata, out)?,
            _ => simple::write(rows, size, format, metadata, out)?,
        }
        Ok(notes)
    })?;
    out.flush().map_err(|error| failed(format, error))?;
    Ok(warnings)
}

/// Writes a TIFF file of several pages, one after the other.
pub struct PageWriter<W: Write + Seek> {
    options: EncodeOptions,
    pages: tiff::Pages<W>,
}

impl<W: Write + Seek> PageWriter<W> {
    /// Begins a file for pages of so many `samples` (width times height times channels) in all, which decides between
    /// TIFF and BigTIFF.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidOption`] for another format than TIFF; [`ErrorKind::Output`] where `out` fails.
    pub fn new(out: W, options: EncodeOptions, samples: u64) -> Result<Self> {
        if options.format != ImageFormat::Tiff {
            let message = format!("{} can store only one page: choose TIFF", options.format);
            return Err(Error::invalid_option(message));
        }
        // Four bytes are the most that a sample takes.
        let pages = tiff::Pages::new(out, samples.saturating_mul(4))?;
        Ok(Self { options, pages })
    }

    /// Writes one more page and returns what it could not hold; see [`encode_to`].
    ///
    /// # Errors
    /// As [`encode_to`].
    pub fn add(&mut self, image: &Image) -> Result<Vec<String>> {
        laid_out(image, &self.options, |rows, size, depth, metadata| {
            self.pages.add(rows, size, depth, metadata)
        })
    }
}

/// Hands `write` the rows, size (height, width), depth and metadata of `image` as the format means them, and returns
/// all notes.
fn laid_out(
    image: &Image,
    options: &EncodeOptions,
    write: impl FnOnce(&Rows<'_>, (usize, usize), SampleDepth, &Metadata) -> Result<Vec<String>>,
) -> Result<Vec<String>> {
    options.validate()?;
    let format = options.format;
    format.check_size(image.width(), image.height())?;
    let mut warnings = options.losses(image.depth, image.is_transparent());
    warnings.extend(options.metadata_losses(&image.metadata));
    let depth = options.stored_depth(image.depth);
    let (image, notes) = adapt::adapt(image, options);
    warnings.extend(notes);
    let background = (!format.has_alpha()).then_some(options.background);
    // BMP's alpha goes with colour only; JPEG XL's encoder takes deep grey beside alpha for signed numbers.
    let with_color = matches!(format, ImageFormat::Bmp | ImageFormat::JpegXl);
    let spread = !format.has_grey() || with_color && image.alpha.is_some();
    let rows = Rows::new(&image, background, spread);
    let size = (image.height(), image.width());
    warnings.extend(write(&rows, size, depth, &image.metadata)?);
    Ok(warnings)
}

fn failed(format: ImageFormat, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::with_source(ErrorKind::Output, format!("cannot write the {format} data"), error)
}

#[cfg(test)]
mod tests;
