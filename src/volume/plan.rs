//! Planning the result of a volume, from its header alone.

use std::path::Path;
use std::sync::Arc;

use super::dicom::{self, Series};
use super::distances;
use super::geometry::Geometry;
use super::kspace::{self, Resizer};
use super::mask;
use super::nifti::{Datatype, Header, Nifti};
use super::noise;
use super::options::{AXES, ConsistencyKernel, VolumeOptions};
use super::refusal::refusal;
use super::source::Source;
use crate::diffusion::NoisePlace;
use crate::engine::Target;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::Limits;
use crate::progress::CancelToken;

/// Most slices that a volume may have, of all its time points together.
const MAX_SLICES: usize = 1 << 20;

/// What a result is written as.
#[derive(Clone, Debug)]
pub enum Output {
    /// A NIfTI file.
    Nifti,
    /// A DICOM series, with the attributes of this one.
    Dicom(Arc<Series>),
}

/// A volume to make.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The input.
    pub source: Source,
    /// What the result is written as.
    pub output: Output,
    /// Where it lies.
    pub geometry: Geometry,
    /// The axes of the plane, the faster one first, and the axis through it.
    pub plane: (usize, usize, usize),
    /// Thickness of acquired slices through the plane in millimetres.
    pub thickness: f64,
    /// The acquired number of voxels along i, j and k, where it is known to be less than the stored one: as source or
    /// sidecar says, and for `--native` from k-space.
    pub acquired: [Option<usize>; 3],
    /// The header of the grid that is enlarged.
    pub header: Header,
    /// Sides of the result along i, j and k.
    pub sides: [usize; 3],
    /// Factor of the model.
    scale: usize,
    /// The mask, outside of which there is only interpolation.
    pub mask: Option<Nifti>,
    /// Type of the result's voxels.
    pub datatype: Datatype,
    /// What was asked for.
    pub options: VolumeOptions,
    /// Warnings before work starts, one sentence each.
    pub warnings: Vec<String>,
}

impl Plan {
    /// Reads the header of the volume at `path`, and plans as [`Plan::of`].
    ///
    /// # Errors
    /// `Input` for what cannot be read or should not be interpolated, and as [`Plan::of`].
    pub fn new(
        path: &Path,
        target: Target,
        scale: usize,
        options: &VolumeOptions,
        limits: &Limits,
    ) -> Result<Self> {
        let nifti = Nifti::open(path)?;
        if !options.force
            && let Some(refusal) = refusal(&nifti.header, path)
        {
            return Err(Error::new(ErrorKind::Input, refusal));
        }
        Self::of(Source::Nifti(nifti), target, scale, options, limits)
    }

