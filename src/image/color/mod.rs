//! Colour: the way from an image's own coding to the model's (sRGB) and back without loss.
//!
//! Matrix profiles (Adobe RGB, Display P3, ProPhoto and nearly all others in photographs) are converted here in
//! floating point with curves continued beyond 0 and 1: a general engine clips to the target's gamut, and what
//! is clipped cannot come back. Profiles with tables keep their values as coded: their inverse is not exact, and
//! the model does not mind.

mod chunks;
mod coding;
mod convert;
mod curve;
mod profile;

pub(in crate::image) use chunks::{Meaning, describe_code, grey_of_rgb, meaning_of_code, meaning_of_gamma};
pub(in crate::image) use coding::{Coding, HDR_PEAK};
use coding::{grey_curve, has_tables};
pub(in crate::image) use convert::{adobe_rgb_icc, from_cmyk, from_lab, srgb_icc, through_tables};
use curve::Curve;
