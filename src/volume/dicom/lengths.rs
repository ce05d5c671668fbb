//! Lengths that a file cannot have: the library sets memory aside for a value before it reads it, up to 4 GiB.

use std::io::{self, Read};

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry, VirtualVr};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags, uids};
use flate2::read::DeflateDecoder;

use super::content::BIG_ENDIAN;
use super::nesting::{Nesting, Next};

/// The length of a sequence whose end is marked.
const UNDEFINED: u32 = u32::MAX;

/// Value representations whose length has 16 bits (PS3.5, 7.1.2).
const SHORT: [VR; 21] = [
    VR::AE,
    VR::AS,
    VR::AT,
    VR::CS,
    VR::DA,
    VR::DS,
    VR::DT,
    VR::FL,
    VR::FD,
    VR::IS,
    VR::LO,
    VR::LT,
    VR::PN,
    VR::SH,
    VR::SL,
    VR::SS,
    VR::ST,
    VR::TM,
    VR::UI,
    VR::UL,
    VR::US,
];

/// Bytes of one number of a value representation: the parser reads whole ones, and loses its place if some are left.
fn unit(vr: VR) -> u32 {
    match vr {
        VR::US | VR::SS | VR::OW => 2,
        VR::AT | VR::UL | VR::SL | VR::OL | VR::FL | VR::OF => 4,
        VR::UV | VR::SV | VR::OV | VR::FD | VR::OD => 8,
        _ => 1,
    }
}

/// Most bytes of a data set that is stored deflated: few bytes inflate to a thousand times as many.
const MOST_INFLATED: u64 = 1 << 30;

/// The file meta group.
const META: u16 = 2;

const ITEM: Tag = Tag(0xfffe, 0xe000);
const ITEM_END: Tag = Tag(0xfffe, 0xe00d);
const SEQUENCE_END: Tag = Tag(0xfffe, 0xe0dd);

/// What precedes a value.
struct Head {
    tag: Tag,
    vr: VR,
    /// Of the value, in bytes.
    length: u32,
    /// Its own length.
    bytes: u64,
}

impl Head {
    /// As the parser reads it, which takes what is no value representation for an unknown one; `None` where the file ends.
    fn read(file: &mut dyn Read, is_big: bool, is_explicit: bool) -> io::Result<Option<Self>> {
        let short =
            |bytes: [u8; 2]| if is_big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) };
        let long =
            |bytes: [u8; 4]| if is_big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) };
        let mut head = [0; 8];
        if !fill(file, &mut head)? {
            return Ok(None);
        }
        let [a, b, c, d, e, f, g, h] = head;
        let tag = Tag(short([a, b]), short([c, d]));
        let vr = match is_explicit {
            true => VR::from_binary([e, f]).unwrap_or(VR::UN),
            false => StandardDataDictionary.by_tag(tag).map_or(VR::UN, |entry| entry.vr().relaxed()),
        };
        if tag.0 == ITEM.0 || !is_explicit {
            return Ok(Some(Self { tag, vr, length: long([e, f, g, h]), bytes: 8 }));
        }
        if SHORT.contains(&vr) {
            return Ok(Some(Self { tag, vr, length: short([g, h]).into(), bytes: 8 }));
        }
        let mut length = [0; 4];
        Ok(fill(file, &mut length)?.then(|| Self { tag, vr, length: long(length), bytes: 12 }))
    }
}

/// Fills `bytes`; false where the file ends before.
fn fill(file: &mut dyn Read, bytes: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(bytes) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        read => read.map(|()| true),
    }
}

