//! What a file's first bytes tell, for planning before anything is decoded.

use std::io::{BufRead, Seek, SeekFrom};

use image::{ImageDecoder, ImageReader};

use super::decode::jpeg::Frame;
use super::metadata::png::without_prefix;
use super::{ImageFormat, Metadata, SampleDepth, metadata};
use crate::error::Result;
use crate::limits::Limits;

/// An image's size and kind as [`super::decode`] would deliver it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Columns of the upright image.
    pub width: usize,
    /// Rows of the upright image.
    pub height: usize,
    /// Colour planes, 1 or 3.
    pub channels: usize,
    /// Whether there is an alpha channel; for GIF there may be.
    pub has_alpha: bool,
    /// Sample depth.
    pub depth: SampleDepth,
    /// The format of the contents.
    pub format: ImageFormat,
}

/// Reads a header without pixels; `None` where only decoding can tell (or tell what is wrong).
pub fn header(mut source: impl BufRead + Seek) -> Option<Header> {
    let start = source.fill_buf().ok()?;
    let format = ImageFormat::sniff(start)?;
    source.seek(SeekFrom::Start(0)).ok()?;
    match format {
        _ if !format.can_read() => None,
        ImageFormat::Tiff => {
            super::decode::tiff::headers(source, &Limits::default()).ok()?.into_iter().next()?
        }
        ImageFormat::Pfm => None,
        ImageFormat::Jpeg => jpeg_header(source),
        #[cfg(feature = "jxl")]
        ImageFormat::JpegXl => super::decode::jxl::header(source),
        #[cfg(feature = "heif")]
        ImageFormat::Avif | ImageFormat::Heic => super::decode::heif::header(source, format),
        _ => {
            let mut decoder = ImageReader::new(source).with_guessed_format().ok()?.into_decoder().ok()?;
            let (width, height) = decoder.dimensions();
            let color = decoder.color_type();
            let depth = match color.bytes_per_pixel() / color.channel_count() {
                1 => SampleDepth::U8,
                2 => SampleDepth::U16,
                _ => SampleDepth::F32,
            };
            let mut metadata = Metadata {
                exif: decoder.exif_metadata().ok().flatten().map(|block| without_prefix(&block)),
                xmp: decoder.xmp_metadata().ok().flatten(),
                ..Metadata::default()
            };
            let turned = metadata.take_orientation() > 4;
            let channels = if color.has_color() { 3 } else { 1 };
            upright(
                Header {
                    width: width as usize,
                    height: height as usize,
                    channels,
                    has_alpha: color.has_alpha(),
                    depth,
                    format,
                },
                turned,
            )
        }
    }
}

/// The headers of all pages, in order: one but for TIFF. `None` where only decoding can tell.
///
/// # Errors
/// `Limit` for more pages than `limits` allows.
pub fn page_headers(mut source: impl BufRead + Seek, limits: &Limits) -> Result<Vec<Option<Header>>> {
    let format = source.fill_buf().ok().and_then(ImageFormat::sniff);
    if format != Some(ImageFormat::Tiff) {
        return Ok(vec![header(source)]);
    }
    super::decode::tiff::headers(source, limits)
}

fn jpeg_header(source: impl BufRead) -> Option<Header> {
    let head = metadata::jpeg::read_head(source)?;
    let frame = Frame::read(&head).filter(|frame| frame.unsupported().is_none())?;
    let turned = metadata::jpeg::read(&head).metadata.take_orientation() > 4;
    let header = Header {
        width: frame.width.into(),
        height: frame.height.into(),
        channels: if frame.components == 1 { 1 } else { 3 },
        has_alpha: false,
        depth: if frame.precision > 8 { SampleDepth::U16 } else { SampleDepth::U8 },
        format: ImageFormat::Jpeg,
    };
    upright(header, turned)
}

/// The header with its sides swapped if the image lies on its side.
fn upright(header: Header, turned: bool) -> Option<Header> {
    let Header { width, height, .. } = header;
    let header = if turned { Header { width: height, height: width, ..header } } else { header };
    (width > 0 && height > 0).then_some(header)
}
