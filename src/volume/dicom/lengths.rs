//! Lengths that a file cannot have: the library sets memory aside for a value before it reads it, up to 4 GiB.

use std::io::{self, Read};

use dicom_core::VR;
use dicom_dictionary_std::uids;

use super::content::BIG_ENDIAN;

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

/// Whether every value of a file of `size` bytes could lie in it; `file` begins with the magic number. It looks at
/// elements one after the other as the parser does, those of items too, up to the `pixels`, and those if asked. Whatever
/// else is odd is left to the parser.
///
/// # Errors
/// As the file cannot be read.
pub fn are_plausible(file: &mut dyn Read, size: u64, pixels: bool) -> io::Result<bool> {
    let mut at = 4;
    io::copy(&mut file.take(at), &mut io::sink())?;
    let (mut syntax, mut are_fragments) = (String::new(), false);
    // Where the file meta group ends, by its first element; the parser goes on from there.
    let mut meta_end = None;
    loop {
        let mut head = [0; 8];
        match file.read_exact(&mut head) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(true),
            read => read?,
        }
        at += 8;
        let [a, b, c, d, e, f, g, h] = head;
        // The file meta group is little-endian and explicit.
        let is_meta = [a, b] == [2, 0];
        if !is_meta && meta_end.take().is_some_and(|end| end + 8 != at) {
            return Ok(false);
        }
        let is_big = !is_meta && syntax == BIG_ENDIAN;
        let is_explicit = is_meta || syntax != uids::IMPLICIT_VR_LITTLE_ENDIAN;
        if !is_meta && syntax == uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN {
            return Ok(true);
        }
        let short =
            |bytes: [u8; 2]| if is_big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) };
        let long =
            |bytes: [u8; 4]| if is_big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) };
        let (group, is_item) = (short([a, b]), short([a, b]) == 0xfffe);
        // As for the parser, which takes what is no value representation for an unknown one.
        let vr = VR::from_binary([e, f]).unwrap_or(VR::UN);
        let length = if is_item || !is_explicit {
            long([e, f, g, h])
        } else if !SHORT.contains(&vr) {
            let mut bytes = [0; 4];
            if file.read_exact(&mut bytes).is_err() {
                return Ok(true);
            }
            at += 4;
            long(bytes)
        } else {
            u32::from(short([g, h]))
        };
        if group >= 0x7fe0 && !is_item && !pixels {
            return Ok(true);
        }
        // What is inside follows, but for the fragments of compressed pixels.
        if is_item && !are_fragments || length == UNDEFINED || is_explicit && vr == VR::SQ {
            are_fragments |= group == 0x7fe0;
            continue;
        }
        if u64::from(length) > size.saturating_sub(at) {
            return Ok(false);
        }
        if group >= 0x7fe0 && !is_item {
            return Ok(true);
        }
        let mut value = Vec::new();
        if [a, b, c, d] == [2, 0, 0x10, 0] && length <= 64 {
            file.take(length.into()).read_to_end(&mut value)?;
            syntax = String::from_utf8_lossy(&value).trim_matches(['\0', ' ']).to_owned();
        } else if [a, b, c, d] == [2, 0, 0, 0] && length == 4 {
            file.take(4).read_to_end(&mut value)?;
            let stated = value.try_into().map_or(0, u32::from_le_bytes);
            meta_end = Some(at + 4 + u64::from(stated));
        } else {
            io::copy(&mut file.take(length.into()), &mut io::sink())?;
        }
        at += u64::from(length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn are(bytes: &[u8], syntax: &str) -> bool {
        let mut file = b"DICM\x02\0\x10\0UI".to_vec();
        file.extend((syntax.len() as u16).to_le_bytes());
        file.extend(syntax.as_bytes());
        file.extend(bytes);
        are_plausible(&mut &file[..], file.len() as u64, true).unwrap()
    }

    #[test]
    fn a_meta_group_that_ends_elsewhere_is_told() {
        let file = |stated: u32| {
            let mut file = b"DICM\x02\0\0\0UL\x04\0".to_vec();
            file.extend(stated.to_le_bytes());
            file.extend(b"\x02\0\x10\0UI\x14\x001.2.840.10008.1.2.1\0\x08\0\x08\0CS\x02\0AB");
            are_plausible(&mut &file[..], file.len() as u64, true).unwrap()
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
        let fragment = b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\x04\0\0\0";
        let end = b"\xfe\xff\xdd\xe0\0\0\0\0";
        assert!(are(&[&fragment[..], b"\x08\0\x08\0", end].concat(), explicit));
        assert!(!are(&[&fragment[..], b"\x08\0"].concat(), explicit));
        assert!(!are(b"\xe0\x7f\x10\0OW\0\0\0\0\0\x80\x01\0", explicit));
    }
}
