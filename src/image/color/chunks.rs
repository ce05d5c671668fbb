//! Profiles that stand for PNG's colour chunks, and for code points (ITU-T H.273) as its `cICP` and AVIF's `nclx` have
//! them.

use moxcms::{
    Chromaticity, ColorPrimaries, ColorProfile, LocalizableString, ProfileText, ToneReprCurve,
    TransferCharacteristics, XyY, curve_from_gamma,
};

use super::Curve;
use super::profile::{self, D65};
use crate::image::metadata::png::ColorChunks;

/// Illuminant C: x and y.
const WHITE_C: [f64; 2] = [0.31, 0.316];

/// The white of cinemas.
const WHITE_DCI: [f64; 2] = [0.314, 0.351];

/// Red, green and blue of sRGB, each x and y.
const SRGB: [[f64; 2]; 3] = [[0.64, 0.33], [0.3, 0.6], [0.15, 0.06]];

/// What colour chunks or code points mean.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::image) enum Meaning {
    /// sRGB (grey: its tone curve), or nothing.
    Srgb,
    /// What this ICC profile describes.
    Profile(Vec<u8>),
    /// Something that no profile of matrix and curves describes: high dynamic range, narrow range, unknown numbers.
    Other,
}

/// What `cICP`'s bytes mean: primaries, transfer, matrix (0 in PNG), full range.
pub(in crate::image) fn meaning_of_code(cicp: [u8; 4], grey: bool) -> Meaning {
    let [primaries, transfer, 0, 1] = cicp else { return Meaning::Other };
    let Some((curve, srgb_curve)) = curve_of(transfer) else { return Meaning::Other };
    let name = describe_code(cicp);
    let profile = if grey {
        if srgb_curve {
            return Meaning::Srgb;
        }
        grey_profile(curve, &name)
    } else {
        if (primaries, srgb_curve) == (1, true) {
            return Meaning::Srgb;
        }
        let Some((white, points)) = primaries_of(primaries) else { return Meaning::Other };
        let name = if (primaries, srgb_curve) == (12, true) { "Display P3" } else { &name };
        matrix_profile(white, points, curve, name)
    };
    profile.map_or(Meaning::Other, Meaning::Profile)
}

/// What `sRGB`, `gAMA` and `cHRM` mean.
pub(in crate::image) fn meaning_of_gamma(chunks: &ColorChunks) -> Meaning {
    let Some(gamma) = chunks.gamma.filter(|gamma| !chunks.srgb && (0.1..=2.0).contains(gamma)) else {
        return Meaning::Srgb;
    };
    // The gamma that stands for sRGB.
    let usual_gamma = (gamma - 0.45455).abs() < 0.002;
    let curve = curve_from_gamma(1.0 / gamma as f32);
    let profile = if chunks.grey {
        if usual_gamma {
            return Meaning::Srgb;
        }
        grey_profile(curve, &format!("PNG gAMA {gamma}"))
    } else {
        let [red, green, blue] = SRGB;
        let srgb = [D65, red, green, blue];
        let points = chunks.chromaticities.unwrap_or(srgb);
        let near = |(a, b): (&f64, &f64)| (a - b).abs() < 0.002;
        let usual_points = points.iter().flatten().zip(srgb.iter().flatten()).all(near);
        if usual_gamma && usual_points || points.iter().any(|point| point[1] < 1e-3) {
            return Meaning::Srgb;
        }
        let [white, red, green, blue] = points;
        let space = if usual_points { "sRGB primaries" } else { "primaries of cHRM" };
        matrix_profile(white, [red, green, blue], curve, &format!("PNG gAMA {gamma}, {space}"))
    };
    profile.map_or(Meaning::Srgb, Meaning::Profile)
}

/// `cICP`'s bytes in words.
pub(in crate::image) fn describe_code([primaries, transfer, matrix, full]: [u8; 4]) -> String {
    let space = match primaries {
        1 => "BT.709".into(),
        4 => "BT.470 M".into(),
        5 => "BT.470 BG".into(),
        6 | 7 => "BT.601".into(),
        8 => "film".into(),
        9 => "BT.2020".into(),
        10 => "XYZ".into(),
        11 => "DCI P3".into(),
        12 => "P3".into(),
        22 => "EBU 3213".into(),
        other => format!("unknown ({other})"),
    };
    let curve = match transfer {
        1 | 6 | 14 | 15 => "BT.709".into(),
        4 => "gamma 2.2".into(),
        5 => "gamma 2.8".into(),
        7 => "SMPTE 240".into(),
        8 => "linear".into(),
        9 | 10 => "logarithmic".into(),
        13 => "sRGB".into(),
        16 => "PQ".into(),
        17 => "SMPTE 428".into(),
        18 => "HLG".into(),
        other => format!("unknown ({other})"),
    };
    let range = if full == 1 { "" } else { ", narrow range" };
    let matrix = if matrix == 0 { String::new() } else { format!(", matrix {matrix}") };
    format!("{space} primaries, {curve} transfer{range}{matrix}")
}

