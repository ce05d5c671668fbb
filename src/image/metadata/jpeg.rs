//! Metadata in JPEG segments.
//!
//! Not by the crate `img-parts`, which copies the file, refuses it for one damaged segment, and would save only the walk
//! over segments.

use std::io::{BufRead, Read};

use super::application::Dropped;
use super::{Density, DensityUnit, Metadata, iptc, photoshop};

const EXIF: &[u8] = b"Exif\0\0";
const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
const EXTENDED_XMP: &[u8] = b"http://ns.adobe.com/xmp/extension/\0";
const ICC: &[u8] = b"ICC_PROFILE\0";
const PHOTOSHOP: &[u8] = b"Photoshop 3.0\0";

/// ISO's description of a gain map, which lies in the file as a second image.
const GAIN_MAP: &[u8] = b"urn:iso:std:iso:ts:21496:-1\0";

/// Photoshop's resources for the copyright flag and the address.
const RIGHTS: [u16; 2] = [0x040a, 0x040b];

/// Markers of a scan, and of the end of the image.
pub(in crate::image) const SCAN: u8 = 0xda;
pub(in crate::image) const END: u8 = 0xd9;

/// Most payload bytes of one segment.
const SEGMENT: usize = 65_533;

/// What the segments say.
#[derive(Clone, Debug, Default)]
pub(in crate::image) struct Segments {
    /// Metadata as they are.
    pub metadata: Metadata,
    /// Adobe's colour transform (0 none, 1 YCbCr, 2 YCCK), if the marker is there.
    pub adobe_transform: Option<u8>,
    /// Whether the file says that it holds further images.
    pub images: bool,
    /// What cannot be carried over, one sentence each.
    pub notes: Vec<String>,
}

/// Iterates over (marker, payload) of the whole file, skipping coded data and all else between segments. The last one is
/// the end-of-image marker, whose payload is all that follows.
pub(in crate::image) fn segments(bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = bytes.get(2..).unwrap_or_default();
    std::iter::from_fn(move || {
        loop {
            let at = rest.iter().position(|&byte| byte == 0xff)?;
            rest = &rest[at..];
            match *rest {
                [_, 0xff, ..] => rest = &rest[1..],
                [_, END, ..] => return Some((END, std::mem::take(&mut rest).split_at(2).1)),
                // In coded data 0xff is followed by 0 or a restart marker.
                [_, 0x00 | 0x01 | 0xd0..=0xd8, ..] => rest = &rest[2..],
                [_, marker, high, low, ..] => {
                    let size = usize::from(u16::from_be_bytes([high, low]));
                    let payload = rest.get(4..2 + size)?;
                    rest = &rest[2 + size..];
                    return Some((marker, payload));
                }
                _ => return None,
            }
        }
    })
}

/// The segments before the first scan.
pub(in crate::image) fn head(bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    segments(bytes).take_while(|(marker, _)| !matches!(*marker, SCAN | END))
}

/// Most bytes before the first scan.
const HEAD: u64 = 64 << 20;

/// Reads a file up to its first scan's coded data; `None` where that does not come.
pub(in crate::image) fn read_head(source: impl BufRead) -> Option<Vec<u8>> {
    let mut source = source.take(HEAD);
    let mut head = Vec::new();
    let mut read = |head: &mut Vec<u8>, count: u16| {
        let got = source.by_ref().take(count.into()).read_to_end(head).ok();
        (got == Some(count.into())).then_some(())
    };
    loop {
        read(&mut head, 1)?;
        // At the second byte of what may be a marker.
        let [.., 0xff, marker @ (0x02..=0xcf | 0xd9..=0xfe)] = *head else { continue };
        if marker == END {
            return None;
        }
        read(&mut head, 2)?;
        let size = u16::from_be_bytes(*head.last_chunk()?);
        read(&mut head, size.checked_sub(2)?)?;
        if marker == SCAN {
            return Some(head);
        }
    }
}

