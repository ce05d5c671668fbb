//! Through the plane: how many slices are made, and how thick those are that were acquired.

use super::gaps::{gaps, rounded};
use super::geometry::Geometry;
use super::options::{Distance, VolumeOptions};
use super::source::Source;
use crate::engine::options::MAX_SCALE;
use crate::error::{Error, Result};

/// Bounds of the thickness of slices as a share of their distance. Beyond the upper one the correction through the plane
/// would not settle: the mean over such a slice turns the finest waves round. Below the lower one it is likely in another
/// unit.
const LEAST: f64 = 0.1;
const THICKEST: f64 = 2.0;

/// Sizes are rounded in files: those that differ by less than this share are the same.
const SAME: f64 = 1e-3;

/// The number of slices at `distance`.
///
/// # Errors
/// `InvalidOption` for a volume without several slices, and a distance that is not finer.
pub fn count(
    geometry: &Geometry,
    (a, b, through): (usize, usize, usize),
    distance: Distance,
) -> Result<usize> {
    let (voxel, sides) = (geometry.voxel_mm(), geometry.sides);
    let wanted = match distance {
        Distance::Iso => voxel[a].min(voxel[b]),
        Distance::Millimetres(wanted) => wanted,
    };
    if sides[through] == 1 || sides[a].max(sides[b]) == 1 {
        return Err(Error::invalid_option(
            "--through needs several slices of several voxels: expected a volume in three dimensions",
        ));
    }
    let factor = voxel[through] / wanted;
    let count = (sides[through] as f64 * factor).round();
    if distance == Distance::Iso && factor <= 1.0 {
        return Err(Error::invalid_option(format!(
            "voxels are {:.4} mm through the plane and {wanted:.4} mm in it: --through iso has nothing to do; give a smaller \
             distance, such as --through {:.3}mm",
            voxel[through],
            voxel[through] / 2.0
        )));
    }
    if !(factor <= MAX_SCALE && count > sides[through] as f64) {
        return Err(Error::invalid_option(format!(
            "slices lie {:.4} mm apart, and --through asks for {wanted:.4} mm: expected a smaller distance, at most \
             {MAX_SCALE} times as fine",
            voxel[through]
        )));
    }
    Ok(count as usize)
}

/// How thick the slices of `source` were acquired, in millimetres: as the option says, else as the source does, else as
/// thick as they lie apart, which is `distance`, along `axis`. `warnings` gets what is odd about it.
///
/// # Errors
/// `InvalidOption` for an option that cannot be.
pub fn thickness(
    source: &Source,
    axis: usize,
    distance: f64,
    options: &VolumeOptions,
    warnings: &mut Vec<String>,
) -> Result<f64> {
    if options.through.is_none() {
        return Ok(distance);
    }
    let whose = match source {
        Source::Series(_) => "SliceThickness of the series",
        Source::Nifti(_) => "SliceThickness of its sidecar",
    };
    let (thickness, told) =
        chosen(options.thickness, source.thickness(axis).map(|stated| (stated, whose)), distance)?;
    // A series tells of its gaps itself.
    let is_told = matches!(source, Source::Series(_)) && options.thickness.is_none() && thickness != distance;
    let told = told.filter(|_| !is_told);
    warnings.extend(told);
    Ok(thickness)
}

/// The thickness of slices that lie `distance` apart, of those that an option and a source state; and a warning.
fn chosen(option: Option<f64>, source: Option<(f64, &str)>, distance: f64) -> Result<(f64, Option<String>)> {
    let stated = option.map(|option| (option, "--thickness")).or(source);
    let Some((stated, whose)) = stated else { return Ok((distance, None)) };
    let (share, apart) = (stated / distance, rounded(distance));
    if (share - 1.0).abs() < SAME {
        return Ok((distance, None));
    }
    if !(LEAST * (1.0 - SAME)..=THICKEST * (1.0 + SAME)).contains(&share) {
        let message = format!(
            "{whose} is {stated} mm, and slices lie {apart} mm apart: expected {} to {} mm",
            rounded(LEAST * distance),
            rounded(THICKEST * distance)
        );
        return match option {
            Some(_) => Err(Error::invalid_option(message)),
            None => Ok((distance, Some(message + "; taken to be as thick as they lie apart"))),
        };
    }
    Ok((stated.clamp(LEAST * distance, THICKEST * distance), gaps(stated, distance)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_says_more_than_a_sidecar_and_that_more_than_the_distance() {
        let chosen = |option, sidecar: Option<f64>| {
            chosen(option, sidecar.map(|stated| (stated, "SliceThickness")), 5.0).unwrap()
        };
        assert_eq!(chosen(None, None), (5.0, None));
        let (thickness, told) = chosen(None, Some(4.0));
        assert_eq!(thickness, 4.0);
        assert!(
            told.unwrap().starts_with("slices are 4 mm thick and lie 5 mm apart: the gaps were not measured")
        );
        assert_eq!(chosen(Some(3.0), Some(4.0)).0, 3.0);
        // Slices may overlap, and have no gaps then; what is right has no say about what is wrong.
        assert_eq!(chosen(Some(8.5), Some(400.0)), (8.5, None));
        assert_eq!(chosen(Some(10.0), None), (10.0, None));
        // What only rounding tells apart is the distance itself.
        assert_eq!(chosen(None, Some(4.9999)), (5.0, None));
        assert_eq!(chosen(Some(5.0001), Some(4.0)), (5.0, None));
    }

    #[test]
    fn what_cannot_be_is_an_error_of_an_option_and_a_warning_of_a_sidecar() {
        let wrong = |option| {
            chosen(Some(option), Some((4.0, "SliceThickness")), 3.000_000_2).unwrap_err().to_string()
        };
        for (option, shown) in [(0.2, "0.2"), (7.0, "7"), (f64::NAN, "NaN")] {
            let expected =
                format!("--thickness is {shown} mm, and slices lie 3 mm apart: expected 0.3 to 6 mm");
            assert_eq!(wrong(option), expected);
        }
        for (stated, shown) in [(0.0, "0"), (-4.0, "-4"), (0.005, "0.005"), (4000.0, "4000")] {
            let (thickness, told) =
                chosen(None, Some((stated, "SliceThickness of its sidecar")), 5.0).unwrap();
            let expected = format!(
                "SliceThickness of its sidecar is {shown} mm, and slices lie 5 mm apart: expected 0.5 to 10 mm; taken to \
                 be as thick as they lie apart"
            );
            assert_eq!((thickness, told), (5.0, Some(expected)));
        }
    }
}
