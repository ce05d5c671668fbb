//! What is DICOM, told by the first bytes of a file.

use dicom_dictionary_std::uids;

/// Explicit VR Big Endian, which is retired.
pub const BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";

/// Bytes that have to be read to tell.
pub const TOLD_BY: usize = 144;

/// How a DICOM file begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With 128 bytes of anything, then the magic number (PS3.10, 7.1).
    Preamble,
    /// With the magic number.
    Magic,
    /// With the file meta group.
    Meta,
    /// With the data set, in this transfer syntax.
    Bare(&'static str),
}

/// How a file that begins with these bytes begins, if it is DICOM.
pub fn start(bytes: &[u8]) -> Option<Start> {
    if bytes.get(128..132) == Some(b"DICM") {
        return Some(Start::Preamble);
    }
    if bytes.starts_with(b"DICM") {
        return Some(Start::Magic);
    }
    let &[a, b, c, d, e, f, g, h] = bytes.first_chunk::<8>()?;
    let is_vr = e.is_ascii_uppercase() && f.is_ascii_uppercase();
    match [a, b] {
        // The group length comes first.
        [2, 0] if [c, d] == [0, 0] && [e, f] == *b"UL" => Some(Start::Meta),
        // Group 8, the first of every data set, with an element and a length that are plausible.
        [8, 0] if is_vr && d == 0 => Some(Start::Bare(uids::EXPLICIT_VR_LITTLE_ENDIAN)),
        [0, 8] if is_vr && c == 0 => Some(Start::Bare(BIG_ENDIAN)),
        [8, 0] if d == 0 && [g, h] == [0, 0] && f == 0 && e % 2 == 0 && c < 0x20 => {
            Some(Start::Bare(uids::IMPLICIT_VR_LITTLE_ENDIAN))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dicom_is_known_with_and_without_preamble_and_meta_group() {
        let preamble = [vec![0; 128], b"DICM\x02\0\0\0UL".to_vec()].concat();
        assert_eq!(start(&preamble), Some(Start::Preamble));
        assert_eq!(start(b"DICM\x02\0\0\0"), Some(Start::Magic));
        assert_eq!(start(b"\x02\0\0\0UL\x04\0"), Some(Start::Meta));
        let bare = |bytes: &[u8]| match start(bytes) {
            Some(Start::Bare(syntax)) => syntax,
            other => panic!("{other:?}"),
        };
        assert_eq!(bare(b"\x08\0\x05\0CS\x0a\0ISO_IR"), uids::EXPLICIT_VR_LITTLE_ENDIAN);
        assert_eq!(bare(b"\0\x08\0\x05CS\0\x0aISO_IR"), BIG_ENDIAN);
        assert_eq!(bare(b"\x08\0\x05\0\x0a\0\0\0ISO_IR"), uids::IMPLICIT_VR_LITTLE_ENDIAN);
        for other in [&b"\x89PNG\r\n\x1a\n"[..], b"II*\0\x08\0\0\0", b"\x5c\x01\0\0\0\0\0\0", b"", b"DIC"] {
            assert_eq!(start(other), None);
        }
    }
}
