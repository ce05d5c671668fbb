//! Profiles of our own making, as the standard and its strict readers want them.

use moxcms::{ColorProfile, Xyz, Xyzd, adaption_matrix_d};

/// The white of sRGB, Adobe RGB and Display P3, D65: x and y.
pub(super) const D65: [f64; 2] = [0.3127, 0.329];

/// ICC's own white, D50 (ICC.1:2022, 7.2.16).
const D50: [f64; 3] = [0.9642, 1.0, 0.8249];

/// Bytes of a table entry: signature, place and size of a tag.
const ENTRY: usize = 12;

/// Where the header has the time of creation: six numbers of two bytes, year to second (ICC.1:2022, 7.2.8).
const CREATED: usize = 24;

/// The first of January 2026.
const CREATION: [u8; 12] = [0x07, 0xea, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0];

/// Bytes before the table, its count included.
const HEAD: usize = 132;

/// The bytes of `profile` for images whose white is at `white` (x, y); always the same, whenever they are made.
///
/// moxcms writes another D50 into the header, the cone response instead of the adaptation, the time, and tags anywhere;
/// libpng refuses to write such a profile, and complains when it reads one.
pub(super) fn bytes(mut profile: ColorProfile, [x, y]: [f64; 2]) -> Option<Vec<u8>> {
    let [d50_x, d50_y, d50_z] = D50;
    let d50 = Xyzd { x: d50_x, y: d50_y, z: d50_z };
    let narrow = |x: f64, y: f64, z: f64| Xyz { x: x as f32, y: y as f32, z: z as f32 };
    let white = narrow(x / y, 1.0, (1.0 - x - y) / y);
    profile.chromatic_adaptation = Some(adaption_matrix_d(white, narrow(d50_x, d50_y, d50_z)));
    profile.white_point = d50;
    profile.media_white_point = Some(d50);
    profile.cicp = None;
    let mut icc = aligned(&profile.encode().ok()?)?;
    // moxcms always writes the present time.
    icc[CREATED..CREATED + CREATION.len()].copy_from_slice(&CREATION);
    Some(icc)
}

/// The profile with its tags on multiples of four bytes (ICC.1:2022, 7.1).
fn aligned(icc: &[u8]) -> Option<Vec<u8>> {
    let number = |at: usize| Some(u32::from_be_bytes(icc.get(at..at + 4)?.try_into().ok()?) as usize);
    let count = number(HEAD - 4)?;
    let mut out = icc.get(..HEAD + ENTRY * count)?.to_vec();
    for entry in (HEAD..HEAD + ENTRY * count).step_by(ENTRY) {
        let (at, size) = (number(entry + 4)?, number(entry + 8)?);
        let place = out.len() as u32;
        out[entry + 4..entry + 8].copy_from_slice(&place.to_be_bytes());
        out.extend_from_slice(icc.get(at..at.checked_add(size)?)?);
        out.resize(out.len().next_multiple_of(4), 0);
    }
    let size = out.len() as u32;
    out[..4].copy_from_slice(&size.to_be_bytes());
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::color::Coding;

    #[test]
    fn bytes_are_as_the_standard_wants_them() {
        for profile in [ColorProfile::new_srgb(), ColorProfile::new_gray_with_gamma(1.8)] {
            let icc = bytes(profile.clone(), D65).unwrap();
            assert_eq!(
                icc[24..36],
                [0x07, 0xea, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0],
                "the same whenever it is made"
            );
            assert_eq!(icc[68..80], [0, 0, 0xf6, 0xd6, 0, 1, 0, 0, 0, 0, 0xd3, 0x2d]);
            let number = |at: usize| u32::from_be_bytes(icc[at..at + 4].try_into().unwrap()) as usize;
            assert_eq!((number(0), icc.len() % 4), (icc.len(), 0));
            let mut end = HEAD + ENTRY * number(128);
            for entry in (HEAD..end).step_by(ENTRY) {
                assert_eq!(number(entry + 4), end);
                end = (end + number(entry + 8)).next_multiple_of(4);
                // From D65 to D50 (Lindbloom): what sRGB profiles have.
                if &icc[entry..entry + 4] == b"chad" {
                    let first = f64::from(number(number(entry + 4) + 8) as u32) / 65536.0;
                    assert!((first - 1.0479).abs() < 3e-4, "{first}");
                }
            }
            assert_eq!(end, icc.len());
            let channels = if profile.gray_trc.is_some() { 1 } else { 3 };
            let plain = profile.encode().unwrap();
            assert_eq!(Coding::from_icc(&icc, channels), Coding::from_icc(&plain, channels));
        }
    }
}
