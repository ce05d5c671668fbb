//! The directories of a TIFF or BigTIFF file, read without the rest of the file.

use std::collections::HashSet;
use std::io::{Read, Seek, SeekFrom};

use super::ifd::{self, Order};

/// Most entries of a directory, as in libtiff.
const MOST_ENTRIES: u64 = 4096;

/// A TIFF file of which parts are read when they are asked for.
pub(in crate::image) struct TiffFile<R> {
    source: R,
    /// Its bytes.
    pub size: u64,
    /// The byte order of all numbers.
    pub order: Order,
    /// Whether offsets have 64 bits.
    pub big: bool,
    first: u64,
}

/// A page's table of tags.
#[derive(Clone, Debug)]
pub(in crate::image) struct Directory {
    /// Where it lies.
    pub at: u64,
    entries: Vec<Entry>,
    next: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    tag: u16,
    kind: u16,
    count: u64,
    /// The values themselves, if they fit, or their offset.
    place: [u8; 8],
}

impl<R: Read + Seek> TiffFile<R> {
    /// Reads the header; `None` if it is not TIFF's.
    pub fn open(mut source: R) -> Option<Self> {
        let size = source.seek(SeekFrom::End(0)).ok()?;
        let mut file = Self { source, size, order: Order::Little, big: false, first: 0 };
        let start = file.bytes(0, 8)?;
        (file.order, file.big) = match start[..4] {
            [b'I', b'I', 42, 0] => (Order::Little, false),
            [b'M', b'M', 0, 42] => (Order::Big, false),
            [b'I', b'I', 43, 0] => (Order::Little, true),
            [b'M', b'M', 0, 43] => (Order::Big, true),
            _ => return None,
        };
        file.first =
            if file.big { file.order.u64(&file.bytes(8, 8)?, 0)? } else { file.order.u32(&start, 4)?.into() };
        Some(file)
    }

    fn bytes(&mut self, at: u64, count: u64) -> Option<Vec<u8>> {
        if at.checked_add(count)? > self.size {
            return None;
        }
        let mut bytes = vec![0; usize::try_from(count).ok()?];
        self.source.seek(SeekFrom::Start(at)).ok()?;
        self.source.read_exact(&mut bytes).ok()?;
        Some(bytes)
    }

    /// Visits up to `most` directories, at last with `None` if the file refers to a directory that is missing, as in a
    /// file that ends too early.
    pub fn visit(&mut self, most: usize, mut visit: impl FnMut(&mut Self, Option<Directory>)) {
        let mut seen = HashSet::new();
        let mut next = Some(self.first);
        // Some broken files refer back to an earlier directory.
        while let Some(at) = next.filter(|at| seen.len() < most && seen.insert(*at)) {
            let directory = self.directory(at);
            next = directory.as_ref().map(|directory| directory.next).filter(|next| *next > 0);
            visit(self, directory);
        }
    }

    /// The directory at `at`; `None` if it is outside the file, or no directory.
    pub fn directory(&mut self, at: u64) -> Option<Directory> {
        let (head, size, link) = if self.big { (8, 20, 8) } else { (2, 12, 4) };
        let bytes = self.bytes(at, head)?;
        let count = if self.big { self.order.u64(&bytes, 0)? } else { self.order.u16(&bytes, 0)?.into() };
        if count > MOST_ENTRIES {
            return None;
        }
        let table = self.bytes(at.checked_add(head)?, count.checked_mul(size)?.checked_add(link)?)?;
        let (entries, link) = table.split_at(table.len() - link as usize);
        let order = self.order;
        let entry = |bytes: &[u8]| {
            let mut place = [0; 8];
            let (count, values) =
                if self.big { (order.u64(bytes, 4)?, 12) } else { (order.u32(bytes, 4)?.into(), 8) };
            place[..bytes.len() - values].copy_from_slice(&bytes[values..]);
            Some(Entry { tag: order.u16(bytes, 0)?, kind: order.u16(bytes, 2)?, count, place })
        };
        let entries = entries.chunks_exact(size as usize).filter_map(entry).collect();
        let next = if self.big { order.u64(link, 0)? } else { order.u32(link, 0)?.into() };
        Some(Directory { at, entries, next })
    }

