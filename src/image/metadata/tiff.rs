//! Metadata in the tags of a TIFF page.

use std::io::{Read, Seek};

use tiff::decoder::Decoder;
use tiff::decoder::ifd::Value;
use tiff::tags::Tag;

use super::exif_fields::fields_at;
use super::ifd::{self, Order};
use super::{Density, Metadata, iptc, photoshop};

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

/// Reads the current page of `decoder`, whose file is `bytes`.
pub(in crate::image) fn read<R: Read + Seek>(bytes: &[u8], decoder: &mut Decoder<R>) -> Tags {
    let mut notes = Vec::new();
    let mut metadata = Metadata {
        icc: decoder.get_tag_u8_vec(ICC).ok(),
        xmp: decoder.get_tag_u8_vec(XMP).ok(),
        ..Metadata::default()
    };
    let number = |decoder: &mut Decoder<R>, tag| decoder.find_tag_unsigned::<u32>(tag).ok().flatten();
    let orientation =
        number(decoder, Tag::Orientation).filter(|value| (1..=8).contains(value)).unwrap_or(1) as u8;
    let unit = number(decoder, Tag::ResolutionUnit).unwrap_or(2);
    let mut rational = |tag| match decoder.find_tag(tag) {
        Ok(Some(Value::Rational(over, under))) if under != 0 => Some(f64::from(over) / f64::from(under)),
        _ => None,
    };
    metadata.density = rational(Tag::XResolution)
        .zip(rational(Tag::YResolution))
        .and_then(|(x, y)| Density::new(x, y, unit));
    let page = decoder.ifd_pointer().map(|pointer| pointer.0 as usize);
    match (ifd::header(bytes), page) {
        (Some((order, _)), Some(at)) => {
            if let Some(directory) = ifd::read(bytes, order, at) {
                let raw = |tag: Tag| directory.find(tag.to_u16()).map(|entry| entry.data(bytes));
                metadata.iptc =
                    raw(IPTC).and_then(records).or_else(|| raw(PHOTOSHOP).and_then(iptc::from_resources));
                metadata.paths = raw(PHOTOSHOP).and_then(photoshop::paths);
            }
            let mut fields = fields_at(bytes, order, at, Order::Little);
            if fields.dropped_maker_note {
                notes.push("the maker note cannot leave its TIFF file intact; dropped".into());
            }
            if !fields.is_empty() {
                if let Some(density) = metadata.density {
                    fields.add_density(density);
                }
                metadata.exif = Some(fields.to_block());
            }
        }
        // BigTIFF has 64-bit directories.
        _ => {
            let blocks = [Tag::ExifDirectory, Tag::GpsDirectory, IPTC, PHOTOSHOP, Tag::Make];
            if blocks.into_iter().any(|tag| matches!(decoder.find_tag(tag), Ok(Some(_)))) {
                notes.push("EXIF and IPTC of a BigTIFF file are not carried over".into());
            }
        }
    }
    Tags { metadata, orientation, notes }
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