/// Reads all metadata segments before the first scan.
pub(in crate::image) fn read(bytes: &[u8]) -> Segments {
    let mut out = Segments::default();
    let mut icc: Vec<(u8, &[u8])> = Vec::new();
    let mut icc_count = 0;
    let mut resources = Vec::new();
    let mut extended = false;
    let mut dropped = Dropped::default();
    for (marker, data) in head(bytes) {
        let metadata = &mut out.metadata;
        match marker {
            0xe0 if data.starts_with(b"JFIF\0") && data.len() >= 12 => {
                let value = |at: usize| f64::from(u16::from_be_bytes([data[at], data[at + 1]]));
                metadata.density = Density::new(value(8), value(10), u32::from(data[7]) + 1);
            }
            0xe1 if data.starts_with(EXIF) && metadata.exif.is_none() => {
                metadata.exif = Some(data[EXIF.len()..].to_vec());
            }
            0xe1 if data.starts_with(XMP) && metadata.xmp.is_none() => {
                metadata.xmp = Some(data[XMP.len()..].to_vec());
            }
            0xe1 if data.starts_with(EXTENDED_XMP) => extended = true,
            0xe2 if data.starts_with(ICC) && data.len() > 14 => {
                icc.push((data[12], &data[14..]));
                icc_count = data[13];
            }
            0xe2 if data.starts_with(b"MPF\0") || data.starts_with(GAIN_MAP) => out.images = true,
            0xed if data.starts_with(PHOTOSHOP) => resources.extend(&data[PHOTOSHOP.len()..]),
            0xee if data.starts_with(b"Adobe") && data.len() >= 12 => out.adobe_transform = Some(data[11]),
            0xfe => metadata.text.push(("Comment".into(), text(data))),
            0xe0..=0xef => dropped.take(marker - 0xe0, data),
            _ => {}
        }
    }
    if !icc.is_empty() {
        icc.sort_by_key(|(number, _)| *number);
        let whole = icc.len() == usize::from(icc_count)
            && icc.iter().enumerate().all(|(i, (number, _))| usize::from(*number) == i + 1);
        if whole {
            out.metadata.icc = Some(icc.concat_parts());
        } else {
            out.notes.push("the colour profile is incomplete; dropped".into());
        }
    }
    out.metadata.iptc = iptc::from_resources(&resources);
    out.metadata.paths = photoshop::paths(&resources);
    if photoshop::resources(&resources).any(|resource| RIGHTS.contains(&resource.id)) {
        out.notes.push("Photoshop's own copyright flag and address are dropped".into());
    }
    if extended {
        out.notes.push("extended XMP (over 64 KiB) is dropped".into());
    }
    out.notes.extend(dropped.notes());
    out
}

trait ConcatParts {
    fn concat_parts(&self) -> Vec<u8>;
}

impl ConcatParts for Vec<(u8, &[u8])> {
    fn concat_parts(&self) -> Vec<u8> {
        self.iter().flat_map(|(_, part)| part.iter().copied()).collect()
    }
}

/// UTF-8 if it is, else Latin-1.
fn text(data: &[u8]) -> String {
    let data = data.strip_suffix(&[0]).unwrap_or(data);
    match std::str::from_utf8(data) {
        Ok(text) => text.into(),
        Err(_) => data.iter().map(|&byte| char::from(byte)).collect(),
    }
}

/// Segments (marker, payload) in the order of writing, and notes on what does not fit.
pub(in crate::image) fn write(metadata: &Metadata) -> (Vec<(u8, Vec<u8>)>, Vec<String>) {
    let mut out = Vec::new();
    let mut notes = Vec::new();
    let mut one = |marker: u8, prefix: &[u8], data: &[u8], what: &str| {
        if prefix.len() + data.len() <= SEGMENT {
            out.push((marker, [prefix, data].concat()));
        } else {
            notes.push(format!("the {what} has {} bytes, too many for JPEG; dropped", data.len()));
        }
    };
    if let Some(exif) = &metadata.exif {
        one(0xe1, EXIF, exif, "EXIF block");
    }
    if let Some(xmp) = &metadata.xmp {
        one(0xe1, XMP, xmp, "XMP packet");
    }
    if let Some(records) = &metadata.iptc {
        one(0xed, PHOTOSHOP, &iptc::to_resources(records), "IPTC block");
    }
    // Readers put the segments together again.
    for part in metadata.paths.iter().flat_map(|paths| paths.chunks(SEGMENT - PHOTOSHOP.len())) {
        one(0xed, PHOTOSHOP, part, "path");
    }
    for (keyword, text) in metadata.own_text() {
        let text = if keyword == "Comment" { text.clone() } else { format!("{keyword}: {text}") };
        one(0xfe, b"", text.as_bytes(), "comment");
    }
    if let Some(icc) = &metadata.icc {
        let parts = icc.chunks(SEGMENT - 14);
        let count = parts.len();
        if count <= 255 {
            for (i, part) in parts.enumerate() {
                out.push((0xe2, [ICC, &[i as u8 + 1, count as u8], part].concat()));
            }
        } else {
            notes.push(format!("the colour profile has {} bytes, too many for JPEG; dropped", icc.len()));
        }
    }
    (out, notes)
}

/// JFIF's density: unit (0 to 2) and whole numbers that fit.
pub(in crate::image) fn density(density: Density) -> (DensityUnit, u16, u16) {
    let (mut x, mut y) = (density.x, density.y);
    let mut unit = density.unit;
    if unit == DensityUnit::Inch && x.max(y) > 65_535.0 {
        (x, y, unit) = (x / 2.54, y / 2.54, DensityUnit::Centimeter);
    }
    let whole = |value: f64| value.round().clamp(1.0, 65_535.0) as u16;
    (unit, whole(x), whole(y))
}
