//! TIFF and BigTIFF pages: strips, tiles and planes of all usual colours, depths and compressions.

mod blocks;
mod color;
mod compression;
mod fax;
mod jpeg;
mod layout;
mod pages;
mod predictor;
mod samples;
mod unpacked;
mod webp;

use std::borrow::Cow;
use std::io::{Cursor, Read, Seek};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use self::compression::Compression;
use self::layout::{Layout, SampleKind};
use self::pages::Pages;
use self::samples::{Stored, Target};
use self::unpacked::Unpacked;
use super::{Decoded, Kind, Samples, truncated};
use crate::error::{Error, ErrorKind, Result};
use crate::image::metadata::directory::TiffFile;
use crate::image::metadata::tiff::Tags;
use crate::image::{Header, ImageFormat, SampleDepth, metadata};
use crate::limits::Limits;

/// Most pages that are looked for.
const PAGES: usize = 10_000;

/// The number of pages, at least 1.
pub(super) fn pages(bytes: &[u8]) -> usize {
    TiffFile::open(Cursor::new(bytes)).map_or(1, |mut file| Pages::find(&mut file, PAGES).places.len())
}

/// The headers of all pages; `None` for those that only decoding can tell of (or what is wrong with them).
///
/// # Errors
/// `Limit` for more pages than `limits` allows.
pub(in crate::image) fn headers(source: impl Read + Seek, limits: &Limits) -> Result<Vec<Option<Header>>> {
    let Some(mut file) = TiffFile::open(source) else { return Ok(vec![None]) };
    let pages = Pages::find(&mut file, PAGES);
    limits.check_pages(pages.places.len())?;
    let header = |place: &pages::PagePlace| {
        let directory = file.directory(place.directory?)?;
        let layout = Layout::read(&mut file, &directory).ok()?;
        let turned = metadata::tiff::orientation(&mut file, &directory) > 4;
        let (width, height) = (layout.width, layout.height);
        (width > 0 && height > 0).then(|| Header {
            width: if turned { height } else { width },
            height: if turned { width } else { height },
            channels: if layout.kind == Kind::Grey { 1 } else { 3 },
            has_alpha: layout.has_alpha,
            depth: layout.depth(),
            format: ImageFormat::Tiff,
        })
    };
    Ok(pages.places.iter().map(header).collect())
}

/// What a page is.
pub(super) struct Page {
    /// The pixels.
    pub decoded: Decoded,
    /// The tags.
    pub tags: Tags,
    /// Whether colour is multiplied by alpha.
    pub premultiplied: bool,
    /// Whether samples were integers with a sign.
    pub signed: bool,
    /// What of the pixels is lost.
    pub damage: Option<String>,
}

/// Decodes page `page`, counted from 0.
pub(super) fn read(bytes: &[u8], page: usize, limits: &Limits) -> Result<Page> {
    let mut file = TiffFile::open(Cursor::new(bytes)).ok_or_else(|| truncated(ImageFormat::Tiff))?;
    let pages = Pages::find(&mut file, PAGES);
    let Some(place) = pages.places.get(page) else {
        let message = format!("the TIFF file has no page {}: it has {}", page + 1, pages.places.len());
        return Err(Error::new(ErrorKind::Input, message));
    };
    let directory = place.directory.and_then(|at| file.directory(at));
    let directory = directory.ok_or_else(|| truncated(ImageFormat::Tiff))?;
    let layout = Layout::read(&mut file, &directory)?;
    let mut tags = metadata::tiff::read(bytes, &mut file, &directory);
    if page == 0 {
        tags.notes.extend(pages.notes);
    }
    let (height, width) = (layout.height, layout.width);
    let sample_bytes = layout.bits.div_ceil(8) as u64;
    limits.check(width as u64, height as u64, layout.samples as u64, sample_bytes)?;
    let blocks = blocks::find(&mut file, &directory, &layout, place.skipped, (bytes.len(), limits))?;
    let lost = Lost::default();
    let samples: Samples = match layout.depth() {
        SampleDepth::U8 if layout.palette.is_none() => {
            layout.decode::<u8>(bytes, &blocks, limits, &lost)?.into()
        }
        SampleDepth::F32 => layout.decode::<f32>(bytes, &blocks, limits, &lost)?.into(),
        _ => layout.decode::<u16>(bytes, &blocks, limits, &lost)?.into(),
    };
    let damage = lost.describe(width * height * layout.planes().len())?;
    if (layout.sample_kind, layout.depth()) == (SampleKind::Unsigned, SampleDepth::F32) {
        let most = (1u64 << layout.bits) - 1;
        tags.notes.push(format!("{}-bit integers become floating point: {most} becomes 1", layout.bits));
    }
    let kept = layout.kept.len();
    if kept < layout.samples {
        tags.notes.push(format!(
            "{} of its {} channels are dropped; only the first {kept} are read",
            layout.samples - kept,
            layout.samples
        ));
    }
    let channels = if layout.palette.is_some() { kept + 2 } else { kept };
    let samples = color::interpret(&layout, samples)?;
    let decoded = Decoded { kind: layout.kind, channels, depth: layout.depth(), height, width, samples };
    let signed = layout.sample_kind == SampleKind::Signed;
    Ok(Page { decoded, tags, premultiplied: layout.premultiplied, signed, damage })
}

