//! The NIfTI header of a series: the affine that dcm2niix gives.

use super::found::Details;
use super::grid::dot;
use super::series::{Grid, Sample};
use crate::volume::nifti::{Datatype, Header, Order, Version, field};

/// The code of a place in the scanner's coordinates.
const SCANNER: f64 = 1.0;

/// Millimetres and seconds.
const UNITS: f64 = 10.0;

/// The header of a series. Columns are the axis i, rows from the bottom up j, slices k. Coordinates turn from LPS to RAS.
pub fn header(grid: &Grid, sample: Sample, scaling: Option<(f64, f64)>, details: &Details) -> Header {
    let mut header = Header::new(Version::One, Order::Little);
    let sides = [grid.columns, grid.rows, grid.slices, grid.times];
    header.set(field::DIM, 0, if grid.times > 1 { 4.0 } else { 3.0 });
    (1..8).for_each(|axis| header.set(field::DIM, axis, 1.0));
    sides.into_iter().enumerate().for_each(|(axis, side)| header.set_side(axis, side));
    let datatype = if scaling.is_some() { sample.datatype() } else { Datatype::F32 };
    header.set(field::DATATYPE, 0, datatype.code() as f64);
    header.set(field::BITPIX, 0, 8.0 * datatype.bytes() as f64);
    let (slope, intercept) = scaling.unwrap_or((1.0, 0.0));
    header.set(field::SCL_SLOPE, 0, slope);
    header.set(field::SCL_INTER, 0, intercept);
    header.set(field::XYZT_UNITS, 0, UNITS);
    header.set(field::PIXDIM, 4, details.repetition.unwrap_or(0.0) / 1000.0);
    // Frequency, phase and slice axes, of two bits each.
    let slices = 3 << 4;
    let axes = match details.phase_along_row {
        Some(true) => 2 | 1 << 2 | slices,
        Some(false) => 1 | 2 << 2 | slices,
        None => 0,
    };
    header.set(field::DIM_INFO, 0, f64::from(axes));
    place(&mut header, grid);
    header
}

fn place(header: &mut Header, grid: &Grid) {
    let scaled = |direction: [f64; 3], by: f64| direction.map(|part| part * by);
    let up = scaled(grid.along_column, -1.0);
    // The first row is the last one of the image.
    let last = (grid.rows as f64 - 1.0) * grid.spacing[1];
    let origin: [f64; 3] = std::array::from_fn(|axis| grid.origin[axis] + last * grid.along_column[axis]);
    let columns = [scaled(grid.along_row, grid.spacing[0]), scaled(up, grid.spacing[1]), grid.step, origin];
    let turned = |[x, y, z]: [f64; 3]| [-x, -y, z];
    for (column, vector) in columns.into_iter().map(turned).enumerate() {
        for (row, value) in vector.into_iter().enumerate() {
            // Adding 0 makes -0 one with 0.
            header.set(field::SROW, 4 * row + column, value + 0.0);
        }
    }
    header.set(field::SFORM_CODE, 0, SCANNER);
    let distance = grid.distance();
    [grid.spacing[0], grid.spacing[1], distance]
        .into_iter()
        .enumerate()
        .for_each(|(axis, side)| header.set(field::PIXDIM, axis + 1, side));
    // The axes are left-handed: k turns round.
    header.set(field::PIXDIM, 0, -1.0);
    let across = grid.normal();
    // A quaternion has no room for slices that are stacked askew.
    if dot(across, grid.step) < distance * (1.0 - 1e-9) {
        return;
    }
    let rotation = [grid.along_row, up, scaled(across, -1.0)].map(turned);
    let quaternion = quaternion(rotation);
    (0..3).for_each(|part| header.set(field::QUATERN, part, quaternion[part]));
    let origin = turned(origin);
    (0..3).for_each(|axis| header.set(field::QOFFSET, axis, origin[axis] + 0.0));
    header.set(field::QFORM_CODE, 0, SCANNER);
}

/// The last three parts of the unit quaternion of a rotation with these columns; the first part is not negative
/// (nifti1_io.c, nifti_mat44_to_quatern).
fn quaternion([x, y, z]: [[f64; 3]; 3]) -> [f64; 3] {
    let root = |sum: f64| sum.max(0.0).sqrt();
    let [a, b, c, d] = [
        root(1.0 + x[0] + y[1] + z[2]) / 2.0,
        root(1.0 + x[0] - y[1] - z[2]) / 2.0,
        root(1.0 - x[0] + y[1] - z[2]) / 2.0,
        root(1.0 - x[0] - y[1] + z[2]) / 2.0,
    ];
    // From the largest part, which loses no digits.
    let most = a.max(b).max(c).max(d);
    if a == most {
        [y[2] - z[1], z[0] - x[2], x[1] - y[0]].map(|part| part / (4.0 * a))
    } else {
        let (parts, first) = if b == most {
            ([b, (x[1] + y[0]) / (4.0 * b), (x[2] + z[0]) / (4.0 * b)], y[2] - z[1])
        } else if c == most {
            ([(x[1] + y[0]) / (4.0 * c), c, (y[2] + z[1]) / (4.0 * c)], z[0] - x[2])
        } else {
            ([(x[2] + z[0]) / (4.0 * d), (y[2] + z[1]) / (4.0 * d), d], x[1] - y[0])
        };
        parts.map(|part| if first < 0.0 { -part } else { part })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::dicom::grid::normal;
    use crate::volume::geometry::Geometry;

    #[test]
    fn quaternion_and_rows_of_the_affine_agree_for_all_turns() {
        let turn = |angle: f64, [a, b]: [usize; 2], v: [f64; 3]| {
            let (sin, cos) = angle.to_radians().sin_cos();
            let mut turned = v;
            turned[a] = cos * v[a] - sin * v[b];
            turned[b] = sin * v[a] + cos * v[b];
            turned
        };
        for [x, y, z] in (0..512).map(|n| [n % 8, n / 8 % 8, n / 64].map(|step| f64::from(step) * 45.0 + 3.0))
        {
            let turned = |v| turn(z, [0, 1], turn(y, [2, 0], turn(x, [1, 2], v)));
            let directions = [turned([1.0, 0.0, 0.0]), turned([0.0, 1.0, 0.0])];
            let grid = Grid {
                columns: 5,
                rows: 7,
                slices: 3,
                times: 1,
                along_row: directions[0],
                along_column: directions[1],
                spacing: [0.5, 0.75],
                step: normal(&directions).map(|part| part * 4.0),
                origin: [10.0, -20.0, 30.0],
                thickness: None,
            };
            let sample = Sample { allocated: 16, stored: 12, signed: false };
            let header = header(&grid, sample, Some((1.0, 0.0)), &Details::default());
            let geometry = Geometry::of(&header, [5, 7, 3]);
            let (qform, sform) = (geometry.qform.unwrap(), geometry.sform.unwrap());
            for (q, s) in qform.as_flattened().iter().zip(sform.as_flattened()) {
                // Three float32 of a quaternion near a half turn say no more.
                assert!((q - s).abs() < 1e-3, "{qform:?} {sform:?}");
            }
        }
    }
}
