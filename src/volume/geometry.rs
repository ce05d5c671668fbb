//! Where voxels lie in the world, before and after axes get finer voxels.

use super::dicom::Series;
use super::nifti::{Form, Header, Version, field};
use crate::error::{Error, Result};

/// Disagreement of qform and sform at any corner that is worth a warning, as a share of the smallest distance of voxels.
const DISAGREEMENT: f64 = 0.1;

/// A map from voxel indices to places: 3 rows of 4.
pub type Affine = [[f64; 4]; 3];

/// The place of a volume: its axes' sizes, and the affines that its header has.
#[derive(Clone, Debug, PartialEq)]
pub struct Geometry {
    /// Sides along i, j and k.
    pub sides: [usize; 3],
    /// Distances of voxels along i, j and k, in units of the file.
    pub spacing: [f64; 3],
    /// Millimetres in a unit of the file; `None` where the file does not say.
    pub millimetres: Option<f64>,
    /// The affine of the quaternion, if its code is set.
    pub qform: Option<Affine>,
    /// The affine of the three rows, if its code is set.
    pub sform: Option<Affine>,
}

impl Geometry {
    /// What `header` says; `sides` are those of the grid.
    pub fn of(header: &Header, sides: [usize; 3]) -> Self {
        let pixdim: [f64; 3] = std::array::from_fn(|axis| size(header.real(field::PIXDIM, axis + 1)));
        let sform = (header.int(field::SFORM_CODE, 0) > 0).then(|| {
            let rows: [f64; 12] = header.reals(field::SROW);
            std::array::from_fn(|row| std::array::from_fn(|column| rows[4 * row + column]))
        });
        let qform = (header.int(field::QFORM_CODE, 0) > 0).then(|| qform(header, pixdim));
        // SPM, FSL and nibabel ask the sform first.
        let spacing = match &sform {
            Some(affine) => lengths(affine).map(size),
            None => pixdim,
        };
        let millimetres = match header.int(field::XYZT_UNITS, 0) & 7 {
            1 => Some(1000.0),
            2 => Some(1.0),
            3 => Some(0.001),
            _ => None,
        };
        Self { sides, spacing, millimetres, qform, sform }
    }

    /// Distances of voxels in millimetres, which is also assumed where the file does not state the unit.
    pub fn voxel_mm(&self) -> [f64; 3] {
        self.spacing.map(|size| size * self.millimetres.unwrap_or(1.0))
    }

    /// How far corners lie from those of `other`, by the affines that most programs use; `None` where only one has any.
    pub fn apart(&self, other: &Self) -> Option<f64> {
        let own = |geometry: &Self| geometry.sform.or(geometry.qform);
        match (own(self), own(other)) {
            (Some(a), Some(b)) => Some(distance((&a, self.sides), (&b, self.sides))),
            (None, None) => {
                let corner =
                    |axis: usize| (self.spacing[axis] - other.spacing[axis]) * self.sides[axis] as f64;
                Some((0..3).map(|axis| corner(axis).powi(2)).sum::<f64>().sqrt())
            }
            _ => None,
        }
    }

    /// What is odd about the place, one sentence each.
    pub fn warnings(&self, form: Form) -> Vec<String> {
        let mut warnings = Vec::new();
        if form == Form::Analyze {
            warnings.push(
                "Analyze 7.5 does not say which side is left: read as by SPM and nibabel, and written as NIfTI with \
                 that affine as sform"
                    .into(),
            );
        }
        match (&self.qform, &self.sform) {
            (None, None) => warnings.push(
                "qform_code and sform_code are 0: the file does not say where its voxels lie; only their sizes (pixdim) \
                 change"
                    .into(),
            ),
            (Some(qform), Some(sform)) => {
                let apart = distance((qform, self.sides), (sform, self.sides));
                if apart > DISAGREEMENT * self.spacing.into_iter().fold(f64::INFINITY, f64::min) {
                    warnings.push(format!(
                        "the positions of voxels by qform and sform differ by up to {apart:.2}: both are kept, \
                         each by itself; most programs use the sform"
                    ));
                }
            }
            _ => {}
        }
        warnings
    }

    /// The axes of the plane, the two finest in their order, and the one through it; of equals, the last one.
    pub fn finest_plane(&self) -> (usize, usize, usize) {
        // An axis of a single voxel is across the plane, whatever its size.
        let coarseness: [f64; 3] =
            std::array::from_fn(
                |axis| if self.sides[axis] == 1 { f64::INFINITY } else { self.spacing[axis] },
            );
        let most = coarseness.into_iter().fold(0.0, f64::max);
        // Sizes are rounded in files, and nearly equal ones mean the same.
        let through = (0..3).rev().find(|&axis| coarseness[axis] >= most * (1.0 - 1e-3)).unwrap_or(2);
        let (a, b) = others(through);
        (a, b, through)
    }

