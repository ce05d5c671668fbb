//! Metadata in the tags of a TIFF page.

use std::io::{Read, Seek};

use tiff::tags::Tag;

use super::directory::{Directory, TiffFile};
use super::exif_fields::fields_at;
use super::ifd::Order;
use super::{Density, Geo, Metadata, iptc, photoshop};

pub(in crate::image) const ICC: Tag = Tag::IccProfile;
pub(in crate::image) const XMP: Tag = Tag::Unknown(700);
pub(in crate::image) const IPTC: Tag = Tag::Unknown(33723);
pub(in crate::image) const PHOTOSHOP: Tag = Tag::Unknown(34377);

/// What a page's tags say.
#[derive(Clone, Debug)]
pub(in crate::image) struct Tags {
    /// Metadata as they are.
    pub metadata: Metadata,
    /// The orientation tag, 1 to 8.
    pub orientation: u8,
    /// What cannot be carried over, one sentence each.
    pub notes: Vec<String>,
}

/// Reads the page of `directory`, whose file is `bytes`.
pub(in crate::image) fn read<R: Read + Seek>(
    bytes: &[u8],
    file: &mut TiffFile<R>,
    directory: &Directory,
) -> Tags {
    let mut notes = Vec::new();
    let mut raw = |tag: Tag| file.data(directory, tag.to_u16()).ok().flatten().map(|(_, data)| data);
    let mut metadata = Metadata {
        icc: raw(ICC),
        xmp: raw(XMP),
        iptc: raw(IPTC).and_then(|data| records(&data)),
        ..Metadata::default()
    };
    metadata.iptc = metadata.iptc.or_else(|| raw(PHOTOSHOP).and_then(|data| iptc::from_resources(&data)));
    metadata.paths = raw(PHOTOSHOP).and_then(|data| photoshop::paths(&data));
    let (geo, note) = Geo::read(file, directory);
    metadata.geo = geo;
    notes.extend(note);
    let orientation = orientation(file, directory);
    let unit = file.number(directory, Tag::ResolutionUnit.to_u16()).ok().flatten().unwrap_or(2);
    let mut resolution = |tag: Tag| file.reals(directory, tag.to_u16(), 1).first().copied();
    metadata.density = resolution(Tag::XResolution)
        .zip(resolution(Tag::YResolution))
        .and_then(|(x, y)| Density::new(x, y, unit as u32));
    if file.big {
        // BigTIFF has 64-bit directories.
        let blocks = [Tag::ExifDirectory, Tag::GpsDirectory, Tag::Make];
        if blocks.into_iter().any(|tag| matches!(file.data(directory, tag.to_u16()), Ok(Some(_)))) {
            notes.push("EXIF of a BigTIFF file is not supported; dropped".into());
        }
        return Tags { metadata, orientation, notes };
    }
    let mut fields = fields_at(bytes, file.order, directory.at as usize, Order::Little);
    if fields.dropped_maker_note {
        notes.push("the maker note would be broken outside its TIFF file; dropped".into());
    }
    if !fields.is_empty() {
        if let Some(density) = metadata.density {
            fields.add_density(density);
        }
        metadata.exif = Some(fields.to_block());
    }
    Tags { metadata, orientation, notes }
}

/// The orientation tag, 1 to 8.
pub(in crate::image) fn orientation<R: Read + Seek>(file: &mut TiffFile<R>, directory: &Directory) -> u8 {
    let value = file.number(directory, Tag::Orientation.to_u16()).ok().flatten();
    value.filter(|value| (1..=8).contains(value)).unwrap_or(1) as u8
}

/// IPTC records; some writers store them as 32-bit numbers with their bytes turned round.
fn records(data: &[u8]) -> Option<Vec<u8>> {
    match data {
        [0x1c, ..] => Some(data.to_vec()),
        [_, _, _, 0x1c, ..] => {
            let mut turned = data.to_vec();
            turned.chunks_exact_mut(4).for_each(<[u8]>::reverse);
            Some(turned)
        }
        _ => None,
    }
}
