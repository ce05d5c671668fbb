//! IPTC-IIM records inside Photoshop's image resource blocks.

const SIGNATURE: &[u8] = b"8BIM";
const IPTC: u16 = 0x0404;

/// The IPTC records among the resources in `bytes`.
pub(in crate::image) fn from_resources(mut bytes: &[u8]) -> Option<Vec<u8>> {
    while let [b'8', b'B', b'I', b'M', high, low, name_length, rest @ ..] = bytes {
        // The name is padded to an even length, its length byte included.
        let name = usize::from(*name_length) | 1;
        let rest = rest.get(name..)?;
        let size = u32::from_be_bytes(rest.get(..4)?.try_into().ok()?) as usize;
        let data = rest.get(4..4usize.checked_add(size)?)?;
        if u16::from_be_bytes([*high, *low]) == IPTC {
            return Some(data.to_vec());
        }
        bytes = rest.get(4 + size + size % 2..)?;
    }
    None
}

/// One resource that holds `records`.
pub(in crate::image) fn to_resources(records: &[u8]) -> Vec<u8> {
    let mut out = SIGNATURE.to_vec();
    out.extend(IPTC.to_be_bytes());
    out.extend([0, 0]);
    out.extend((records.len() as u32).to_be_bytes());
    out.extend(records);
    if records.len() % 2 == 1 {
        out.push(0);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_found_behind_other_resources() {
        let mut bytes = b"8BIM\x03\xed\x03abc\0\0\0\x03xyz\0".to_vec();
        bytes.extend(to_resources(b"records"));
        assert_eq!(from_resources(&bytes).unwrap(), b"records");
        for end in 0..bytes.len() - 1 {
            assert_eq!(from_resources(&bytes[..end]), None);
        }
    }
}
