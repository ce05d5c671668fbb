//! How an image's values are coded, and the way to sRGB-coded values and back.

use moxcms::{ColorProfile, DataColorSpace, Matrix3d, ToneReprCurve};
use rayon::prelude::*;

use super::Curve;
use crate::image::Raster;

/// Peak above which an image counts as high dynamic range.
pub(in crate::image) const HDR_PEAK: f32 = 1.25;

/// Peak below which values without a profile are no photograph: the model would drown them.
const DARKEST_PEAK: f32 = 1.0 / 16.0;

/// How far beyond its range high-range light may go: a third of a stop, as a natural logarithm.
const OVERSHOOT: f32 = 0.23;

/// Where the logarithmic part of the high-range coding begins, in linear light.
const HDR_KNEE: f32 = 0.02;

/// The coding of an image's colour planes.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::image) enum Coding {
    /// sRGB, or something that is best left as it is (a profile with tables has no exact inverse).
    Kept,
    /// Grey with its own tone curve.
    Grey(Curve),
    /// Red, green and blue with tone curves and a matrix.
    Matrix {
        /// One curve per channel.
        curves: Box<[Curve; 3]>,
        /// Linear light to linear sRGB.
        forward: [[f32; 3]; 3],
        /// Linear sRGB to linear light.
        backward: [[f32; 3]; 3],
    },
    /// Light far above 1, coded on an arc hyperbolic sine up to the image's peak.
    HighRange {
        /// The darkest light, 0 or below, and the brightest.
        range: (f32, f32),
        /// One curve per channel to linear light, or one for all.
        curves: Box<[Curve]>,
    },
    /// Numbers of any unit, brought to 0..1.
    Scaled {
        /// What becomes 0.
        low: f32,
        /// What becomes 1.
        high: f32,
    },
}

impl Coding {
    /// The coding that an ICC profile describes for `channels` planes.
    ///
    /// `Err` tells in a sentence why the profile cannot be used.
    pub fn from_icc(icc: &[u8], channels: usize) -> Result<Self, String> {
        let profile =
            ColorProfile::new_from_slice(icc).map_err(|error| format!("it is damaged ({error})"))?;
        match (profile.color_space, channels) {
            (DataColorSpace::Gray, 1) => {
                let curve = profile.gray_trc.as_ref().and_then(Curve::new);
                Ok(curve.filter(|curve| !curve.is_srgb()).map_or(Self::Kept, Self::Grey))
            }
            (DataColorSpace::Rgb, 3) => Ok(Self::matrix(&profile).unwrap_or(Self::Kept)),
            // Not what the standards want, but common; grey needs the curve only.
            (DataColorSpace::Rgb, 1) => {
                let curve = grey_curve(&profile).and_then(Curve::new);
                Ok(curve.filter(|curve| !curve.is_srgb()).map_or(Self::Kept, Self::Grey))
            }
            (space, _) => Err(format!("it is for {space:?} and the image has {channels} colour channels")),
        }
    }

    fn matrix(profile: &ColorProfile) -> Option<Self> {
        if !profile.is_matrix_shaper() || has_tables(profile) {
            return None;
        }
        let curve = |trc: &Option<_>| trc.as_ref().and_then(Curve::new);
        let curves = [curve(&profile.red_trc)?, curve(&profile.green_trc)?, curve(&profile.blue_trc)?];
        let srgb = ColorProfile::new_srgb();
        let forward = profile.transform_matrix(&srgb);
        let backward = forward.inverse();
        let near_identity =
            (0..3).all(|i| (0..3).all(|j| (forward.v[i][j] - f64::from(u8::from(i == j))).abs() < 2e-3));
        if near_identity && curves.iter().all(Curve::is_srgb) {
            return None;
        }
        let narrow = |matrix: Matrix3d| matrix.v.map(|row| row.map(|value| value as f32));
        let (forward, backward) = (narrow(forward), narrow(backward));
        let finite = forward.iter().chain(&backward).flatten().all(|value| value.is_finite());
        finite.then(|| Self::Matrix { curves: Box::new(curves), forward, backward })
    }

