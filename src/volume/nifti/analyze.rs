//! Analyze 7.5, as nibabel and SPM read it.

use super::field;
use super::header::Header;

/// Where SPM keeps the origin, counted from 1: 5 integers of 16 bits.
const ORIGINATOR: usize = 253;

/// The code of a place that is aligned to something, as nibabel gives it.
const ALIGNED: f64 = 2.0;

/// Makes a header of Analyze one of NIfTI-1, with x flipped and the origin where SPM put it, else in the centre.
pub(super) fn convert(header: &mut Header) {
    let sides: [f64; 3] = std::array::from_fn(|axis| header.real(field::DIM, axis + 1).max(1.0));
    let origin = origin(header, sides);
    let (slope, inter) = scaling(header);
    let units = field::XYZT_UNITS.one.0;
    // What the two formats do not share; the description and the calibrated range they do.
    for unused in [56..70, 74..76, 112..units + 1, 132..140, 252..348] {
        header.bytes_mut()[unused].fill(0);
    }
    header.make_single();
    header.set(field::SCL_SLOPE, 0, slope);
    header.set(field::SCL_INTER, 0, inter);
    header.set(field::SFORM_CODE, 0, ALIGNED);
    header.set(field::XYZT_UNITS, 0, 2.0);
    for (axis, origin) in origin.into_iter().enumerate() {
        let size = header.real(field::PIXDIM, axis + 1) * if axis == 0 { -1.0 } else { 1.0 };
        header.set(field::SROW, 5 * axis, size);
        header.set(field::SROW, 4 * axis + 3, -origin * size);
    }
}

/// The voxel at the world's origin, counted from 0.
fn origin(header: &Header, sides: [f64; 3]) -> [f64; 3] {
    let stored: [f64; 3] = std::array::from_fn(|axis| {
        let at = ORIGINATOR + 2 * axis;
        let bytes = [header.bytes()[at], header.bytes()[at + 1]];
        f64::from(i16::from_le_bytes(header.order().little(bytes)))
    });
    let is_set = stored.iter().any(|&at| at != 0.0)
        && stored.iter().zip(sides).all(|(&at, side)| at > -side && at < 2.0 * side);
    if is_set { stored.map(|at| at - 1.0) } else { sides.map(|side| (side - 1.0) / 2.0) }
}

/// Slope and intercept after SPM2's spm_vol_ana.m; slope 0 is none.
fn scaling(header: &Header) -> (f64, f64) {
    if let Some(scaling) = header.scaling() {
        return scaling;
    }
    let integer = |at: usize| {
        let bytes: [u8; 4] = std::array::from_fn(|byte| header.bytes()[at + byte]);
        f64::from(i32::from_le_bytes(header.order().little(bytes)))
    };
    let (most, least) = (integer(140), integer(144));
    let (high, low) = (header.real(field::CAL_MAX, 0), header.real(field::CAL_MIN, 0));
    if most == least || high == low || !(high - low).is_finite() {
        return (0.0, 0.0);
    }
    let slope = (high - low) / (most - least);
    (slope, low - slope * least)
}
