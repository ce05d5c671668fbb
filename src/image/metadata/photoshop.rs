//! Photoshop's image resources, as JPEG's APP13 and TIFF's tag 34377 hold them.

const SIGNATURE: &[u8] = b"8BIM";

/// Numbers of the resources that hold paths; the clipping path's name has one of its own.
const PATHS: std::ops::RangeInclusive<u16> = 2000..=2997;
const CLIPPING_PATH: u16 = 2999;

/// A resource.
pub(super) struct Resource<'a> {
    pub id: u16,
    pub data: &'a [u8],
    /// With its header.
    whole: &'a [u8],
}

/// The resources in `bytes`, up to the first that is incomplete.
pub(super) fn resources(mut bytes: &[u8]) -> impl Iterator<Item = Resource<'_>> {
    std::iter::from_fn(move || {
        let [b'8', b'B', b'I', b'M', high, low, name_length, rest @ ..] = bytes else { return None };
        // The name is padded to an even length, its length byte included.
        let rest = rest.get(usize::from(*name_length) | 1..)?;
        let size = u32::from_be_bytes(rest.get(..4)?.try_into().ok()?) as usize;
        let data = rest.get(4..4usize.checked_add(size)?)?;
        let end = bytes.len() - rest.len() + 4 + size;
        let whole = &bytes[..end];
        bytes = bytes.get(end + size % 2..).unwrap_or_default();
        Some(Resource { id: u16::from_be_bytes([*high, *low]), data, whole })
    })
}

/// One resource that holds `data`.
pub(super) fn resource(id: u16, data: &[u8]) -> Vec<u8> {
    let mut out = SIGNATURE.to_vec();
    out.extend(id.to_be_bytes());
    out.extend([0, 0]);
    out.extend((data.len() as u32).to_be_bytes());
    out.extend(data);
    out.extend(&[0][..data.len() % 2]);
    out
}

/// The resources in `bytes` that are paths; their coordinates are relative to the image's sides.
pub(in crate::image) fn paths(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for resource in resources(bytes).filter(|item| PATHS.contains(&item.id) || item.id == CLIPPING_PATH) {
        out.extend(resource.whole);
        out.extend(&[0][..resource.data.len() % 2]);
    }
    (!out.is_empty()).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_and_other_resources_left() {
        let path = [&b"8BIM\x07\xd0\x06Path 1\0\0\0\0\x1a"[..], &[7; 26]].concat();
        let name = b"8BIM\x0b\xb7\0\0\0\0\0\x07\x06Path 1".to_vec();
        let padded = [&name[..], &[0]].concat();
        let bytes = [resource(1005, b"abc"), path.clone(), resource(2998, b"x"), name].concat();
        assert_eq!(paths(&bytes), Some([path.clone(), padded].concat()));
        assert_eq!(paths(&bytes[..bytes.len() - 1]), Some(path));
        assert_eq!(paths(&resource(1028, b"records")), None);
    }
}