    /// The coding of linear light between `low` and `peak`.
    pub fn linear((low, peak): (f32, f32)) -> Self {
        let linear = Curve::identity();
        if peak > HDR_PEAK {
            return Self::HighRange { range: (low.min(0.0), peak), curves: Box::new([linear]) };
        }
        let identity = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        Self::Matrix {
            curves: Box::new([linear.clone(), linear.clone(), linear]),
            forward: identity,
            backward: identity,
        }
    }

    /// The coding of floating-point values that go from `low` to `high`, where they leave the range of a photograph;
    /// `tagged` says that a profile gave this coding and the values a meaning.
    pub fn for_range(self, (low, high): (f32, f32), tagged: bool) -> Self {
        if tagged {
            let curves: Box<[Curve]> = match &self {
                _ if high <= HDR_PEAK => return self,
                Self::Kept => Box::new([Curve::srgb()]),
                Self::Grey(curve) => Box::new([curve.clone()]),
                Self::Matrix { curves, .. } => curves.clone(),
                Self::HighRange { .. } | Self::Scaled { .. } => return self,
            };
            let peak = curves.iter().map(|curve| curve.linear(high)).fold(0.0, f32::max);
            let least = curves.iter().map(|curve| curve.linear(low)).fold(0.0, f32::min);
            return Self::HighRange { range: (least, peak), curves };
        }
        let photograph = low >= 1.0 - HDR_PEAK && (DARKEST_PEAK..=HDR_PEAK).contains(&high);
        // All alike is black, or no division.
        let high = if high > low { high } else { low + 1.0 };
        if photograph || (low, high) == (0.0, 1.0) { self } else { Self::Scaled { low, high } }
    }

    /// Turns coded values into sRGB-coded ones in place; values outside the sRGB gamut leave 0..1 unclipped.
    pub fn to_srgb(&self, raster: &mut Raster) {
        let srgb = Curve::srgb();
        match self {
            Self::Kept => {}
            Self::Grey(curve) => each(raster, |value| srgb.code(curve.linear(value))),
            Self::HighRange { range, curves } => {
                let [low, high] = ends(*range);
                planes(raster, curves, |curve, value| {
                    ((curve.linear(value) / HDR_KNEE).asinh() - low) / (high - low)
                });
            }
            Self::Scaled { low, high } => each(raster, |value| (value - low) / (high - low)),
            Self::Matrix { curves, forward, .. } if raster.channels() == 3 => {
                pixels(raster, |pixel| {
                    let light = [0, 1, 2].map(|i| curves[i].linear(pixel[i]));
                    multiply(forward, light).map(|value| srgb.code(value))
                });
            }
            Self::Matrix { curves, .. } => each(raster, |value| srgb.code(curves[1].linear(value))),
        }
    }

    /// Undoes [`Self::to_srgb`].
    pub fn undo(&self, raster: &mut Raster) {
        let srgb = Curve::srgb();
        match self {
            Self::Kept => {}
            Self::Grey(curve) => each(raster, |value| curve.code(srgb.linear(value))),
            Self::HighRange { range, curves } => {
                let [low, high] = ends(*range);
                planes(raster, curves, |curve, value| {
                    // What leaves the range by a little would leave it, as light, by a lot.
                    let coded = (value * (high - low) + low).clamp(low - OVERSHOOT, high + OVERSHOOT);
                    curve.code(coded.sinh() * HDR_KNEE)
                });
            }
            Self::Scaled { low, high } => each(raster, |value| value * (high - low) + low),
            Self::Matrix { curves, backward, .. } if raster.channels() == 3 => {
                pixels(raster, |pixel| {
                    let light = multiply(backward, pixel.map(|value| srgb.linear(value)));
                    [0, 1, 2].map(|i| curves[i].code(light[i]))
                });
            }
            Self::Matrix { curves, .. } => each(raster, |value| curves[1].code(srgb.linear(value))),
        }
    }
}

/// The ends of a range of light on the arc hyperbolic sine.
fn ends((low, peak): (f32, f32)) -> [f32; 2] {
    [low, peak].map(|light| (light / HDR_KNEE).asinh())
}

