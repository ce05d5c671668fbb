//! Options of volumes as typed.

use std::path::PathBuf;

use clap::Args;

use crate::volume::nifti::Datatype;
use crate::volume::options;
use crate::volume::{Distance, VolumeOptions};

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Volumes (NIfTI)")]
pub struct VolumeArgs {
    /// The two axes that are enlarged: ij, ik or jk; by default the two with the finest voxels
    #[arg(long, value_name = "AXES", value_parser = options::plane)]
    pub plane: Option<(usize, usize)>,

    /// Enlarge the axis through the plane instead of the plane, to this distance between slices: iso (that of the
    /// finest pixels), or millimetres such as 1 or 1.5mm
    #[arg(long, value_name = "iso|MM", value_parser = options::distance)]
    pub through: Option<Distance>,

    /// Reduce slices in k-space to the pixels that were acquired first, where the scanner stored more of them
    /// (zero-filling); factors then count from those
    #[arg(long)]
    pub native: bool,

    /// Type of the result's voxels, such as int16 or float32; by default the input's, or float32 where that has 8 bits
    #[arg(long, value_name = "TYPE", value_parser = options::datatype)]
    pub datatype: Option<Datatype>,

    /// Level of gzip for .nii.gz, 0 to 9: with 6 files are an eighth smaller than with 1, and take seven times as long
    #[arg(long, value_name = "LEVEL", default_value = "1", value_parser = options::gz_level)]
    pub gz_level: u32,

    /// Draw three planes of the volume to PREVIEW.png: before, by cubic interpolation, after, and the uncertainty if there
    /// is a map of it, all with the same black and white. One volume only
    #[arg(long, value_name = "PREVIEW.png")]
    pub preview: Option<PathBuf>,

    /// Enlarge volumes that are refused by default, as values between theirs mean nothing: labels, masks, phases,
    /// vectors
    #[arg(long)]
    pub force: bool,
}

impl From<VolumeArgs> for VolumeOptions {
    fn from(args: VolumeArgs) -> Self {
        let VolumeArgs { plane, through, native, datatype, gz_level, force, preview: _ } = args;
        Self { plane, through, native, datatype, gz_level, force, ..Self::default() }
    }
}