/// A profile of grey with the tone curve of `icc`, a profile of red, green and blue, for an image of one channel: `None`
/// for that of sRGB, which grey without a profile has.
///
/// # Errors
/// Where the profile has tables instead.
pub(in crate::image) fn grey_of_rgb(icc: &[u8]) -> Result<Option<Vec<u8>>, ()> {
    let profile = ColorProfile::new_from_slice(icc).map_err(drop)?;
    let trc = super::grey_curve(&profile).ok_or(())?;
    let curve = Curve::new(trc).ok_or(())?;
    if curve.is_srgb() {
        return Ok(None);
    }
    grey_profile(trc.clone(), "grey with the tone curve of an RGB profile").map(Some).ok_or(())
}

/// White and primaries; `None` where they are unknown or no colours.
fn primaries_of(number: u8) -> Option<([f64; 2], [[f64; 2]; 3])> {
    Some(match number {
        1 => (D65, SRGB),
        4 => (WHITE_C, [[0.67, 0.33], [0.21, 0.71], [0.14, 0.08]]),
        5 => (D65, [[0.64, 0.33], [0.29, 0.6], [0.15, 0.06]]),
        6 | 7 => (D65, [[0.63, 0.34], [0.31, 0.595], [0.155, 0.07]]),
        8 => (WHITE_C, [[0.681, 0.319], [0.243, 0.692], [0.145, 0.049]]),
        9 => (D65, [[0.708, 0.292], [0.17, 0.797], [0.131, 0.046]]),
        11 => (WHITE_DCI, [[0.68, 0.32], [0.265, 0.69], [0.15, 0.06]]),
        12 => (D65, [[0.68, 0.32], [0.265, 0.69], [0.15, 0.06]]),
        22 => (D65, [[0.63, 0.34], [0.295, 0.605], [0.155, 0.077]]),
        _ => return None,
    })
}

/// The tone curve, and whether it is sRGB's; `None` for those of high dynamic range, and without an exact inverse.
fn curve_of(transfer: u8) -> Option<(ToneReprCurve, bool)> {
    let known = matches!(transfer, 1 | 4 | 5 | 6 | 8 | 13 | 14 | 15);
    let number = TransferCharacteristics::try_from(transfer).ok().filter(|_| known)?;
    Some((ToneReprCurve::try_from(number).ok()?, transfer == 13))
}

fn grey_profile(curve: ToneReprCurve, name: &str) -> Option<Vec<u8>> {
    let mut profile = ColorProfile::new_gray_with_gamma(1.0);
    profile.gray_trc = Some(curve);
    profile.description = Some(text(name));
    profile.copyright = Some(text("Public Domain"));
    profile::bytes(profile, D65)
}

fn matrix_profile(
    white: [f64; 2],
    points: [[f64; 2]; 3],
    curve: ToneReprCurve,
    name: &str,
) -> Option<Vec<u8>> {
    let mut profile = ColorProfile::new_srgb();
    let [red, green, blue] = points.map(|[x, y]| Chromaticity::new(x as f32, y as f32));
    let narrow = |value: f64| f64::from(value as f32);
    let [x, y] = white.map(narrow);
    profile.update_rgb_colorimetry(XyY { x, y, yb: 1.0 }, ColorPrimaries { red, green, blue });
    profile.red_trc = Some(curve.clone());
    profile.green_trc = Some(curve.clone());
    profile.blue_trc = Some(curve);
    profile.description = Some(text(name));
    profile::bytes(profile, white)
}

