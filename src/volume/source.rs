//! What a volume is made of: a NIfTI file or a DICOM series. Both give a header of NIfTI and voxels in the order of one.

use std::sync::Arc;

use super::dicom::{self, Series};
use super::nifti::{self, Datatype, Extension, Form, Header, Nifti};
use super::sidecar::Sidecar;
use super::verify::record;
use crate::error::Result;

/// A volume whose header was read.
#[derive(Clone, Debug)]
pub enum Source {
    /// A file of NIfTI or Analyze.
    Nifti(Nifti),
    /// A DICOM series.
    Series(Arc<Series>),
}

/// The voxels of a volume, in the order of a NIfTI file.
#[allow(missing_docs, reason = "as Source")]
pub enum Data {
    Nifti(nifti::Data),
    Series(Box<dicom::Data>),
}

impl Source {
    /// The header; of a series, that of the NIfTI file with the same voxels.
    pub fn header(&self) -> &Header {
        match self {
            Self::Nifti(nifti) => &nifti.header,
            Self::Series(series) => &series.header,
        }
    }

    /// Type of the voxels.
    pub fn datatype(&self) -> Datatype {
        match self {
            Self::Nifti(nifti) => nifti.datatype,
            Self::Series(series) => series.datatype(),
        }
    }

    /// Sides along i, j, k and t.
    pub fn shape(&self) -> [usize; 4] {
        match self {
            Self::Nifti(nifti) => nifti.shape,
            Self::Series(series) => series.shape(),
        }
    }

    /// How header and data lie.
    pub fn form(&self) -> Form {
        match self {
            Self::Nifti(nifti) => nifti.form,
            Self::Series(_) => Form::Single,
        }
    }

    /// Extensions of the header in their order.
    pub fn extensions(&self) -> &[Extension] {
        match self {
            Self::Nifti(nifti) => &nifti.extensions,
            Self::Series(_) => &[],
        }
    }

    /// Harmless problems, one sentence each.
    pub fn warnings(&self) -> &[String] {
        match self {
            Self::Nifti(nifti) => &nifti.warnings,
            Self::Series(series) => &series.warnings,
        }
    }

    /// Whether a NIfTI file of it is compressed by default.
    pub fn is_packed(&self) -> bool {
        match self {
            Self::Nifti(nifti) => nifti.is_packed(),
            Self::Series(_) => true,
        }
    }

    /// The thickness of slices across `axis` in millimetres, as a file's sidecar or a series states it.
    pub fn thickness(&self, axis: usize) -> Option<f64> {
        match self {
            // What is wrong with a sidecar is told by those who copy it.
            Self::Nifti(nifti) => {
                Sidecar::of(nifti.data_path()).ok().flatten()?.thickness(axis, &nifti.header)
            }
            Self::Series(series) => series.grid.thickness.filter(|_| axis == 2),
        }
    }

    /// The number of voxels along i, j and k that the scanner acquired, where it is known that they are fewer than those
    /// stored: as a file's sidecar or a series says.
    pub fn acquired(&self) -> [Option<usize>; 3] {
        let [i, j, k, _] = self.shape();
        match self {
            _ if self.is_derived() => [None; 3],
            // What is wrong with a sidecar is told by those who copy it.
            Self::Nifti(nifti) => {
                let sidecar = Sidecar::of(nifti.data_path()).ok().flatten();
                sidecar.map(|sidecar| sidecar.acquired([i, j, k])).unwrap_or_default()
            }
            Self::Series(series) => {
                let [columns, rows] = series.acquired.unwrap_or([i, j]);
                let fewer = |acquired: usize, stored: usize| (acquired < stored).then_some(acquired);
                [fewer(columns, i), fewer(rows, j), None]
            }
        }
    }

    /// Whether it was made of another volume, by this program or, as a series says, by any: how that was acquired says
    /// nothing of its grid.
    pub fn is_derived(&self) -> bool {
        match self {
            Self::Nifti(nifti) => record(nifti).is_some(),
            Self::Series(series) => series.is_derived,
        }
    }

    /// SHA-256 of the file with the voxels, in hexadecimal; of a series, of all its files in spatial order.
    ///
    /// # Errors
    /// `Input` where they cannot be read.
    pub fn hash(&self) -> Result<String> {
        match self {
            Self::Nifti(nifti) => nifti.hash(),
            Self::Series(series) => series.hash(),
        }
    }

    /// The voxels from the first one on.
    ///
    /// # Errors
    /// `Input` where they cannot be read.
    pub fn data(&self) -> Result<Data> {
        match self {
            Self::Nifti(nifti) => nifti.data().map(Data::Nifti),
            Self::Series(series) => Ok(Data::Series(Box::new(dicom::Data::new(Arc::clone(series))))),
        }
    }
}

impl Data {
    /// Fills `buffer` with the next voxels, a whole number of them.
    ///
    /// # Errors
    /// `Input` where they end before, or are damaged.
    pub fn fill(&mut self, buffer: &mut [u8]) -> Result<()> {
        match self {
            Self::Nifti(data) => data.fill(buffer),
            Self::Series(data) => data.fill(buffer),
        }
    }

    /// Reads what follows the voxels. Returns what is worth a warning.
    ///
    /// # Errors
    /// `Input` where compressed data is damaged.
    pub fn finish(self) -> Result<Option<String>> {
        match self {
            Self::Nifti(data) => data.finish(),
            Self::Series(_) => Ok(None),
        }
    }
}
