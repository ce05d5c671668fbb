//! Planning the result of a volume, from its header alone.

use std::path::Path;

use super::geometry::Geometry;
use super::kspace::{self, Resizer};
use super::nifti::{Datatype, Nifti};
use super::options::{AXES, Distance, VolumeOptions};
use super::refusal::refusal;
use super::sidecar::Sidecar;
use crate::engine::Target;
use crate::engine::options::MAX_SCALE;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::Limits;
use crate::progress::CancelToken;

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
    /// Whether the axis through the plane is enlarged, and not the plane.
    pub through: bool,
    /// The acquired number of voxels along i, j and k, where it is known to be less than the stored one: from the sidecar,
    /// and for `native` from k-space.
    pub acquired: [Option<usize>; 3],
    /// Whether slices are reduced to that first. Then `geometry`, and the header in `nifti`, are those of what remains.
    pub native: bool,
    /// Sides of the result along i, j and k.
    pub sides: [usize; 3],
    /// Type of the result's voxels.
    pub datatype: Datatype,
    /// Level of gzip, should the result be compressed.
    pub gz_level: u32,
    /// Warnings before work starts, one sentence each.
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
            return Err(invalid("width, height and fit are for images: expected --scale for volumes"));
        }
        let mut nifti = Nifti::open(path)?;
        if !options.force
            && let Some(refusal) = refusal(&nifti.header, path)
        {
            return Err(Error::new(ErrorKind::Input, refusal));
        }
        let [i, j, k, _] = nifti.shape;
        let stored = Geometry::of(&nifti.header, [i, j, k]);
        let plane = match options.plane {
            Some((a, b)) => (a, b, 3 - a - b),
            None => stored.finest_plane(),
        };
        let (a, b, _) = plane;
        let mut warnings = nifti.warnings.clone();
        warnings.extend(stored.warnings(nifti.form));
        let acquired = acquired(&nifti, path, options)?;
        let mut own = stored.sides;
        if options.native {
            [a, b].into_iter().for_each(|axis| own[axis] = acquired[axis].unwrap_or(own[axis]));
            if own == stored.sides {
                warnings.push(
                    "--native has nothing to do: all stored pixels were acquired, as far as one can tell"
                        .into(),
                );
            }
            warnings.extend(stored.refine(&mut nifti.header, own));
        }
        let native = own != stored.sides;
        let geometry = Geometry::of(&nifti.header, own);
        let (width, height) = (geometry.sides[a], geometry.sides[b]);
        limits.check(width as u64, height as u64, 1, 8)?;
        let slices = nifti.shape[plane.2].saturating_mul(nifti.shape[3]);
        if slices > MAX_SLICES {
            let message = format!("the volume has {slices} slices: expected at most {MAX_SLICES}");
            return Err(Error::new(ErrorKind::Limit, message));
        }
        let mut sides = geometry.sides;
        if let Some(distance) = options.through {
            if target != Target::Native {
                return Err(invalid("--through and --scale are given: expected one of them"));
            }
            sides[plane.2] = count(&geometry, plane, distance)?;
            let bytes = sides.iter().fold(4u64, |bytes, side| bytes.saturating_mul(*side as u64));
            if bytes > limits.max_decode_bytes {
                let message = format!(
                    "the result takes {bytes} bytes of memory: expected at most {}",
                    limits.max_decode_bytes
                );
                return Err(Error::new(ErrorKind::Limit, message));
            }
        } else {
            (sides[a], sides[b]) = target.resolve(width, height, scale)?;
        }
        let is_copy = sides == geometry.sides && !native;
        let datatype = datatype(&nifti, is_copy, options, &mut warnings)?;
        let (through, gz_level) = (options.through.is_some(), options.gz_level);
        Ok(Self { nifti, geometry, plane, through, acquired, native, sides, datatype, gz_level, warnings })
    }

    /// Sides along i, j and k as stored in the file.
    pub fn stored(&self) -> [usize; 3] {
        let [i, j, k, _] = self.nifti.shape;
        [i, j, k]
    }

    /// What reduces slices to what was acquired, if that was asked for.
    pub fn resizer(&self) -> Option<Resizer> {
        let ((a, b, _), stored, new) = (self.plane, self.stored(), self.geometry.sides);
        self.native.then(|| Resizer::new((stored[b], stored[a]), (new[b], new[a])))
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

    /// The axes of the plane along which slices through it are taken: those with more than one voxel.
    pub fn families(&self) -> Vec<usize> {
        let (a, b, _) = self.plane;
        [a, b].into_iter().filter(|axis| self.geometry.sides[*axis] > 1).collect()
    }

    /// Width and height of every slice that goes through the engine, and of what becomes of it.
    pub fn runs(&self) -> Vec<((usize, usize), (usize, usize))> {
        if !self.through {
            return vec![(self.size(), self.target()); self.slices()];
        }
        let (a, b, through) = self.plane;
        let (old, new) = (self.geometry.sides, self.sides);
        let family = |axis: usize| {
            let run = ((old[axis], old[through]), (old[axis], new[through]));
            vec![run; old[a + b - axis] * self.nifti.shape[3]]
        };
        self.families().into_iter().flat_map(family).collect()
    }

    /// How many times as fine the result is.
    pub fn factor(&self) -> f64 {
        let axis = if self.through { self.plane.2 } else { self.plane.0 };
        self.sides[axis] as f64 / self.geometry.sides[axis] as f64
    }

    /// Distances of the result's voxels along i, j and k in millimetres.
    pub fn voxel_mm(&self) -> [f64; 3] {
        let (old, voxel) = (self.geometry.sides, self.geometry.voxel_mm());
        std::array::from_fn(|axis| voxel[axis] * old[axis] as f64 / self.sides[axis] as f64)
    }

    /// Whether the result has the size of the input, so that its voxels are copied.
    pub fn is_copy(&self) -> bool {
        self.sides == self.geometry.sides && !self.native
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

/// The acquired number of voxels along each axis, where it is less than the stored one: as the sidecar says, and where that
/// is wanted, as k-space shows.
fn acquired(nifti: &Nifti, path: &Path, options: &VolumeOptions) -> Result<[Option<usize>; 3]> {
    if let Some(known) = options.acquired {
        return Ok(std::array::from_fn(|axis| {
            Some(known[axis]).filter(|side| (1..nifti.shape[axis]).contains(side))
        }));
    }
    // What is wrong with a sidecar is told by those who copy it.
    let sidecar = Sidecar::of(path).ok().flatten();
    let [i, j, k, _] = nifti.shape;
    let stated = sidecar.map(|sidecar| sidecar.acquired([i, j, k])).unwrap_or_default();
    if !options.native {
        return Ok(stated);
    }
    let measured = kspace::acquired(nifti, &CancelToken::new())?;
    Ok(std::array::from_fn(|axis| stated[axis].or(measured[axis])))
}

/// The number of slices at `distance`.
fn count(geometry: &Geometry, (a, b, through): (usize, usize, usize), distance: Distance) -> Result<usize> {
    let (voxel, sides) = (geometry.voxel_mm(), geometry.sides);
    let wanted = match distance {
        Distance::Iso => voxel[a].min(voxel[b]),
        Distance::Millimetres(wanted) => wanted,
    };
    if sides[through] == 1 || sides[a].max(sides[b]) == 1 {
        return Err(invalid(
            "--through needs several slices of several voxels: expected a volume in three dimensions",
        ));
    }
    let factor = voxel[through] / wanted;
    let count = (sides[through] as f64 * factor).round();
    if !(factor <= MAX_SCALE && count > sides[through] as f64) {
        return Err(invalid(format!(
            "slices lie {:.4} mm apart, and --through asks for {wanted:.4} mm: expected a smaller distance, at most \
             {MAX_SCALE} times as fine",
            voxel[through]
        )));
    }
    Ok(count as usize)
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOption, message)
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
            "{} voxels become float32, to keep values between whole numbers; --datatype chooses another type",
            own.name()
        ));
        return Ok(Datatype::F32);
    }
    Ok(own)
}
