//! IPTC-IIM records inside Photoshop's image resource blocks.

use super::photoshop;

const IPTC: u16 = 0x0404;

/// The IPTC records among the resources in `bytes`.
pub(in crate::image) fn from_resources(bytes: &[u8]) -> Option<Vec<u8>> {
    photoshop::resources(bytes).find(|resource| resource.id == IPTC).map(|resource| resource.data.to_vec())
}

/// One resource that holds `records`.
pub(in crate::image) fn to_resources(records: &[u8]) -> Vec<u8> {
    photoshop::resource(IPTC, records)
}

/// Data sets of record 2 that name places: content location, city, sublocation, province, country.
const PLACES: [u8; 7] = [26, 27, 90, 92, 95, 100, 101];

/// The records without those that name places (IPTC-IIM 4.2, chapter 1 about data sets); what is no data set goes.
pub(in crate::image) fn without_places(records: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(records.len());
    let mut rest = records;
    let next = |rest: &[u8]| {
        let [0x1c, record, set, high, low, ..] = *rest else { return None };
        let size = u16::from_be_bytes([high, low]);
        // The highest bit says that so many bytes hold the size.
        let (head, size) = match size & 0x7fff {
            _ if size < 0x8000 => (5, u32::from(size)),
            4 => (9, u32::from_be_bytes(rest.get(5..9)?.try_into().ok()?)),
            _ => return None,
        };
        let end = usize::try_from(size).ok()?.checked_add(head)?;
        (end <= rest.len()).then_some((end, record == 2 && PLACES.contains(&set)))
    };
    while let Some((end, place)) = next(rest) {
        if !place {
            out.extend_from_slice(&rest[..end]);
        }
        rest = &rest[end..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_go_and_the_rest_stays() {
        let records = b"\x1c\x01\x5a\0\x03\x1b%G\x1c\x02\x5a\0\x04Wien\x1c\x02\x19\0\x07harbour\
            \x1c\x02\x65\x80\x04\0\0\0\x07Austria\x1c\x02\x78\x80\x04\0\0\0\x01a";
        let kept = b"\x1c\x01\x5a\0\x03\x1b%G\x1c\x02\x19\0\x07harbour\x1c\x02\x78\x80\x04\0\0\0\x01a";
        assert_eq!(without_places(records), kept);
        assert_eq!(without_places(kept), kept);
        for end in 0..records.len() {
            assert!(kept.starts_with(&without_places(&records[..end])), "{end}");
        }
        assert_eq!(without_places(b"\x1c\x02\x19\xff\xff\x1c\x02\x19\x80\x04\xff\xff\xff\xff"), b"");
    }

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