fn text(text: &str) -> ProfileText {
    ProfileText::Localizable(vec![LocalizableString::new("en".into(), "US".into(), text.into())])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Raster;
    use crate::image::color::Coding;

    #[track_caller]
    fn profile(meaning: Meaning) -> Vec<u8> {
        let Meaning::Profile(icc) = meaning else { panic!("{meaning:?}") };
        icc
    }

    /// Whether a profile's text has `name`, which it stores in 16 bits a character.
    fn is_named(icc: &[u8], name: &str) -> bool {
        let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_be_bytes).collect();
        icc.windows(name.len()).any(|part| part == name)
    }

    #[test]
    fn chunks_become_a_profile_only_when_they_differ_from_srgb() {
        let usual = ColorChunks { gamma: Some(0.45455), ..ColorChunks::default() };
        assert_eq!(meaning_of_gamma(&usual), Meaning::Srgb);
        let said = ColorChunks { srgb: true, gamma: Some(1.0), ..usual.clone() };
        assert_eq!(meaning_of_gamma(&said), Meaning::Srgb);
        let linear = ColorChunks { gamma: Some(1.0), ..usual.clone() };
        let grey = profile(meaning_of_gamma(&ColorChunks { grey: true, ..linear.clone() }));
        assert_eq!(&grey[16..20], b"GRAY");
        assert!(is_named(&grey, "PNG gAMA 1"));
        let mut middle = Raster::from_vec(1, 1, 1, vec![0.5]);
        Coding::from_icc(&grey, 1).unwrap().to_srgb(&mut middle);
        assert!((middle.data()[0] - 0.7354).abs() < 1e-3, "{middle:?}");
        let rgb = profile(meaning_of_gamma(&linear));
        assert!(is_named(&rgb, "PNG gAMA 1, sRGB primaries") && !is_named(&rgb, "sRGB IEC61966-2.1"));
        let adobe = ColorChunks {
            chromaticities: Some([[0.3127, 0.329], [0.64, 0.33], [0.21, 0.71], [0.15, 0.06]]),
            ..usual
        };
        let icc = profile(meaning_of_gamma(&adobe));
        assert!(is_named(&icc, "PNG gAMA 0.45455, primaries of cHRM"));
        let (found, expected) = (ColorProfile::new_from_slice(&icc).unwrap(), ColorProfile::new_adobe_rgb());
        assert!((found.green_colorant.x - expected.green_colorant.x).abs() < 2e-3);
        assert!((found.green_colorant.y - expected.green_colorant.y).abs() < 2e-3);
    }

    #[test]
    fn code_points_become_a_profile_where_one_describes_them() {
        for (cicp, name, expected) in [
            ([12, 13, 0, 1], "Display P3", ColorProfile::new_display_p3()),
            ([9, 13, 0, 1], "BT.2020 primaries, sRGB transfer", ColorProfile::new_bt2020()),
            ([9, 14, 0, 1], "BT.2020 primaries, BT.709 transfer", ColorProfile::new_bt2020()),
            ([12, 8, 0, 1], "P3 primaries, linear transfer", ColorProfile::new_display_p3()),
        ] {
            let icc = profile(meaning_of_code(cicp, false));
            assert!(is_named(&icc, name), "{name}");
            let found = ColorProfile::new_from_slice(&icc).unwrap();
            assert!((found.red_colorant.x - expected.red_colorant.x).abs() < 2e-3, "{name}");
            assert!(matches!(Coding::from_icc(&icc, 3), Ok(Coding::Matrix { .. })), "{name}");
        }
        // Grey has a curve and no primaries.
        assert_eq!(meaning_of_code([12, 13, 0, 1], true), Meaning::Srgb);
        assert_eq!(&profile(meaning_of_code([9, 8, 0, 1], true))[16..20], b"GRAY");
        assert_eq!(meaning_of_code([1, 13, 0, 1], false), Meaning::Srgb);
        for other in [[9, 16, 0, 1], [9, 18, 0, 1], [12, 16, 0, 1], [9, 1, 0, 0], [2, 2, 0, 1], [9, 13, 9, 1]]
        {
            for grey in [false, true] {
                assert_eq!(meaning_of_code(other, grey), Meaning::Other, "{other:?}");
            }
        }
        assert_eq!(describe_code([9, 16, 0, 1]), "BT.2020 primaries, PQ transfer");
    }

    #[test]
    fn grey_takes_the_tone_curve_of_an_rgb_profile() {
        assert_eq!(grey_of_rgb(&ColorProfile::new_srgb().encode().unwrap()), Ok(None));
        let grey = grey_of_rgb(&ColorProfile::new_adobe_rgb().encode().unwrap()).unwrap().unwrap();
        assert_eq!(&grey[16..20], b"GRAY");
        let Ok(Coding::Grey(curve)) = Coding::from_icc(&grey, 1) else { panic!() };
        assert!((curve.linear(0.5) - 0.5f32.powf(2.199_218_8)).abs() < 1e-4);
    }
}
