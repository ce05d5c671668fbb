//! From inks and Lab to RGB, through profiles.
//!
//! moxcms does it: pure Rust, already below the crate image, and on a photograph with the FOGRA27
//! profile its mean distance from LittleCMS is below a tenth of a delta E.

use moxcms::{ColorProfile, DataColorSpace, Layout, RenderingIntent, TransformOptions};
use rayon::prelude::*;

use super::Curve;
use super::profile::{self, D65};
use crate::image::Raster;

/// Bytes of the sRGB profile that converted images carry.
pub(in crate::image) fn srgb_icc() -> Option<Vec<u8>> {
    profile::bytes(ColorProfile::new_srgb(), D65)
}

/// Bytes of an Adobe RGB (1998) profile.
pub(in crate::image) fn adobe_rgb_icc() -> Option<Vec<u8>> {
    profile::bytes(ColorProfile::new_adobe_rgb(), D65)
}

/// sRGB-coded planes of interleaved ink amounts (cyan, magenta, yellow, black; 0 no ink, 1 full), and a note.
pub(in crate::image) fn from_cmyk(
    inks: &[f32],
    height: usize,
    width: usize,
    icc: Option<&[u8]>,
) -> (Raster, String) {
    if let Some(icc) = icc
        && let Some(raster) = through_profile(inks, height, width, icc)
    {
        return (raster, "CMYK is converted to sRGB through its profile".into());
    }
    let mut raster = Raster::new(3, height, width);
    for channel in 0..3 {
        for (value, ink) in raster.plane_mut(channel).iter_mut().zip(inks.chunks_exact(4)) {
            *value = (1.0 - ink[channel]) * (1.0 - ink[3]);
        }
    }
    let why = if icc.is_some() { "its profile cannot be used" } else { "it has no profile" };
    (raster, format!("CMYK is converted to sRGB approximately, without a profile: {why}"))
}

/// Turns values coded by a profile with tables into sRGB-coded ones in place, clipped to its gamut; `false` if the
/// profile has none or cannot be used.
pub(in crate::image) fn through_tables(raster: &mut Raster, icc: &[u8]) -> bool {
    let Ok(profile) = ColorProfile::new_from_slice(icc) else { return false };
    if raster.channels() != 3 || profile.color_space != DataColorSpace::Rgb || !super::has_tables(&profile) {
        return false;
    }
    let (height, width) = (raster.height(), raster.width());
    let pixels: Vec<f32> = (0..height * width)
        .flat_map(|i| [0, 1, 2].map(|channel| raster.plane(channel)[i].clamp(0.0, 1.0)))
        .collect();
    let Some(converted) = transform(&pixels, (3, Layout::Rgb), (height, width), &profile) else {
        return false;
    };
    *raster = converted;
    true
}

fn through_profile(inks: &[f32], height: usize, width: usize, icc: &[u8]) -> Option<Raster> {
    let profile = ColorProfile::new_from_slice(icc).ok()?;
    if profile.color_space != DataColorSpace::Cmyk {
        return None;
    }
    // Four inks share their layout with red, green, blue and alpha.
    transform(inks, (4, Layout::Rgba), (height, width), &profile)
}

/// sRGB-coded planes of interleaved values, relative colorimetric where the profile has tables for several intents.
fn transform(
    values: &[f32],
    (channels, layout): (usize, Layout),
    (height, width): (usize, usize),
    profile: &ColorProfile,
) -> Option<Raster> {
    // A profile with one table only has it as the perceptual one, and means it for all intents (ICC.1:2022, 9.1).
    let rendering_intent = match &profile.lut_a_to_b_colorimetric {
        None if profile.lut_a_to_b_perceptual.is_some() => RenderingIntent::Perceptual,
        _ => RenderingIntent::RelativeColorimetric,
    };
    let options = TransformOptions { rendering_intent, ..Default::default() };
    let srgb = ColorProfile::new_srgb();
    let transform = profile.create_transform_f32(layout, &srgb, Layout::Rgb, options).ok()?;
    let mut pixels = vec![0.0f32; height * width * 3];
    let done = values
        .par_chunks(width * channels)
        .zip(pixels.par_chunks_mut(width * 3))
        .all(|(row, out)| transform.transform(row, out).is_ok());
    done.then(|| crate::image::interleave::split(&pixels, 3, height, width).0)
}

/// sRGB-coded planes of CIE L*a*b* (D50; L 0..100) triples, out-of-gamut values unclipped.
pub(in crate::image) fn from_lab(lab: &[[f32; 3]], height: usize, width: usize) -> Raster {
    let inverse = ColorProfile::new_srgb().rgb_to_xyz_matrix().inverse().v;
    let srgb = Curve::srgb();
    let mut raster = Raster::new(3, height, width);
    for (i, &[l, a, b]) in lab.iter().enumerate() {
        let fy = (l + 16.0) / 116.0;
        let f = [fy + a / 500.0, fy, fy - b / 200.0];
        // D50 white (ICC.1:2022, 7.2.16).
        let white = [0.9642, 1.0, 0.8249];
        let xyz = [0, 1, 2].map(|k| {
            let value = if f[k] > 6.0 / 29.0 { f[k].powi(3) } else { (f[k] - 16.0 / 116.0) * 108.0 / 841.0 };
            f64::from(value * white[k])
        });
        for (channel, row) in inverse.iter().enumerate() {
            let light = row[0] * xyz[0] + row[1] * xyz[1] + row[2] * xyz[2];
            raster.plane_mut(channel)[i] = srgb.code(light as f32);
        }
    }
    raster
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lab_has_its_known_places() {
        // D50 values of white, sRGB red and sRGB blue (ICC sRGB profile).
        let lab = [[100.0, 0.0, 0.0], [54.29, 80.80, 69.89], [29.57, 68.30, -112.03]];
        let raster = from_lab(&lab, 1, 3);
        let expected = [[1.0, 1.0, 0.0], [1.0, 0.0, 0.0], [1.0, 0.0, 1.0]];
        for (channel, row) in expected.iter().enumerate() {
            for (value, expected) in raster.plane(channel).iter().zip(row) {
                assert!((value - expected).abs() < 0.02, "{raster:?}");
            }
        }
    }

    #[test]
    fn inks_without_a_profile_follow_the_rule_of_thumb() {
        let inks = [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.2, 0.4, 0.6, 0.5];
        let (raster, note) = from_cmyk(&inks, 1, 3, None);
        assert_eq!(raster.plane(0), [1.0, 0.0, 0.4]);
        assert!(note.ends_with("it has no profile"));
        let (_, note) = from_cmyk(&inks, 1, 3, Some(b"rubbish"));
        assert!(note.ends_with("its profile cannot be used"));
    }
}