/// Whether every value lies in its file, in whole numbers; `file` begins with the magic number. It looks at elements one
/// after the other as the parser does, those of items too, up to the `pixels`, and those if asked. Whatever else is odd is
/// left to the parser.
///
/// # Errors
/// As the file cannot be read.
pub fn are_plausible(file: &mut dyn Read, pixels: bool) -> io::Result<bool> {
    let mut file: Box<dyn Read + '_> = Box::new(file);
    let mut at = 4;
    skip(&mut file, at)?;
    let mut syntax = String::new();
    // The file meta group comes first, and ends where its first element says; the parser goes on from there.
    let (mut is_meta, mut meta_end) = (true, None);
    let mut nesting = Nesting::default();
    let mut most = u64::MAX;
    loop {
        if let Some(end) = meta_end.filter(|&end| is_meta && end <= at) {
            if end < at {
                return Ok(false);
            }
            is_meta = false;
            if syntax == uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN {
                file = Box::new(DeflateDecoder::new(file));
                most = MOST_INFLATED;
            }
        }
        let next = match nesting.next(at) {
            None => return Ok(false),
            Some(Next::Fragment(end)) => {
                if end > most || !skip(&mut file, end - at)? {
                    return Ok(false);
                }
                at = end;
                continue;
            }
            Some(next) => next,
        };
        // The file meta group is little-endian and explicit.
        let is_big = !is_meta && syntax == BIG_ENDIAN;
        let is_explicit = is_meta || syntax != uids::IMPLICIT_VR_LITTLE_ENDIAN;
        let Some(Head { tag, vr, length, bytes }) = Head::read(&mut file, is_big, is_explicit)? else {
            return Ok(true);
        };
        at += bytes;
        if next == Next::Root && is_meta != (tag.0 == META) {
            return Ok(false);
        }
        let end = (length != UNDEFINED).then(|| at + u64::from(length));
        if next == Next::Item {
            match tag {
                ITEM => nesting.open_item(end),
                ITEM_END => nesting.close_item(),
                SEQUENCE_END => nesting.close_sequence(),
                _ => return Ok(false),
            }
            continue;
        }
        let is_behind = if pixels { tag > tags::PIXEL_DATA } else { tag >= tags::FLOAT_PIXEL_DATA };
        if next == Next::Root && is_behind && tag.0 != ITEM.0 {
            return Ok(true);
        }
        if tag == ITEM_END {
            nesting.close_item();
            continue;
        }
        // What is inside follows.
        if !is_meta && (end.is_none() || vr == VR::SQ && tag.0 != ITEM.0) {
            nesting.open_sequence(end, tag == tags::PIXEL_DATA && end.is_none() && vr != VR::SQ);
            continue;
        }
        // What may be of two kinds (US or SS) is read as the second whatever the file says, where pixels are signed.
        let either = StandardDataDictionary.by_tag(tag).is_some_and(|entry| entry.vr() == VirtualVr::Xs);
        let unit = if either { unit(VR::SS) } else { unit(vr) };
        let is_whole = next == Next::Root && tag == tags::PIXEL_DATA || length % unit == 0;
        if !is_whole || end.is_some_and(|end| end > most) {
            return Ok(false);
        }
        if is_meta && tag == tags::TRANSFER_SYNTAX_UID && length <= 64 {
            let mut value = Vec::new();
            (&mut file).take(length.into()).read_to_end(&mut value)?;
            syntax = String::from_utf8_lossy(&value).trim_matches(['\0', ' ']).to_owned();
        } else if is_meta && tag == tags::FILE_META_INFORMATION_GROUP_LENGTH && length == 4 {
            let mut value = [0; 4];
            file.read_exact(&mut value)?;
            meta_end = Some(at + 4 + u64::from(u32::from_le_bytes(value)));
        } else if !skip(&mut file, length.into())? {
            return Ok(false);
        }
        at += u64::from(length);
    }
}

