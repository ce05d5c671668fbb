//! TIFF with deflate and, for integers, the horizontal predictor; strips are compressed in parallel.

use std::io::{Seek, Write};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use rayon::prelude::*;
use tiff::encoder::{
    DirectoryEncoder, Rational, TiffEncoder, TiffKind, TiffKindBig, TiffKindStandard, TiffValue,
};
use tiff::tags::{
    CompressionMethod, ExtraSamples, PhotometricInterpretation, Predictor, SampleFormat, Tag, Type,
};
use tiff::{Directory, TiffError};

use super::super::interleave::{Rows, Sample};
use super::super::metadata::Metadata;
use super::super::metadata::exif::Exif;
use super::super::metadata::exif_fields::{EXIF_POINTER, Fields, GPS_POINTER, INTEROP_POINTER, rational};
use super::super::metadata::ifd::{Field, Order};
use super::super::metadata::tiff::{ICC, IPTC, PHOTOSHOP, XMP};
use super::super::{ImageFormat, SampleDepth};
use super::failed;
use crate::error::{Error, Result};

/// The byte order that the encoder writes.
const NATIVE: Order = if cfg!(target_endian = "big") { Order::Big } else { Order::Little };

/// Uncompressed bytes of one strip.
const STRIP: usize = 1 << 18;

/// Strips compressed at a time; bounds what is held in memory.
const BATCH: usize = 32;

/// Uncompressed bytes above which 32-bit offsets might not do.
const CLASSIC_LIMIT: u64 = 3 << 30;

/// A file to which pages are added.
pub(super) enum Pages<W: Write + Seek> {
    Classic(TiffEncoder<W, TiffKindStandard>),
    Big(TiffEncoder<W, TiffKindBig>),
}

/// Uncompressed bytes of a page.
pub(super) fn bytes(rows: &Rows<'_>, size: (usize, usize), depth: SampleDepth) -> u64 {
    rows.len() as u64 * size.0 as u64 * u64::from(depth.bits()) / 8
}

impl<W: Write + Seek> Pages<W> {
    /// Begins a file for so many uncompressed `bytes` in all.
    pub(super) fn new(out: W, bytes: u64) -> Result<Self> {
        let pages = match bytes > CLASSIC_LIMIT {
            true => TiffEncoder::new_generic(out).map(Self::Big),
            false => TiffEncoder::new_generic(out).map(Self::Classic),
        };
        pages.map_err(tiff_failed)
    }

    /// Writes `rows` of a page of `size` (height, width).
    pub(super) fn add(
        &mut self,
        rows: &Rows<'_>,
        size: (usize, usize),
        depth: SampleDepth,
        metadata: &Metadata,
    ) -> Result<Vec<String>> {
        let fields =
            metadata.exif.clone().and_then(Exif::new).map(|exif| exif.fields(NATIVE)).unwrap_or_default();
        let result = match self {
            Self::Classic(encoder) => write_page(encoder, rows, size, depth, (metadata, &fields)),
            Self::Big(encoder) => write_page(encoder, rows, size, depth, (metadata, &fields)),
        };
        result.map_err(tiff_failed)?;
        let note = "the maker note would be broken in a TIFF file; dropped";
        Ok(fields.dropped_maker_note.then(|| note.into()).into_iter().collect())
    }
}

fn write_page<W: Write + Seek, K: TiffKind>(
    encoder: &mut TiffEncoder<W, K>,
    rows: &Rows<'_>,
    (height, width): (usize, usize),
    depth: SampleDepth,
    (metadata, fields): (&Metadata, &Fields),
) -> Result<(), TiffError>
where
    for<'a> &'a K::OffsetArrayType: TiffValue,
{
    let links = write_children(encoder, fields)?;
    let mut directory = encoder.image_directory()?;
    add_fields(&mut directory, &fields.main)?;
    for (tag, offset) in links {
        directory.write_tag(Tag::Unknown(tag), offset)?;
    }
    write_metadata(&mut directory, metadata)?;
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
            align(&mut directory, data.len())?;
            counts.push(K::convert_offset(data.len() as u64)?);
        }
    }
    directory.write_tag(Tag::StripOffsets, K::convert_slice(&offsets))?;
    directory.write_tag(Tag::StripByteCounts, K::convert_slice(&counts))?;
    directory.finish()
}

/// Writes profile, XMP, IPTC, paths, place on the map and resolution.
fn write_metadata<W: Write + Seek, K: TiffKind>(
    directory: &mut DirectoryEncoder<'_, W, K>,
    metadata: &Metadata,
) -> Result<(), TiffError> {
    let blocks = [
        (ICC, 7, &metadata.icc),
        (XMP, 1, &metadata.xmp),
        (IPTC, 1, &metadata.iptc),
        (PHOTOSHOP, 1, &metadata.paths),
    ];
    for (tag, kind, data) in blocks {
        if let Some(data) = data {
            add_fields(directory, &[Field { tag: tag.to_u16(), kind, data: data.clone() }])?;
        }
    }
    if let Some(geo) = &metadata.geo {
        add_fields(directory, &geo.fields(NATIVE))?;
    }
    if let Some(density) = metadata.density {
        for (tag, value) in [(Tag::XResolution, density.x), (Tag::YResolution, density.y)] {
            let (n, d) = rational(value);
            directory.write_tag(tag, Rational { n, d })?;
        }
        directory.write_tag(Tag::ResolutionUnit, density.unit_code() as u16)?;
    }
    Ok(())
}

/// Writes the EXIF, GPS and interoperability directories and returns (tag, offset) of those to be linked.
fn write_children<W: Write + Seek, K: TiffKind>(
    encoder: &mut TiffEncoder<W, K>,
    fields: &Fields,
) -> Result<Vec<(u16, u32)>, TiffError> {
    let mut child = |fields: &[Field], link: Option<(u16, u32)>| -> Result<u32, TiffError> {
        let mut directory = encoder.extra_directory()?;
        add_fields(&mut directory, fields)?;
        if let Some((tag, offset)) = link {
            directory.write_tag(Tag::Unknown(tag), offset)?;
        }
        // They come first, within the first 4 GiB.
        Ok(u32::try_from(directory.finish_with_offsets()?.pointer.0)?)
    };
    let mut links = Vec::new();
    if !fields.exif.is_empty() {
        let interop = match fields.interop.is_empty() {
            true => None,
            false => Some((INTEROP_POINTER, child(&fields.interop, None)?)),
        };
        links.push((EXIF_POINTER, child(&fields.exif, interop)?));
    }
    if !fields.gps.is_empty() {
        links.push((GPS_POINTER, child(&fields.gps, None)?));
    }
    Ok(links)
}

fn add_fields<W: Write + Seek, K: TiffKind>(
    directory: &mut DirectoryEncoder<'_, W, K>,
    fields: &[Field],
) -> Result<(), TiffError> {
    let mut entries = Directory::empty();
    for field in fields {
        let Some(kind) = Type::from_u16(field.kind) else { continue };
        entries.extend([(Tag::Unknown(field.tag), directory.write_entry_bytes(kind, &field.data)?)]);
        align(directory, field.data.len())?;
    }
    directory.extend_from(&entries);
    Ok(())
}

/// Makes what follows data of `written` bytes begin at a word (TIFF 6.0, section 2).
fn align<W: Write + Seek, K: TiffKind>(
    directory: &mut DirectoryEncoder<'_, W, K>,
    written: usize,
) -> Result<(), TiffError> {
    if written > 4 && written % 2 == 1 {
        directory.write_data(0u8)?;
    }
    Ok(())
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