/// Whether a profile describes colours by tables, which no matrix stands for.
pub(super) fn has_tables(profile: &ColorProfile) -> bool {
    profile.lut_a_to_b_perceptual.is_some() || profile.lut_a_to_b_colorimetric.is_some()
}

/// The tone curve of grey in a profile of red, green and blue: the one that they share.
pub(super) fn grey_curve(profile: &ColorProfile) -> Option<&ToneReprCurve> {
    profile.green_trc.as_ref().filter(|_| !has_tables(profile))
}

fn multiply(matrix: &[[f32; 3]; 3], v: [f32; 3]) -> [f32; 3] {
    [0, 1, 2].map(|i| matrix[i][0] * v[0] + matrix[i][1] * v[1] + matrix[i][2] * v[2])
}

/// Samples of one parallel task.
const BLOCK: usize = 1 << 14;

fn each(raster: &mut Raster, map: impl Fn(f32) -> f32 + Sync) {
    blocks(raster.data_mut(), map);
}

/// Each plane with its curve, the last one for those beyond.
fn planes(raster: &mut Raster, curves: &[Curve], map: impl Fn(&Curve, f32) -> f32 + Sync) {
    for channel in 0..raster.channels() {
        if let Some(curve) = curves.get(channel).or(curves.last()) {
            blocks(raster.plane_mut(channel), |value| map(curve, value));
        }
    }
}

fn blocks(values: &mut [f32], map: impl Fn(f32) -> f32 + Sync) {
    values.par_chunks_mut(BLOCK).for_each(|part| part.iter_mut().for_each(|value| *value = map(*value)));
}