    /// Whether the outer faces of the grid, and the `times`, are those of `series`, however finely either is divided.
    ///
    /// # Errors
    /// `InvalidOption`, naming what differs.
    pub fn check_place(&self, series: &Series, times: usize) -> Result<()> {
        let wrong = |what: String| {
            let message = format!(
                "{what}: expected the place of the series that --like names, as files have that were made from it"
            );
            Err(Error::invalid_option(message))
        };
        let [i, j, k, series_times] = series.shape();
        let other = Self::of(&series.header, [i, j, k]);
        let own = self.sform.or(self.qform);
        let (Some(own), Some(wanted)) = (own, other.sform.or(other.qform)) else {
            return wrong("qform_code and sform_code are 0, so the volume does not say where it lies".into());
        };
        if times != series_times {
            return wrong(format!("the volume has {times} times, and the series {series_times}"));
        }
        let finest = self.spacing.into_iter().chain(other.spacing).fold(f64::INFINITY, f64::min);
        for index in 0..8 {
            let (at, expected) = (corner(&own, self.sides, index), corner(&wanted, other.sides, index));
            if between(at, expected) > finest * DISAGREEMENT {
                let end = |axis: usize| if index >> axis & 1 == 1 { "last" } else { "first" };
                let shown = |[x, y, z]: [f64; 3]| format!("({x:.2}, {y:.2}, {z:.2})");
                return wrong(format!(
                    "the corner at the {} i, {} j and {} k lies at {} mm, and that of the series at {}",
                    end(0),
                    end(1),
                    end(2),
                    shown(at),
                    shown(expected)
                ));
            }
        }
        Ok(())
    }

    /// Writes to `header` the place of a grid of `sides` over the same space. Returns what is said about fields that
    /// could not be kept.
    pub fn refine(&self, header: &mut Header, sides: [usize; 3]) -> Vec<String> {
        let factors: [f64; 3] = std::array::from_fn(|axis| sides[axis] as f64 / self.sides[axis] as f64);
        for axis in 0..3 {
            if sides[axis] != self.sides[axis] {
                header.set_side(axis, sides[axis]);
                let old = header.real(field::PIXDIM, axis + 1);
                let new = size(old).copysign(old) / factors[axis];
                header.set(field::PIXDIM, axis + 1, new);
            }
        }
        if factors == [1.0; 3] {
            return Vec::new();
        }
        if let Some(affine) = &self.qform {
            // The rotation stays; sizes stand in pixdim.
            let new = refined(affine, factors);
            (0..3).for_each(|row| header.set(field::QOFFSET, row, new[row][3]));
        }
        if let Some(affine) = &self.sform {
            let new = refined(affine, factors);
            for (row, values) in new.iter().enumerate() {
                for (column, value) in values.iter().enumerate() {
                    header.set(field::SROW, 4 * row + column, *value);
                }
            }
        }
        clear_slice_timing(header, factors)
    }
}

/// The affine of a grid that is `factors` times as fine and covers the same space: A diag(1/f), with the first voxel's
/// centre at A (1/(2f) - 1/2).
pub fn refined(affine: &Affine, factors: [f64; 3]) -> Affine {
    let first = factors.map(|factor| 0.5 / factor - 0.5);
    affine.map(|row| {
        let at = row[0] * first[0] + row[1] * first[1] + row[2] * first[2] + row[3];
        [row[0] / factors[0], row[1] / factors[1], row[2] / factors[2], at]
    })
}

/// The axis along which slices were acquired; without a statement, the third.
pub fn slice_axis(header: &Header) -> usize {
    match (header.int(field::DIM_INFO, 0) >> 4) & 3 {
        0 => 2,
        axis => axis as usize - 1,
    }
}

/// Slice timing holds for the acquired slices only.
fn clear_slice_timing(header: &mut Header, factors: [f64; 3]) -> Vec<String> {
    let slices = slice_axis(header);
    let timing = [field::SLICE_CODE, field::SLICE_START, field::SLICE_END, field::SLICE_DURATION];
    if factors[slices] == 1.0 || timing.iter().all(|field| header.real(*field, 0) == 0.0) {
        return Vec::new();
    }
    timing.iter().for_each(|field| header.set(*field, 0, 0.0));
    vec![
        "the slice timing (slice_code, slice_start, slice_end, slice_duration) does not fit the new slices: cleared"
            .into(),
    ]
}

/// The affine of the quaternion (nifti1.h, method 2).
fn qform(header: &Header, pixdim: [f64; 3]) -> Affine {
    let [b, c, d]: [f64; 3] = header.reals(field::QUATERN);
    let offset: [f64; 3] = header.reals(field::QOFFSET);
    let squares = b * b + c * c + d * d;
    // So little is left by rounding three squares alone: a half turn, whose fourth part is 0. nibabel 5.4 has the same
    // limit, nifti1_io.c 1e-7.
    let rounding =
        3.0 * if header.version() == Version::One { f64::from(f32::EPSILON) } else { f64::EPSILON };
    let (a, [b, c, d]) = if squares > 1.0 - rounding {
        let length = squares.sqrt();
        (0.0, [b, c, d].map(|part| part / length))
    } else {
        ((1.0 - squares).sqrt(), [b, c, d])
    };
    let rotation = [
        [a * a + b * b - c * c - d * d, 2.0 * (b * c - a * d), 2.0 * (b * d + a * c)],
        [2.0 * (b * c + a * d), a * a + c * c - b * b - d * d, 2.0 * (c * d - a * b)],
        [2.0 * (b * d - a * c), 2.0 * (c * d + a * b), a * a + d * d - b * b - c * c],
    ];
    let handedness = if header.real(field::PIXDIM, 0) < 0.0 { -1.0 } else { 1.0 };
    std::array::from_fn(|row| {
        let [x, y, z] = rotation[row];
        [x * pixdim[0], y * pixdim[1], z * pixdim[2] * handedness, offset[row]]
    })
}

