//! What is going to be made of a volume, known from its header.

use std::path::Path;

use super::geometry::Geometry;
use super::nifti::{Datatype, Nifti};
use super::options::{AXES, VolumeOptions};
use super::refusal::refusal;
use crate::engine::Target;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::Limits;

/// Most slices that a volume may have, of all its time points together.
const MAX_SLICES: usize = 1 << 20;

/// A volume to make.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The input.
    pub nifti: Nifti,
    /// Where it lies.
    pub geometry: Geometry,
    /// The axes of the plane, the faster one first, and the axis through it.
    pub plane: (usize, usize, usize),
    /// Sides of the result along i, j and k.
    pub sides: [usize; 3],
    /// Type of the result's voxels.
    pub datatype: Datatype,
    /// Level of gzip, should the result be compressed.
    pub gz_level: u32,
    /// What users should know before, one sentence each.
    pub warnings: Vec<String>,
}

impl Plan {
    /// Reads the header of the volume at `path`, and plans for a model of factor `scale`.
    ///
    /// # Errors
    /// `Input` for what cannot be read or should not be interpolated, `Limit` for slices that are too large,
    /// `InvalidOption` for options that do not suit it.
    pub fn new(
        path: &Path,
        target: Target,
        scale: usize,
        options: &VolumeOptions,
        limits: &Limits,
    ) -> Result<Self> {
        if !matches!(target, Target::Native | Target::Scale(_)) {
            let message = "width, height and fit are for images: expected --scale for volumes";
            return Err(Error::new(ErrorKind::InvalidOption, message));
        }
        let nifti = Nifti::open(path)?;
        if !options.force
            && let Some(refusal) = refusal(&nifti.header, path)
        {
            return Err(Error::new(ErrorKind::Input, refusal));
        }
        let [i, j, k, _] = nifti.shape;
        let geometry = Geometry::of(&nifti.header, [i, j, k]);
        let plane = match options.plane {
            Some((a, b)) => (a, b, 3 - a - b),
            None => geometry.finest_plane(),
        };
        let (a, b, _) = plane;
        let (width, height) = (geometry.sides[a], geometry.sides[b]);
        limits.check(width as u64, height as u64, 1, 8)?;
        let slices = nifti.shape[plane.2].saturating_mul(nifti.shape[3]);
        if slices > MAX_SLICES {
            let message = format!("the volume has {slices} slices: expected at most {MAX_SLICES}");
            return Err(Error::new(ErrorKind::Limit, message));
        }
        let (new_width, new_height) = target.resolve(width, height, scale)?;
        let mut sides = geometry.sides;
        (sides[a], sides[b]) = (new_width, new_height);
        let mut warnings = nifti.warnings.clone();
        warnings.extend(geometry.warnings(nifti.form));
        let datatype = datatype(&nifti, sides == geometry.sides, options, &mut warnings)?;
        Ok(Self { nifti, geometry, plane, sides, datatype, gz_level: options.gz_level, warnings })
    }

    /// Width and height of a slice.
    pub fn size(&self) -> (usize, usize) {
        (self.geometry.sides[self.plane.0], self.geometry.sides[self.plane.1])
    }

    /// Width and height of a slice of the result.
    pub fn target(&self) -> (usize, usize) {
        (self.sides[self.plane.0], self.sides[self.plane.1])
    }

    /// The number of slices, of all volumes.
    pub fn slices(&self) -> usize {
        self.nifti.shape[self.plane.2] * self.nifti.shape[3]
    }

    /// Whether the result has the size of the input, so that its voxels are copied.
    pub fn is_copy(&self) -> bool {
        self.sides == self.geometry.sides
    }

    /// The names of the axes of the plane.
    pub fn plane_name(&self) -> String {
        [AXES[self.plane.0], AXES[self.plane.1]].iter().collect()
    }

    /// Bytes of the voxels of the result.
    pub fn result_bytes(&self) -> u64 {
        let sides = self.sides.iter().chain(&self.nifti.shape[3..]);
        sides.fold(self.datatype.bytes() as u64, |bytes, side| bytes.saturating_mul(*side as u64))
    }
}

/// The type of the result's voxels.
fn datatype(
    nifti: &Nifti,
    is_copy: bool,
    options: &VolumeOptions,
    warnings: &mut Vec<String>,
) -> Result<Datatype> {
    let own = nifti.datatype;
    if let Some(asked) = options.datatype {
        if own.is_float() && !asked.is_float() {
            return Err(Error::new(
                ErrorKind::InvalidOption,
                format!(
                    "datatype is {} for a volume of {}: expected float32 or float64, since integers would lose its \
                     fractions",
                    asked.name(),
                    own.name()
                ),
            ));
        }
        return Ok(asked);
    }
    if own.bytes() == 1 && !is_copy {
        warnings.push(format!(
            "{} becomes float32, to keep what lies between its levels; or give --datatype",
            own.name()
        ));
        return Ok(Datatype::F32);
    }
    Ok(own)
}
