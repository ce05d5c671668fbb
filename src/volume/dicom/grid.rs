//! The grid on which slices lie, from their positions.

use super::found::Plane;

/// How far a slice may lie off an even grid, as a share of the distance of slices.
const UNEVEN: f64 = 0.02;

/// Positions nearer than this are the same, in millimetres.
pub const SAME: f64 = 0.01;

/// How far the last slice may be shifted in the plane before slices are taken to be stacked askew, in pixels: positions
/// are rounded in files.
const ASKEW: f64 = 0.5;

/// The direction across slices.
pub fn normal([along, down]: &[[f64; 3]; 2]) -> [f64; 3] {
    std::array::from_fn(|axis| {
        let (b, c) = ((axis + 1) % 3, (axis + 2) % 3);
        along[b] * down[c] - along[c] * down[b]
    })
}

/// The product of two vectors.
pub fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The length of the part of `offset` that lies in the plane with that normal.
fn in_plane(offset: [f64; 3], normal: [f64; 3]) -> f64 {
    let along = dot(offset, normal);
    let part: [f64; 3] = std::array::from_fn(|axis| offset[axis] - along * normal[axis]);
    dot(part, part).sqrt()
}

fn apart(a: &Plane, b: &Plane) -> [f64; 3] {
    std::array::from_fn(|axis| b.position[axis] - a.position[axis])
}

/// How far `other` is shifted against `plane`, to which it is parallel, within it; none if it stands in the same place.
pub fn shift(plane: &Plane, other: &Plane) -> Option<f64> {
    let aside = in_plane(apart(plane, other), normal(&plane.directions));
    (!is_in_row(plane, aside)).then_some(aside)
}

/// NaN is shifted too.
fn is_in_row(plane: &Plane, aside: f64) -> bool {
    aside <= ASKEW * plane.spacing[0].min(plane.spacing[1])
}

/// A position as people write it.
pub fn shown(position: [f64; 3]) -> String {
    // Adding 0 takes the sign of -0.
    let [x, y, z] = position.map(|part| (part * 100.0).round() / 100.0 + 0.0);
    format!("({x}, {y}, {z})")
}

/// The step from each of `planes`, which are sorted along their normal, to the next one.
///
/// # Errors
/// Where slices are missing, unevenly apart or shifted; `name` gives a slice's name.
pub fn step(planes: &[Plane], name: impl Fn(usize) -> String) -> Result<[f64; 3], String> {
    let first = planes[0];
    let normal = normal(&first.directions);
    let gaps: Vec<f64> = planes.windows(2).map(|two| dot(apart(&two[0], &two[1]), normal)).collect();
    let mut sorted = gaps.clone();
    sorted.sort_by(f64::total_cmp);
    // The lower median: of two gaps the smaller one is right.
    let typical = sorted[(sorted.len() - 1) / 2];
    for (at, gap) in gaps.iter().enumerate() {
        let count = (gap / typical).round();
        if count >= 2.0 && (gap / typical - count).abs() <= 0.1 {
            let (from, to) = (planes[at].position, planes[at + 1].position);
            let missing = std::array::from_fn(|axis| from[axis] + (to[axis] - from[axis]) / count);
            let many = if count > 2.0 {
                format!("{} slices are missing, the first", count - 1.0)
            } else {
                "a slice is missing".into()
            };
            return Err(format!(
                "{many} at {} mm, between {} and {}: others lie {typical:.2} mm apart",
                shown(missing),
                name(at),
                name(at + 1)
            ));
        }
    }
    let last = planes.len() - 1;
    let whole = apart(&first, &planes[last]);
    let distance = dot(whole, normal) / last as f64;
    let is_askew = !is_in_row(&first, in_plane(whole, normal));
    let step: [f64; 3] =
        std::array::from_fn(
            |axis| {
                if is_askew { whole[axis] / last as f64 } else { distance * normal[axis] }
            },
        );
    for (at, plane) in planes.iter().enumerate() {
        let off: [f64; 3] =
            std::array::from_fn(|axis| plane.position[axis] - first.position[axis] - at as f64 * step[axis]);
        let across = dot(off, normal);
        // NaN is uneven too.
        let is_even = across.abs() <= UNEVEN * distance;
        if !is_even {
            return Err(format!(
                "slices lie {:.2} to {:.2} mm apart: expected even distances, to {} % of one",
                sorted[0],
                sorted[last - 1],
                UNEVEN * 100.0
            ));
        }
        let aside = in_plane(off, normal);
        if !is_in_row(&first, aside) {
            return Err(format!(
                "{} is shifted by {aside:.2} mm within its plane: expected slices in a row",
                name(at)
            ));
        }
    }
    Ok(step)
}