    /// The bytes of a tag's values and their type, if it is there; the error is for values outside the file.
    pub fn data(&mut self, directory: &Directory, tag: u16) -> Result<Option<(u16, Vec<u8>)>, Outside> {
        self.values(directory, tag, usize::MAX)
    }

    /// The bytes of up to `most` values.
    fn values(
        &mut self,
        directory: &Directory,
        tag: u16,
        most: usize,
    ) -> Result<Option<(u16, Vec<u8>)>, Outside> {
        let Some(entry) = directory.entries.iter().find(|entry| entry.tag == tag) else { return Ok(None) };
        let Some(unit) = unit(entry.kind) else { return Ok(None) };
        let size = (unit as u64).checked_mul(entry.count).ok_or(Outside)?;
        let inline = if self.big { 8 } else { 4 };
        let kept = size.min((unit as u64).saturating_mul(most as u64));
        if size <= inline {
            return Ok(Some((entry.kind, entry.place[..kept as usize].to_vec())));
        }
        let order = self.order;
        let at =
            if self.big { order.u64(&entry.place, 0) } else { order.u32(&entry.place, 0).map(u64::from) };
        let inside = |at: &u64| at.checked_add(size).is_some_and(|end| end <= self.size);
        let data = at.filter(inside).and_then(|at| self.bytes(at, kept)).ok_or(Outside)?;
        Ok(Some((entry.kind, data)))
    }

    /// Up to `most` values of a tag of whole numbers, as a file may claim more than memory holds; none if it is missing or
    /// holds something else.
    pub fn numbers(&mut self, directory: &Directory, tag: u16, most: usize) -> Result<Vec<u64>, Outside> {
        let order = self.order;
        let Some((kind, data)) = self.values(directory, tag, most)? else { return Ok(Vec::new()) };
        let number = |bytes: &[u8]| match kind {
            1 | 7 => Some(bytes[0].into()),
            3 => order.u16(bytes, 0).map(u64::from),
            4 | 13 => order.u32(bytes, 0).map(u64::from),
            16 | 18 => order.u64(bytes, 0),
            _ => None,
        };
        Ok(data.chunks_exact(unit(kind).unwrap_or(1)).filter_map(number).collect())
    }

    /// The first value of a tag of whole numbers.
    pub fn number(&mut self, directory: &Directory, tag: u16) -> Result<Option<u64>, Outside> {
        Ok(self.numbers(directory, tag, 1)?.first().copied())
    }

    /// Up to `most` values of a tag of fractions or floating-point numbers; none if it is missing or holds something else.
    pub fn reals(&mut self, directory: &Directory, tag: u16, most: usize) -> Vec<f64> {
        let order = self.order;
        let Ok(Some((kind, data))) = self.values(directory, tag, most) else { return Vec::new() };
        let real = |bytes: &[u8]| match kind {
            5 => Some(f64::from(order.u32(bytes, 0)?) / f64::from(order.u32(bytes, 4)?)),
            11 => order.u32(bytes, 0).map(|bits| f32::from_bits(bits).into()),
            12 => order.u64(bytes, 0).map(f64::from_bits),
            _ => None,
        };
        data.chunks_exact(unit(kind).unwrap_or(1)).filter_map(real).collect()
    }
}

/// Bytes of a value; BigTIFF has types of its own.
fn unit(kind: u16) -> Option<usize> {
    if (16..=18).contains(&kind) { Some(8) } else { ifd::type_size(kind) }
}

/// Values that lie outside the file.
#[derive(Clone, Copy, Debug)]
pub(in crate::image) struct Outside;