/// A distance of voxels; an invalid one counts as 1.
fn size(pixdim: f64) -> f64 {
    if pixdim.is_finite() && pixdim != 0.0 { pixdim.abs() } else { 1.0 }
}

fn lengths(affine: &Affine) -> [f64; 3] {
    std::array::from_fn(|column| affine.iter().map(|row| row[column] * row[column]).sum::<f64>().sqrt())
}

/// The two axes beside `axis`, in their order.
pub(super) fn others(axis: usize) -> (usize, usize) {
    [(1, 2), (0, 2), (0, 1)][axis]
}

/// The largest distance between the outer corners of two grids, each an affine and its sides.
pub(super) fn distance(a: (&Affine, [usize; 3]), b: (&Affine, [usize; 3])) -> f64 {
    let apart = |index: usize| between(corner(a.0, a.1, index), corner(b.0, b.1, index));
    (0..8).map(apart).fold(0.0, f64::max)
}

/// The distance of two places.
fn between(a: [f64; 3], b: [f64; 3]) -> f64 {
    (0..3).map(|row| (a[row] - b[row]).powi(2)).sum::<f64>().sqrt()
}

/// The outer corner number `index` of a grid, bit by bit at the first or the last voxel of each axis.
fn corner(affine: &Affine, sides: [usize; 3], index: usize) -> [f64; 3] {
    let at: [f64; 3] =
        std::array::from_fn(|axis| if index >> axis & 1 == 1 { sides[axis] as f64 - 0.5 } else { -0.5 });
    affine.map(|row| row[0] * at[0] + row[1] * at[1] + row[2] * at[2] + row[3])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::nifti::Order;

    fn header(pixdim: [f64; 3]) -> Header {
        let mut header = Header::new(Version::Two, Order::Little);
        (0..3).for_each(|axis| header.set(field::PIXDIM, axis + 1, pixdim[axis]));
        header
    }

    #[test]
    fn the_outer_faces_stay_where_they_were() {
        let affine = [[-0.9, 0.1, 0.3, 90.0], [0.2, 1.1, 0.0, -126.0], [0.0, -0.4, 4.5, -72.0]];
        let factors = [4.0, 2.5, 1.0];
        let new = refined(&affine, factors);
        let sides = [10.0, 12.0, 7.0];
        for corner in 0..8 {
            for row in 0..3 {
                let at = |affine: &Affine, factors: [f64; 3]| {
                    let index = |axis: usize| {
                        if corner >> axis & 1 == 1 { sides[axis] * factors[axis] - 0.5 } else { -0.5 }
                    };
                    let row = affine[row];
                    row[0] * index(0) + row[1] * index(1) + row[2] * index(2) + row[3]
                };
                assert!((at(&affine, [1.0; 3]) - at(&new, factors)).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn the_plane_has_the_finest_axes() {
        let plane = |sides, pixdim| Geometry::of(&header(pixdim), sides).finest_plane();
        assert_eq!(plane([9, 9, 9], [1.0, 1.0, 5.0]), (0, 1, 2));
        assert_eq!(plane([9, 9, 9], [1.0, 5.0, 0.9]), (0, 2, 1));
        assert_eq!(plane([9, 9, 9], [5.0, 1.0, 1.0]), (1, 2, 0));
        assert_eq!(plane([9, 9, 9], [1.0, 1.0, 1.00001]), (0, 1, 2));
        assert_eq!(plane([9, 9, 9], [1.00001, 1.0, 1.0]), (0, 1, 2));
        assert_eq!(plane([1, 9, 9], [0.1, 1.0, 1.0]), (1, 2, 0));
    }

    #[test]
    fn slice_timing_goes_where_slices_are_cut_and_stays_elsewhere() {
        let mut header = header([1.0; 3]);
        header.set(field::SLICE_CODE, 0, 1.0);
        header.set(field::SLICE_END, 0, 8.0);
        let geometry = Geometry::of(&header, [9; 3]);
        assert!(geometry.refine(&mut header, [18, 18, 9]).is_empty());
        assert_eq!(header.int(field::SLICE_END, 0), 8);
        assert_eq!(geometry.refine(&mut header, [18, 9, 18]).len(), 1);
        assert_eq!(header.int(field::SLICE_END, 0), 0);
        header.set(field::DIM_INFO, 0, 16.0);
        header.set(field::SLICE_END, 0, 8.0);
        assert!(geometry.refine(&mut header, [9, 18, 18]).is_empty());
        assert_eq!(geometry.refine(&mut header, [18, 18, 9]).len(), 1);
    }
}
