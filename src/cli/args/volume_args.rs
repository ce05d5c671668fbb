//! Options of volumes as typed.

use std::path::PathBuf;

use clap::Args;

use crate::volume::nifti::Datatype;
use crate::volume::options;
use crate::volume::{ConsistencyKernel, Distance, VolumeOptions};

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Volumes (NIfTI, DICOM)")]
pub struct VolumeArgs {
    /// The two axes that are enlarged: ij, ik or jk; by default the two with the finest voxels
    #[arg(long, value_name = "AXES", value_parser = options::plane)]
    pub plane: Option<(usize, usize)>,

    /// Enlarge the axis through the plane instead of the plane, to this distance between slices: iso (that of the
    /// finest pixels), or millimetres such as 1 or 1.5mm
    #[arg(long, value_name = "iso|MM", value_parser = options::distance)]
    pub through: Option<Distance>,

    /// How thick slices were acquired, for --through, where they have gaps or overlap; by default what DICOM or the JSON
    /// sidecar says (SliceThickness), else as thick as they lie apart
    #[arg(long, value_name = "MM", requires = "through", value_parser = options::thickness)]
    pub thickness: Option<f64>,

    /// A volume on the same grid: only where its voxels are not 0 does the model run; all else is interpolated
    #[arg(long, value_name = "MASK.nii.gz")]
    pub mask: Option<PathBuf>,

    /// Millimetres through the plane over which the noise of slices is alike, so that views across them do not flicker; 0
    /// makes slices independent
    #[arg(long, value_name = "MM", default_value = "2", value_parser = options::length)]
    pub noise_length: f64,

    /// How the scan's pixels came about: bicubic lets --consistency and the preset faithful work as for images; kspace puts
    /// the band of k-space that the scan holds back into each slice of the result, once and exactly. By default, one step
    /// does that where the result shows that slices are such a band; --consistency 0 never does
    #[arg(long, value_name = "bicubic|kspace", value_parser = options::consistency_kernel)]
    pub consistency_kernel: Option<ConsistencyKernel>,

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

    /// Write a NIfTI volume as a DICOM series, with the attributes (also the patient's) of SERIES, a folder or file of
    /// DICOM that lies in the same place
    #[arg(long, value_name = "SERIES")]
    pub like: Option<PathBuf>,
}

impl From<VolumeArgs> for VolumeOptions {
    fn from(args: VolumeArgs) -> Self {
        let VolumeArgs {
            plane,
            through,
            thickness,
            mask,
            noise_length,
            consistency_kernel,
            native,
            datatype,
            gz_level,
            force,
            like: _,
            preview: _,
        } = args;
        Self {
            plane,
            through,
            thickness,
            mask,
            noise_length,
            consistency_kernel,
            native,
            datatype,
            gz_level,
            force,
            ..Self::default()
        }
    }
}