fn pixels(raster: &mut Raster, map: impl Fn([f32; 3]) -> [f32; 3] + Sync) {
    let size = raster.height() * raster.width();
    let (red, rest) = raster.data_mut().split_at_mut(size);
    let (green, blue) = rest.split_at_mut(size);
    let parts = red.par_chunks_mut(BLOCK).zip(green.par_chunks_mut(BLOCK)).zip(blue.par_chunks_mut(BLOCK));
    parts.for_each(|((red, green), blue)| {
        for ((r, g), b) in red.iter_mut().zip(green).zip(blue) {
            [*r, *g, *b] = map([*r, *g, *b]);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colors() -> Raster {
        let steps = [0.0, 0.02, 0.2, 0.5, 0.9, 1.0];
        let mut planes = [Vec::new(), Vec::new(), Vec::new()];
        for r in steps {
            for g in steps {
                for b in steps {
                    planes[0].push(r);
                    planes[1].push(g);
                    planes[2].push(b);
                }
            }
        }
        Raster::from_vec(3, 6, 36, planes.concat())
    }

    fn worst(a: &Raster, b: &Raster) -> f32 {
        a.data().iter().zip(b.data()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn wide_gamuts_come_back_and_are_not_clipped() {
        let profiles = [
            ColorProfile::new_adobe_rgb(),
            ColorProfile::new_display_p3(),
            ColorProfile::new_pro_photo_rgb(),
            ColorProfile::new_bt2020(),
        ];
        for profile in profiles {
            let icc = profile.encode().unwrap();
            let coding = Coding::from_icc(&icc, 3).unwrap();
            assert!(matches!(coding, Coding::Matrix { .. }));
            let source = colors();
            let mut raster = source.clone();
            coding.to_srgb(&mut raster);
            let lowest = raster.data().iter().copied().fold(f32::MAX, f32::min);
            assert!(lowest < -0.1, "pure green is outside sRGB: {lowest}");
            coding.undo(&mut raster);
            // Pure powers are steep at black: a ten-millionth of light is a tenth of an 8-bit level there.
            assert!(worst(&source, &raster) < 0.25 / 255.0, "{}", worst(&source, &raster));
        }
    }

    #[test]
    fn display_p3_red_has_its_known_place() {
        let coding = Coding::from_icc(&ColorProfile::new_display_p3().encode().unwrap(), 3).unwrap();
        let mut red = Raster::from_vec(3, 1, 1, vec![1.0, 0.0, 0.0]);
        coding.to_srgb(&mut red);
        // CSS Color 4: color(display-p3 1 0 0) is about color(srgb 1.093 -0.227 -0.150).
        for (value, expected) in red.data().iter().zip([1.093, -0.2267, -0.1501]) {
            assert!((value - expected).abs() < 2e-3, "{:?}", red.data());
        }
    }

    #[test]
    fn srgb_is_left_bit_for_bit() {
        let coding = Coding::from_icc(&ColorProfile::new_srgb().encode().unwrap(), 3).unwrap();
        assert_eq!(coding, Coding::Kept);
    }

    #[test]
    fn profiles_that_do_not_fit_are_refused() {
        assert!(Coding::from_icc(b"not a profile", 3).unwrap_err().starts_with("it is damaged"));
        let grey = ColorProfile::new_gray_with_gamma(1.8).encode().unwrap();
        assert!(matches!(Coding::from_icc(&grey, 1), Ok(Coding::Grey(_))));
        assert!(Coding::from_icc(&grey, 3).unwrap_err().contains("3 colour channels"));
        let adobe = ColorProfile::new_adobe_rgb().encode().unwrap();
        assert!(matches!(Coding::from_icc(&adobe, 1), Ok(Coding::Grey(_))));
    }

    #[test]
    fn floating_point_values_of_any_range_fit_the_unit_interval_and_come_back() {
        let adobe = Coding::from_icc(&ColorProfile::new_adobe_rgb().encode().unwrap(), 3).unwrap();
        let grey = Coding::Grey(Curve::identity());
        for (coding, tagged, range, same) in [
            (Coding::Kept, false, (0.0, 1.0), true),
            (Coding::Kept, false, (-0.1, 1.2), true),
            (Coding::Kept, false, (0.0, 0.0), true),
            (Coding::Kept, false, (1e5, 1e5 + 1.0), false),
            (Coding::Kept, false, (1000.0, 1000.0), false),
            (Coding::Kept, false, (0.0, 4095.0), false),
            (Coding::Kept, false, (0.0, 1e-5), false),
            (Coding::Kept, false, (-1000.0, 3000.0), false),
            (Coding::Kept, false, (-2.0, -1.0), false),
            (Coding::Kept, true, (0.0, 20.0), false),
            (adobe.clone(), true, (0.0, 1e-5), true),
            (adobe, true, (-0.2, 20.0), false),
            (grey, true, (0.0, 50.0), false),
        ] {
            let (low, high) = range;
            let found = coding.clone().for_range(range, tagged);
            assert_eq!(found == coding, same, "{coding:?} {range:?}");
            if same {
                continue;
            }
            let span = (high - low).max(1e-3);
            let values: Vec<f32> = (0..36).map(|i| low + (high - low) * (i % 12) as f32 / 11.0).collect();
            let source = Raster::from_vec(3, 3, 4, values);
            let mut raster = source.clone();
            found.to_srgb(&mut raster);
            assert!(raster.data().iter().all(|value| (-1e-5..=1.0 + 1e-5).contains(value)), "{raster:?}");
            found.undo(&mut raster);
            assert!(
                worst(&source, &raster) <= 1e-4 * span.max(high * 1e-2),
                "{found:?} {}",
                worst(&source, &raster)
            );
        }
    }

    #[test]
    fn high_range_fits_the_unit_interval_and_comes_back() {
        let values = vec![0.0, 0.001, 0.18, 1.0, 7.5, 900.0, -0.01];
        let mut raster = Raster::from_vec(1, 1, 7, values.clone());
        let coding = Coding::linear((-0.01, 900.0));
        coding.to_srgb(&mut raster);
        assert!(raster.data().iter().all(|value| (-1e-6..=1.0 + 1e-6).contains(value)));
        coding.undo(&mut raster);
        for (value, expected) in raster.data().iter().zip(values) {
            assert!((value - expected).abs() <= 1e-5 + expected.abs() * 1e-4);
        }
        let mut beyond = Raster::from_vec(1, 1, 2, vec![-0.5, 1.5]);
        coding.undo(&mut beyond);
        assert!(beyond.data()[0] > -0.03 && beyond.data()[1] < 1.5 * 900.0, "{beyond:?}");
    }
}