impl Layout {
    /// Decodes the kept channels, interleaved; counts in `lost` the pixels that are lost or doubtful.
    fn decode<S: Stored>(
        &self,
        bytes: &[u8],
        blocks: &[Range<usize>],
        limits: &Limits,
        lost: &Lost,
    ) -> Result<Vec<S>> {
        let (across, down) = self.blocks();
        let row = self.width * self.kept.len();
        let mut out = vec![S::default(); self.height * row];
        let bands = out.par_chunks_mut(self.block.1.min(self.height) * row).enumerate();
        bands.try_for_each(|(y, out)| {
            let rows = out.len() / row;
            for place in 0..self.planes().len() {
                for x in 0..across {
                    let data = &bytes[blocks[(place * down + y) * across + x].clone()];
                    let unpacked = self.unpack(data, rows, limits)?;
                    let left = x * self.block.0;
                    let columns = self.block.0.min(self.width - left);
                    let good = unpacked.good * rows / unpacked.bytes.len();
                    let counter = if unpacked.decoded { &lost.doubtful } else { &lost.gone };
                    counter.fetch_add((rows - good) * columns, Ordering::Relaxed);
                    let target = Target { left, columns, plane: self.planar.then_some(place) };
                    S::spread(self, &unpacked.bytes, target, out);
                }
            }
            Ok(())
        })?;
        Ok(out)
    }

    /// Decompresses so many rows of a strip or tile.
    fn unpack<'a>(&self, data: &'a [u8], rows: usize, limits: &Limits) -> Result<Unpacked<'a>> {
        let bytes = |rows| self.bytes(rows).ok_or_else(|| damaged("its strips or tiles are too large"));
        let (needed, whole) = (bytes(rows)?, bytes(self.block.1)?);
        let data = match self.reversed && !self.compression.is_jpeg() {
            true => Cow::Owned(data.iter().map(|byte| byte.reverse_bits()).collect()),
            false => Cow::Borrowed(data),
        };
        let mut unpacked = match self.compression {
            Compression::None => Unpacked::plain(data, needed),
            Compression::Deflate => Unpacked::deflate(&data, needed, whole),
            Compression::Lzw => Unpacked::lzw(&data, needed, whole),
            Compression::PackBits => Unpacked::pack_bits(&data, needed, whole),
            Compression::Jpeg | Compression::OldJpeg => return jpeg::decode(self, &data, rows, limits),
            Compression::WebP => webp::decode(self, &data, rows),
            fax => fax::decode(&data, fax, self.block.0, rows),
        };
        if self.effective_predictor() > 1 {
            predictor::undo(self, unpacked.bytes.to_mut());
        }
        Ok(unpacked)
    }
}

/// Numbers of wrong pixels, over all planes.
#[derive(Default)]
struct Lost {
    /// Lost pixels, which became zeros.
    gone: AtomicUsize,
    /// Pixels that were decoded, but may be wrong.
    doubtful: AtomicUsize,
}

impl Lost {
    /// What is said where some of `all` are lost.
    fn describe(self, all: usize) -> Result<Option<String>> {
        let (gone, doubtful) = (self.gone.into_inner(), self.doubtful.into_inner());
        if gone * 2 > all {
            return Err(damaged("most of the image cannot be read"));
        }
        let parts: Vec<String> = [(gone, "is lost"), (doubtful, "may be wrong")]
            .into_iter()
            .filter(|(pixels, _)| *pixels > 0)
            .map(|(pixels, what)| format!("{} % of the image {what}", (100 * pixels).div_ceil(all)))
            .collect();
        Ok((!parts.is_empty()).then(|| format!("the TIFF data is damaged: {}", parts.join(", "))))
    }
}

fn damaged(what: &str) -> Error {
    Error::new(ErrorKind::Input, format!("the TIFF data is damaged: {what}"))
}

fn unsupported(what: &str) -> Error {
    Error::new(ErrorKind::Input, format!("this kind of TIFF is not supported: {what}"))
}
