//! A mask over a volume.

use std::ops::Range;
use std::path::Path;

use super::geometry::Geometry;
use super::nifti::Nifti;
use crate::error::{Error, ErrorKind, Result};
use crate::progress::CancelToken;

/// Voxels read at once.
const BLOCK: usize = 1 << 16;

/// How far corners of equal grids may lie apart, in voxels: affines are rounded in files.
const APART: f64 = 0.01;

/// Opens the mask at `path`, and checks that it has the grid of a volume.
///
/// # Errors
/// `Input`, as it cannot be read or has another grid.
pub fn open(path: &Path, volume: &Geometry) -> Result<Nifti> {
    let wrong =
        |message: String| Error::new(ErrorKind::Input, format!("the mask {} {message}", path.display()));
    let mask = Nifti::open(path).map_err(|error| error.context(format!("the mask {}", path.display())))?;
    let [i, j, k, t] = mask.shape;
    let [a, b, c] = volume.sides;
    if [i, j, k, t] != [a, b, c, 1] {
        let times = if t == 1 { String::new() } else { format!(" x {t}") };
        return Err(wrong(format!(
            "has {i} x {j} x {k}{times} voxels: expected {a} x {b} x {c}, as the volume"
        )));
    }
    let place = Geometry::of(&mask.header, [i, j, k]);
    match place.apart(volume) {
        None => Err(wrong(
            "does not say where its voxels lie as the volume does (qform_code, sform_code): expected the same grid".into(),
        )),
        Some(apart) if apart > APART * volume.spacing.into_iter().fold(f64::INFINITY, f64::min) => {
            Err(wrong(format!(
                "lies elsewhere, by up to {apart:.2} in units of the file: expected the same grid as the volume"
            )))
        }
        Some(_) => Ok(mask),
    }
}

/// The voxels inside a mask, one bit each.
#[derive(Clone, Debug)]
pub struct Mask {
    sides: [usize; 3],
    bits: Vec<u8>,
}

impl Mask {
    /// Reads the voxels of `nifti`: those that are not 0 (nor NaN) lie inside.
    ///
    /// # Errors
    /// `Input` where they cannot be read, or none lies inside; `Cancelled`.
    pub fn read(nifti: &Nifti, cancel: &CancelToken) -> Result<Self> {
        let context = |error: Error| error.context(format!("the mask {}", nifti.data_path().display()));
        let [i, j, k, _] = nifti.shape;
        let count = i * j * k;
        let mut mask = Self { sides: [i, j, k], bits: vec![0; count.div_ceil(8)] };
        let (slope, inter) = nifti.header.scaling().unwrap_or((1.0, 0.0));
        let mut data = nifti.data().map_err(context)?;
        let mut at = 0;
        while at < count {
            cancel.check()?;
            let mut bytes = vec![0; BLOCK.min(count - at) * nifti.datatype.bytes()];
            data.fill(&mut bytes).map_err(context)?;
            nifti.datatype.decode(nifti.header.order(), &bytes, |value| {
                let value = value * slope + inter;
                mask.bits[at / 8] |= u8::from(value != 0.0 && !value.is_nan()) << (at % 8);
                at += 1;
            });
        }
        data.finish().map_err(context)?;
        if mask.bits.iter().all(|bits| *bits == 0) {
            let error = Error::new(ErrorKind::Input, "has no voxel inside: expected some that are not 0");
            return Err(context(error));
        }
        Ok(mask)
    }

    /// Whether the voxel at `place` lies inside.
    fn contains(&self, [i, j, k]: [usize; 3]) -> bool {
        let at = i + self.sides[0] * (j + self.sides[1] * k);
        self.bits[at / 8] >> (at % 8) & 1 == 1
    }

    /// The slice at `index` along the axis that is neither `rows` nor `columns`, row by row.
    pub fn slice(&self, (rows, columns): (usize, usize), index: usize) -> Vec<bool> {
        let mut slice = Vec::with_capacity(self.sides[rows] * self.sides[columns]);
        let mut place = [index; 3];
        for y in 0..self.sides[rows] {
            for x in 0..self.sides[columns] {
                (place[rows], place[columns]) = (y, x);
                slice.push(self.contains(place));
            }
        }
        slice
    }

    /// The smallest box around what lies inside.
    pub fn bounds(&self) -> [Range<usize>; 3] {
        let mut bounds = self.sides.map(|side| side..0);
        for k in 0..self.sides[2] {
            for j in 0..self.sides[1] {
                for i in 0..self.sides[0] {
                    if self.contains([i, j, k]) {
                        for (range, at) in bounds.iter_mut().zip([i, j, k]) {
                            *range = range.start.min(at)..range.end.max(at + 1);
                        }
                    }
                }
            }
        }
        bounds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_and_bounds_are_those_of_the_voxels() {
        let mut mask = Mask { sides: [3, 4, 5], bits: vec![0; 8] };
        for [i, j, k] in [[1, 2, 3], [2, 0, 3]] {
            let at = i + 3 * (j + 4 * k);
            mask.bits[at / 8] |= 1 << (at % 8);
        }
        assert_eq!(mask.bounds(), [1..3, 0..3, 3..4]);
        let inside = |axes, index| {
            let slice = mask.slice(axes, index);
            slice.iter().enumerate().filter(|(_, inside)| **inside).map(|(at, _)| at).collect::<Vec<_>>()
        };
        assert_eq!(inside((1, 0), 3), [2, 7]);
        assert_eq!(inside((2, 0), 2), [10]);
        assert_eq!(inside((2, 1), 0), Vec::<usize>::new());
    }
}
