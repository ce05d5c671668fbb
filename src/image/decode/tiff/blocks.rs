//! Where the strips or tiles of a page lie in the file.

use std::io::{Read, Seek};
use std::ops::Range;

use super::super::truncated;
use super::compression::Compression;
use super::layout::{Layout, tag};
use super::{damaged, unsupported};
use crate::error::{Error, ErrorKind, Result};
use crate::image::ImageFormat;
use crate::image::metadata::directory::{Directory, Outside, TiffFile};
use crate::limits::Limits;

/// Bytes that the strips or tiles of a plane may always have.
const SMALL: usize = 256 << 20;

/// The byte range of each strip or tile, row by row, one plane after the other; all are inside the file, which has
/// `size` bytes. `skipped` bytes of other images lie before it (ImageJ).
///
/// # Errors
/// `Input` where places are missing or outside the file; `Limit` for strips or tiles far larger than the image.
pub(super) fn find<R: Read + Seek>(
    file: &mut TiffFile<R>,
    directory: &Directory,
    layout: &Layout,
    skipped: u64,
    (size, limits): (usize, &Limits),
) -> Result<Vec<Range<usize>>> {
    let too_early = || truncated(ImageFormat::Tiff);
    let mut numbers = |tags: [u16; 2], most| -> Result<Vec<u64>> {
        let first = file.numbers(directory, tags[0], most).map_err(|Outside| too_early())?;
        // Some writers give tiles the tags of strips.
        if first.is_empty() {
            file.numbers(directory, tags[1], most).map_err(|Outside| too_early())
        } else {
            Ok(first)
        }
    };
    if layout.compression == Compression::OldJpeg {
        let start = numbers([tag::JPEG_STREAM; 2], 1)?.first().copied();
        let Some(start) = start.filter(|start| *start > 0) else {
            return Err(unsupported("compression 6 (old-style JPEG that is not one stream)"));
        };
        // Some writers count only what comes before the scan.
        let stream = start.min(size as u64) as usize..size;
        return if stream.is_empty() { Err(too_early()) } else { Ok(Vec::from([stream])) };
    }
    let (across, down) = layout.blocks();
    let in_plane = across.saturating_mul(down);
    let most = in_plane.saturating_mul(layout.stored_planes());
    let offsets = numbers([tag::TILE_OFFSETS, tag::STRIP_OFFSETS], most)?;
    let mut counts = numbers([tag::TILE_COUNTS, tag::STRIP_COUNTS], most)?;
    let needed = in_plane.saturating_mul(1 + layout.planes().iter().max().copied().unwrap_or(0));
    if offsets.len() < needed {
        return Err(damaged(&format!("it lists {} strips or tiles instead of {needed}", offsets.len())));
    }
    counts.resize(offsets.len(), 0);
    let whole = check_size(layout, limits)?;
    let mut starts = offsets.clone();
    starts.sort_unstable();
    let place = |index: usize| -> Result<Range<usize>> {
        let (at, count) = (offsets[index], counts[index]);
        if at == 0 {
            return Err(damaged(&format!("strip or tile {index} has no data")));
        }
        let count = match (layout.compression, count) {
            // The size of uncompressed data follows from the rows. Rows below the image may be missing.
            (Compression::None, _) => {
                let rows = (layout.height - index / across % down * layout.block.1).min(layout.block.1);
                let needed = layout.bytes(rows).unwrap_or(whole) as u64;
                match (offsets.len(), count) {
                    (1, _) | (_, 0) => needed,
                    (_, count) => needed.min(count),
                }
            }
            // Up to the next one, or the end of the file.
            (_, 0) => {
                let next = starts.get(starts.partition_point(|start| *start <= at)).copied();
                next.unwrap_or(size as u64).saturating_sub(at)
            }
            (_, count) => count,
        };
        let start = at.checked_add(skipped);
        let end = start.and_then(|start| start.checked_add(count)).filter(|end| *end <= size as u64);
        match (start, end) {
            (Some(start), Some(end)) => Ok(start as usize..end as usize),
            _ => Err(too_early()),
        }
    };
    layout.planes().iter().flat_map(|plane| plane * in_plane..(plane + 1) * in_plane).map(place).collect()
}

/// The bytes of an image in the file, if they are contiguous: plain strips that follow each other.
pub(super) fn contiguous<R: Read + Seek>(
    file: &mut TiffFile<R>,
    directory: &Directory,
    layout: &Layout,
) -> Option<Range<u64>> {
    // Tiles have columns or rows beyond the image.
    let is_plain = layout.compression == Compression::None
        && layout.width > 0
        && layout.block.0 == layout.width
        && layout.block.1 <= layout.height;
    if !is_plain {
        return None;
    }
    let (_, down) = layout.blocks();
    let count = down.checked_mul(layout.stored_planes())?;
    let starts = file.numbers(directory, tag::STRIP_OFFSETS, count).ok()?;
    let first = *starts.first().filter(|_| starts.len() == count)?;
    let mut end = first;
    for (index, start) in starts.into_iter().enumerate() {
        let rows = (layout.height - index % down * layout.block.1).min(layout.block.1);
        let bytes = layout.bytes(rows)? as u64;
        end = (start == end).then(|| end.checked_add(bytes))??;
    }
    Some(first..end)
}

/// Bytes of a whole strip or tile. Refuses those far larger than the image: what lies outside it costs time too.
fn check_size(layout: &Layout, limits: &Limits) -> Result<usize> {
    let row = layout.width * layout.stored() * layout.bits.div_ceil(8);
    let most = row.saturating_mul(layout.height).saturating_mul(4).max(SMALL);
    let most = most.min(usize::try_from(limits.max_decode_bytes).unwrap_or(usize::MAX));
    let (across, down) = layout.blocks();
    let whole = layout.bytes(layout.block.1).unwrap_or(usize::MAX);
    if whole.saturating_mul(across).saturating_mul(down) > most {
        let (width, height) = layout.block;
        let what = format!(
            "the strips or tiles of the TIFF data, of {width} x {height} pixels, take more than {most} bytes in all"
        );
        return Err(Error::new(ErrorKind::Limit, what));
    }
    Ok(whole)
}