    /// Plans what becomes of `source` with a model of factor `scale`, and is written as NIfTI.
    ///
    /// # Errors
    /// `Input` for a series that should not be interpolated, `Limit` for slices that are too large, `InvalidOption` for
    /// options that do not suit it.
    pub fn of(
        source: Source,
        target: Target,
        scale: usize,
        options: &VolumeOptions,
        limits: &Limits,
    ) -> Result<Self> {
        if let Source::Series(series) = &source
            && let Some(what) = series.component.refused().filter(|_| !options.force)
        {
            let message = format!(
                "holds {what} (ImageType), and values between them mean nothing: expected intensities, or give --force"
            );
            return Err(Error::new(ErrorKind::Input, message));
        }
        if !matches!(target, Target::Native | Target::Scale(_)) {
            return Err(Error::invalid_option(
                "width, height and fit are for images: expected --scale for volumes",
            ));
        }
        if options.consistency_kernel == Some(ConsistencyKernel::Kspace)
            && (options.through.is_some() || options.mask.is_some())
        {
            return Err(Error::invalid_option(
                "--consistency-kernel kspace works on whole slices in the plane: expected no --through and no --mask",
            ));
        }
        if options.native && options.mask.is_some() {
            return Err(Error::invalid_option(
                "--mask lies on the grid as stored, which --native leaves: expected one of the two",
            ));
        }
        let [i, j, k, times] = source.shape();
        let stored = Geometry::of(source.header(), [i, j, k]);
        let mask = options.mask.as_ref().map(|path| mask::open(path, &stored)).transpose()?;
        let plane = match options.plane {
            Some((a, b)) => (a, b, 3 - a - b),
            // The slices of a series are known to be its plane.
            None if matches!(source, Source::Series(_)) => (0, 1, 2),
            None => stored.finest_plane(),
        };
        let (a, b, _) = plane;
        let mut warnings = source.warnings().to_vec();
        warnings.extend(stored.warnings(source.form()));
        let acquired = acquired(&source, options)?;
        let (mut own, mut header) = (stored.sides, source.header().clone());
        if options.native {
            [a, b].into_iter().for_each(|axis| own[axis] = acquired[axis].unwrap_or(own[axis]));
            if own == stored.sides {
                warnings.push(
                    "--native has nothing to do: all stored pixels were acquired, as far as one can tell"
                        .into(),
                );
            }
            warnings.extend(stored.refine(&mut header, own));
        }
        let native = own != stored.sides;
        let geometry = Geometry::of(&header, own);
        let distance = geometry.voxel_mm()[plane.2];
        let thickness = distances::thickness(&source, plane.2, distance, options, &mut warnings)?;
        let (width, height) = (geometry.sides[a], geometry.sides[b]);
        limits.check(width as u64, height as u64, 1, 8)?;
        let slices = geometry.sides[plane.2].saturating_mul(times);
        if slices > MAX_SLICES {
            let message = format!("the volume has {slices} slices: expected at most {MAX_SLICES}");
            return Err(Error::new(ErrorKind::Limit, message));
        }
        let mut sides = geometry.sides;
        if let Some(distance) = options.through {
            if target != Target::Native {
                return Err(Error::invalid_option("--through and --scale are given: expected one of them"));
            }
            sides[plane.2] = distances::count(&geometry, plane, distance)?;
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
        let datatype = datatype(source.datatype(), is_copy, options, &mut warnings)?;
        Ok(Self {
            source,
            output: Output::Nifti,
            geometry,
            plane,
            thickness,
            acquired,
            header,
            sides,
            scale,
            mask,
            datatype,
            options: options.clone(),
            warnings,
        })
    }

    /// The same, but written as DICOM with the attributes of `series`, whose grid lies where the volume does.
    ///
    /// # Errors
    /// `InvalidOption` for another type of voxels, or a series that lies elsewhere; `Limit` where a side of the result is
    /// too long for DICOM.
    pub fn into_dicom(mut self, series: Arc<Series>) -> Result<Self> {
        if self.options.datatype.is_some() {
            return Err(Error::invalid_option(
                "--datatype is for NIfTI: pixels of DICOM are stored like those of the series",
            ));
        }
        dicom::size(self.sides)?;
        if let Source::Nifti(nifti) = &self.source {
            self.geometry.check_place(&series, nifti.shape[3])?;
        }
        // Pixels are rounded to what the series stores when they are written, and not before.
        self.datatype = match &self.source {
            Source::Nifti(_) => Datatype::F64,
            Source::Series(_) => self.source.datatype(),
        };
        let rounded = becomes_float(self.source.datatype());
        self.warnings.retain(|warning| *warning != rounded);
        self.output = Output::Dicom(series);
        Ok(self)
    }

    /// Sides along i, j and k as stored in the file.
    pub fn stored(&self) -> [usize; 3] {
        let [i, j, k, _] = self.source.shape();
        [i, j, k]
    }

    /// Whether the axis through the plane is enlarged, and not the plane.
    pub fn is_through(&self) -> bool {
        self.options.through.is_some()
    }

    /// The thickness of acquired slices in millimetres, where it matters and is not their distance.
    pub fn profile(&self) -> Option<f64> {
        let distance = self.geometry.voxel_mm()[self.plane.2];
        Some(self.thickness).filter(|thickness| self.is_through() && *thickness != distance)
    }

    /// Whether slices are reduced first to what was acquired. Then `geometry` and `header` are those of what remains.
    pub fn is_native(&self) -> bool {
        self.geometry.sides != self.stored()
    }

    /// What reduces slices to what was acquired, if that was asked for.
    pub fn resizer(&self) -> Option<Resizer> {
        let ((a, b, _), stored, new) = (self.plane, self.stored(), self.geometry.sides);
        self.is_native().then(|| Resizer::new((stored[b], stored[a]), (new[b], new[a])))
    }

    /// Width and height of a slice.
    pub fn size(&self) -> (usize, usize) {
        (self.geometry.sides[self.plane.0], self.geometry.sides[self.plane.1])
    }

    /// Width and height of a slice of the result.
    pub fn target(&self) -> (usize, usize) {
        (self.sides[self.plane.0], self.sides[self.plane.1])
    }

    /// The noise of the slice at `index` along `axis`, of the volume number `time`.
    pub fn noise(&self, time: usize, axis: usize, index: usize) -> NoisePlace {
        // Slices along each axis have planes of their own, at most one more than there are slices.
        let planes = |sides: &[usize]| sides.iter().map(|side| side + 1).sum::<usize>();
        let sides = &self.geometry.sides;
        let first = time * planes(sides) + planes(&sides[..axis]);
        noise::place(first, index, self.geometry.voxel_mm()[axis], self.options.noise_length)
    }

    /// The number of slices, of all volumes.
    pub fn slices(&self) -> usize {
        self.source.shape()[self.plane.2] * self.source.shape()[3]
    }

    /// The axes of the plane along which slices through it are taken: those with more than one voxel.
    pub fn families(&self) -> Vec<usize> {
        let (a, b, _) = self.plane;
        [a, b].into_iter().filter(|axis| self.geometry.sides[*axis] > 1).collect()
    }

    /// Through the plane, the number of voxels along `axis` for the model: as far apart as slices, as in images it knows, but
    /// at least those that it makes again.
    pub fn narrowed(&self, axis: usize) -> usize {
        let (voxel, side) = (self.geometry.voxel_mm(), self.geometry.sides[axis]);
        let times = (voxel[self.plane.2] / voxel[axis]).max(1.0).min(self.scale as f64);
        ((side as f64 / times).round() as usize).max(1)
    }

    /// Width and height of every slice that goes through the engine, and of what it makes of it.
    pub fn runs(&self) -> Vec<((usize, usize), (usize, usize))> {
        if !self.is_through() {
            return vec![(self.size(), self.target()); self.slices()];
        }
        let (a, b, through) = self.plane;
        let old = self.geometry.sides;
        let family = |axis: usize| {
            let (width, height) = (self.narrowed(axis), old[through]);
            let run = ((width, height), (self.scale * width, self.scale * height));
            vec![run; old[a + b - axis] * self.source.shape()[3]]
        };
        self.families().into_iter().flat_map(family).collect()
    }

    /// How many times as fine the result is.
    pub fn factor(&self) -> f64 {
        let axis = if self.is_through() { self.plane.2 } else { self.plane.0 };
        self.sides[axis] as f64 / self.geometry.sides[axis] as f64
    }

    /// Distances of the result's voxels along i, j and k in millimetres.
    pub fn voxel_mm(&self) -> [f64; 3] {
        let (old, voxel) = (self.geometry.sides, self.geometry.voxel_mm());
        std::array::from_fn(|axis| voxel[axis] * old[axis] as f64 / self.sides[axis] as f64)
    }

    /// Whether the result has the size of the input, so that its voxels are copied.
    pub fn is_copy(&self) -> bool {
        self.sides == self.geometry.sides && !self.is_native()
    }

    /// The names of the axes of the plane.
    pub fn plane_name(&self) -> String {
        [AXES[self.plane.0], AXES[self.plane.1]].iter().collect()
    }

    /// Bytes of the voxels of the result.
    pub fn result_bytes(&self) -> u64 {
        let [.., times] = self.source.shape();
        let sides = self.sides.into_iter().chain([times]);
        sides.fold(self.datatype.bytes() as u64, |bytes, side| bytes.saturating_mul(side as u64))
    }
}

/// The acquired number of voxels along each axis, where it is less than the stored one: as source and sidecar say, and
/// where that is wanted, as k-space shows.
fn acquired(source: &Source, options: &VolumeOptions) -> Result<[Option<usize>; 3]> {
    if let Some(known) = options.acquired {
        let fewer = |axis: usize| Some(known[axis]).filter(|side| (1..source.shape()[axis]).contains(side));
        return Ok(std::array::from_fn(fewer));
    }
    let stated = source.acquired();
    if !options.native {
        return Ok(stated);
    }
    let measured = kspace::acquired(source, &CancelToken::new())?;
    Ok(std::array::from_fn(|axis| stated[axis].or(measured[axis])))
}

fn becomes_float(own: Datatype) -> String {
    format!(
        "{} voxels become float32, to keep values between whole numbers; --datatype chooses another type",
        own.name()
    )
}

/// The type of the result's voxels.
fn datatype(
    own: Datatype,
    is_copy: bool,
    options: &VolumeOptions,
    warnings: &mut Vec<String>,
) -> Result<Datatype> {
    if let Some(asked) = options.datatype {
        if own.is_float() && !asked.is_float() {
            return Err(Error::invalid_option(format!(
                "datatype is {} for a volume of {}: expected float32 or float64, since integers would lose its \
                 fractions",
                asked.name(),
                own.name()
            )));
        }
        return Ok(asked);
    }
    if own.bytes() == 1 && !is_copy {
        warnings.push(becomes_float(own));
        return Ok(Datatype::F32);
    }
    Ok(own)
}