/// Skips `length` bytes; returns whether there are as many.
fn skip(file: &mut dyn Read, length: u64) -> io::Result<bool> {
    Ok(io::copy(&mut file.take(length), &mut io::sink())? == length)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::DeflateEncoder;

    use super::*;

    fn are(bytes: &[u8], syntax: &str) -> bool {
        let length = syntax.len() as u16;
        let mut file = b"DICM\x02\0\0\0UL\x04\0".to_vec();
        file.extend((8 + u32::from(length)).to_le_bytes());
        file.extend(b"\x02\0\x10\0UI");
        file.extend(length.to_le_bytes());
        file.extend(syntax.as_bytes());
        file.extend(bytes);
        are_plausible(&mut &file[..], true).unwrap()
    }

    #[test]
    fn a_meta_group_that_ends_elsewhere_is_told() {
        let file = |stated: u32| {
            let mut file = b"DICM\x02\0\0\0UL\x04\0".to_vec();
            file.extend(stated.to_le_bytes());
            file.extend(b"\x02\0\x10\0UI\x14\x001.2.840.10008.1.2.1\0\x08\0\x08\0CS\x02\0AB");
            are_plausible(&mut &file[..], true).unwrap()
        };
        assert!(file(28));
        assert!(!file(26) && !file(0) && !file(u32::MAX));
    }

    #[test]
    fn a_value_longer_than_its_file_is_told_in_every_encoding() {
        let (explicit, implicit) = (uids::EXPLICIT_VR_LITTLE_ENDIAN, uids::IMPLICIT_VR_LITTLE_ENDIAN);
        assert!(are(b"\x08\0\x08\0CS\x02\0AB\x28\0\x10\0US\x02\0\x01\0", explicit));
        assert!(!are(b"\x08\0\x08\0CS\x02\xffAB", explicit));
        assert!(!are(b"\x08\0\x08\0CS\x02\0AB\x09\0\x10\0OB\0\0\0\0\0\x80\x01\0", explicit));
        assert!(are(b"\x08\0\x08\0\x02\0\0\0AB", implicit) && !are(b"\x08\0\x08\0\x02\0\0\x10AB", implicit));
        assert!(are(b"\0\x08\0\x08CS\0\x02AB", BIG_ENDIAN) && !are(b"\0\x08\0\x08CS\x02\0AB", BIG_ENDIAN));
        // Inside a sequence, too.
        let item = b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff";
        assert!(!are(&[&item[..], b"\x09\0\x10\0OB\0\0\0\0\0\x80\x01\0"].concat(), explicit));
        // And inside one of unknown kind, in which the parser goes on in the same way.
        let unknown = b"\x09\0\x10\x10UN\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff";
        let ends = b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0";
        assert!(are(&[&unknown[..], b"\x08\0\x08\0CS\x02\0AB", ends].concat(), explicit));
        assert!(!are(&[&unknown[..], b"\x09\0\x10\0OB\0\0\0\0\0\x80\x01\0"].concat(), explicit));
        assert!(!are(&[&unknown[..], ends, b"\x08\0\x08\0CS\x02\xffAB"].concat(), explicit));
        // What is no value representation has 32 bits of length.
        assert!(!are(b"\x08\0\x08\0\0\0\0\0\0\0\0\x80\x01\0", explicit));
        // A value that is cut within a number.
        assert!(are(b"\x28\0\x10\0US\x04\0\x01\0\x01\0", explicit));
        assert!(!are(b"\x28\0\x10\0US\x03\0\x01\0\x01", explicit));
        // One whose second kind has numbers of two bytes.
        assert!(!are(b"\x28\0\x20\x01OB\0\0\x03\0\0\0abc", explicit));
        // A tag above that of the pixels is the end only outside of items, and those of pixels begin below it.
        let inner = b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\x0c\0\0\0";
        let (long, late) = (b"OB\0\0\0\0\0\x80\x01\0", |tag: &[u8]| [tag, b"OB\0\0\0\0\0\x80"].concat());
        assert!(!are(&[&inner[..], b"\xf0\x7f\x10\0", long].concat(), explicit));
        assert!(are(&late(b"\xf0\x7f\x10\0"), explicit) && !are(&late(b"\xe0\x7f\x01\0"), explicit));
        // Sequences of stated length, and in the implicit encoding, which tells them by their tag.
        let stated = b"\x08\0\x40\x11\x12\0\0\0\xfe\xff\0\xe0\x0a\0\0\0\x08\0\x08\0";
        assert!(are(&[&stated[..], b"\x02\0\0\0AB"].concat(), implicit));
        assert!(!are(&[&stated[..], b"\x02\0\0\x10AB"].concat(), implicit));
        // After the fragments of an icon, items are items again.
        let icon = b"\x88\0\0\x02SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff";
        let icon =
            [&icon[..], b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff\xfe\xff\xdd\xe0\0\0\0\0", ends].concat();
        assert!(are(&icon, explicit));
        assert!(!are(&[&icon[..], &inner[..], b"\x09\0\x10\0", long].concat(), explicit));
        // What is inside of a deflated file.
        let deflated = |bytes: &[u8]| {
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(bytes).unwrap();
            are(&encoder.finish().unwrap(), uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN)
        };
        assert!(deflated(b"\x08\0\x08\0CS\x02\0AB\x28\0\x10\0US\x02\0\x01\0"));
        assert!(!deflated(b"\x08\0\x08\0CS\x02\0AB\x09\0\x10\0OB\0\0\0\0\0\x80\x01\0"));
        // Pixels in an item are a sequence if they say so.
        let pixels = b"\xe0\x7f\x10\0SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\x0c\0\0\0\x09\0\x10\0";
        assert!(!are(&[&pixels[..], b"OB\0\0\0\0\0\x80\x01\0\x01\0"].concat(), explicit));
        let fragment = b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\x04\0\0\0";
        let end = b"\xfe\xff\xdd\xe0\0\0\0\0";
        assert!(are(&[&fragment[..], b"\x08\0\x08\0", end].concat(), explicit));
        assert!(!are(&[&fragment[..], b"\x08\0"].concat(), explicit));
        assert!(!are(b"\xe0\x7f\x10\0OW\0\0\0\0\0\x80\x01\0", explicit));
    }
}
