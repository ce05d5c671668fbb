//! JPEG strips and tiles.

use super::super::jpeg::Frame;
use super::super::truncated;
use super::compression::Compression;
use super::layout::Layout;
use super::unpacked::Unpacked;
use super::{damaged, unsupported};
use crate::error::{Error, ErrorKind, Result};
use crate::image::ImageFormat;
use crate::image::libjpeg::{Coding, Failure, decompress};
use crate::limits::Limits;

/// Decodes `rows` rows of a strip or tile.
///
/// # Errors
/// `Input` for a kind of JPEG that cannot be read, or that is not what the tags say; `Limit` for one over `limits`.
pub(super) fn decode(
    layout: &Layout,
    data: &[u8],
    rows: usize,
    limits: &Limits,
) -> Result<Unpacked<'static>> {
    let row_bytes = layout.block.0 * layout.stored();
    let lost = || Unpacked { bytes: vec![0; row_bytes * rows].into(), good: 0, decoded: false };
    let frame = match Frame::read(data) {
        Some(frame) => frame,
        None if layout.compression == Compression::OldJpeg => {
            return Err(unsupported("compression 6 (old-style JPEG that is not one stream)"));
        }
        None => return Ok(lost()),
    };
    if frame.is_lossless() || frame.unsupported().is_some() || frame.precision != 8 {
        let kind = frame.unsupported().unwrap_or_else(|| {
            if frame.is_lossless() { "lossless".into() } else { format!("{} bits", frame.precision) }
        });
        return Err(unsupported(&format!("compression 7 (JPEG, {kind})")));
    }
    let size = (usize::from(frame.width), usize::from(frame.height), usize::from(frame.components));
    // The last strip may have rows below the image.
    if size.0 != layout.block.0 || size.1 < rows || size.2 != layout.stored() {
        return Err(damaged(&format!(
            "a JPEG strip or tile has {} x {} pixels and {} channels instead of {} x {rows} pixels and {} channels",
            size.0,
            size.1,
            size.2,
            layout.block.0,
            layout.stored()
        )));
    }
    // Each of many strips could hold a huge image, of which one row is needed. Encoders may fill up the height to whole
    // blocks of chroma; a lone strip may have any height, as in libtiff.
    if size.1 > layout.block.1.next_multiple_of(16) && layout.blocks() != (1, 1) {
        return Ok(lost());
    }
    let coding = if layout.photometric == 6 && !layout.planar { Coding::YCbCr } else { Coding::Stored };
    let image = match decompress(layout.jpeg_tables.as_deref(), data, coding, limits) {
        Ok(image) => image,
        Err(Failure::Limit(error)) => return Err(error),
        Err(Failure::Scans) => return Err(Error::new(ErrorKind::Limit, "a JPEG strip has too many scans")),
        Err(Failure::Fatal(fatal)) if fatal.is_memory() => {
            let message = "decoding the TIFF data needs more memory than the limit allows";
            return Err(Error::with_source(ErrorKind::Limit, message, fatal));
        }
        Err(Failure::Fatal(fatal)) if fatal.is_unsupported() => {
            return Err(unsupported(&format!("compression 7 (JPEG: {fatal})")));
        }
        Err(Failure::Truncated | Failure::Fatal(_)) => return Ok(lost()),
    };
    // The stream reaches to the end of the file.
    if layout.compression == Compression::OldJpeg && image.truncated {
        return Err(truncated(ImageFormat::Tiff));
    }
    let anywhere =
        image.truncated || image.missing > 0 || !image.refined || image.ended && frame.is_arithmetic();
    let wrong =
        image.warnings.iter().map(|warning| warning.row as usize * 8 * usize::from(frame.mcu.1)).min();
    let good = match wrong {
        None if !anywhere => rows,
        Some(row) if !anywhere && row < rows => row,
        // An error that is found at the end may be in any row.
        _ => 0,
    };
    let mut samples = image.samples;
    samples.truncate(row_bytes * rows);
    Ok(Unpacked { bytes: samples.into(), good: good * row_bytes, decoded: true })
}
