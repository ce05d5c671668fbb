//! TIFF with deflate and, for integers, the horizontal predictor; strips are compressed in parallel.

use std::io::{Seek, Write};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use rayon::prelude::*;
use tiff::TiffError;
use tiff::encoder::{TiffEncoder, TiffKind, TiffKindBig, TiffKindStandard, TiffValue};
use tiff::tags::{CompressionMethod, ExtraSamples, PhotometricInterpretation, Predictor, SampleFormat, Tag};

use super::super::interleave::{Rows, Sample};
use super::super::{ImageFormat, SampleDepth};
use super::failed;
use crate::error::{Error, Result};

/// Uncompressed bytes of one strip.
const STRIP: usize = 1 << 18;

/// Strips compressed at a time; bounds what is held in memory.
const BATCH: usize = 32;

/// Uncompressed bytes above which 32-bit offsets might not do.
const CLASSIC_LIMIT: usize = 3 << 30;

/// Writes `rows` of a picture of `size` (height, width).
pub(super) fn write(
    rows: &Rows<'_>,
    size: (usize, usize),
    depth: SampleDepth,
    out: &mut (impl Write + Seek),
) -> Result<()> {
    let bytes = rows.len() * size.0 * depth.bits() as usize / 8;
    let result = if bytes > CLASSIC_LIMIT {
        write_kind::<_, TiffKindBig>(rows, size, depth, out)
    } else {
        write_kind::<_, TiffKindStandard>(rows, size, depth, out)
    };
    result.map_err(tiff_failed)
}

fn write_kind<W: Write + Seek, K: TiffKind>(
    rows: &Rows<'_>,
    (height, width): (usize, usize),
    depth: SampleDepth,
    out: &mut W,
) -> Result<(), TiffError>
where
    for<'a> &'a K::OffsetArrayType: TiffValue,
{
    let mut encoder = TiffEncoder::<_, K>::new_generic(out)?;
    let mut directory = encoder.image_directory()?;
    let channels = rows.channels();
    let float = depth == SampleDepth::F32;
    let format = if float { SampleFormat::IEEEFP } else { SampleFormat::Uint };
    let predictor = if float { Predictor::None } else { Predictor::Horizontal };
    let photometric =
        if channels < 3 { PhotometricInterpretation::BlackIsZero } else { PhotometricInterpretation::RGB };
    let strip_rows = (STRIP * 8 / (rows.len() * depth.bits() as usize)).clamp(1, height);
    directory.write_tag(Tag::ImageWidth, width as u32)?;
    directory.write_tag(Tag::ImageLength, height as u32)?;
    directory.write_tag(Tag::BitsPerSample, &vec![depth.bits() as u16; channels][..])?;
    directory.write_tag(Tag::SampleFormat, &vec![format.to_u16(); channels][..])?;
    directory.write_tag(Tag::SamplesPerPixel, channels as u16)?;
    directory.write_tag(Tag::PhotometricInterpretation, photometric.to_u16())?;
    directory.write_tag(Tag::Compression, CompressionMethod::Deflate.to_u16())?;
    directory.write_tag(Tag::Predictor, predictor.to_u16())?;
    directory.write_tag(Tag::RowsPerStrip, strip_rows as u32)?;
    if channels.is_multiple_of(2) {
        directory.write_tag(Tag::ExtraSamples, &[ExtraSamples::UnassociatedAlpha.to_u16()][..])?;
    }
    let mut offsets = Vec::new();
    let mut counts = Vec::new();
    let tops: Vec<usize> = (0..height).step_by(strip_rows).collect();
    for batch in tops.chunks(BATCH) {
        let strip = |&top: &usize| {
            let range = top..height.min(top + strip_rows);
            match depth {
                SampleDepth::U8 => compress::<u8>(rows, range, |a, b| a.wrapping_sub(b)),
                SampleDepth::U16 => compress::<u16>(rows, range, |a, b| a.wrapping_sub(b)),
                SampleDepth::F32 => compress::<f32>(rows, range, |a, _| a),
            }
        };
        for data in batch.par_iter().map(strip).collect::<Vec<_>>() {
            let data = data?;
            offsets.push(K::convert_offset(directory.write_data(&data[..])?)?);
            counts.push(K::convert_offset(data.len() as u64)?);
        }
    }
    directory.write_tag(Tag::StripOffsets, K::convert_slice(&offsets))?;
    directory.write_tag(Tag::StripByteCounts, K::convert_slice(&counts))?;
    directory.finish()
}

/// Deflates some rows; `predict(sample, left neighbour of the same channel)` is what gets stored.
fn compress<S: Sample + bytemuck::Pod>(
    rows: &Rows<'_>,
    range: std::ops::Range<usize>,
    predict: impl Fn(S, S) -> S,
) -> std::io::Result<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(6));
    let mut row = vec![S::default(); rows.len()];
    for y in range {
        rows.write(y, &mut row);
        for i in (rows.channels()..row.len()).rev() {
            row[i] = predict(row[i], row[i - rows.channels()]);
        }
        encoder.write_all(bytemuck::cast_slice(&row))?;
    }
    encoder.finish()
}

fn tiff_failed(error: TiffError) -> Error {
    match error {
        TiffError::IoError(io) => failed(ImageFormat::Tiff, io),
        other => failed(ImageFormat::Tiff, other),
    }
}
