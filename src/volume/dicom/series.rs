//! A series: frames on one grid, in spatial order.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::component::Component;
use super::found::{Details, Key};
use super::grid;
use super::header::header;
use super::place::Place;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::hash::hex;
use crate::volume::gaps::gaps;
use crate::volume::nifti::{Datatype, Header};

/// One series: frames of the same size and orientation, evenly apart along their normal, at one or several times.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// The files, each once, in the order in which [`Series::frames`] first uses them.
    pub files: Vec<Place>,
    /// One frame for every slice and time: slice `k` at time `t` is `frames[t * grid.slices + k]`.
    pub frames: Vec<Frame>,
    /// Where they lie.
    pub grid: Grid,
    /// How their pixels are stored.
    pub sample: Sample,
    /// SeriesNumber.
    pub number: Option<i64>,
    /// What the values are: magnitudes, phases and so on.
    pub component: Component,
    /// RescaleSlope and RescaleIntercept, where all frames have the same.
    pub scaling: Option<(f64, f64)>,
    /// The header of a NIfTI file with the same voxels, as dcm2niix lays them out: rows from the bottom up.
    pub header: Header,
    /// Columns and rows that the scanner acquired, where these are fewer than are stored.
    pub acquired: Option<[usize; 2]>,
    /// Whether its pixels were made of others: a reformat, or a result.
    pub is_derived: bool,
    /// Harmless problems of the series, one sentence each.
    pub warnings: Vec<String>,
}

impl Series {
    /// Of frames in spatial order.
    pub(super) fn new(
        files: Vec<Place>,
        frames: Vec<Frame>,
        grid: Grid,
        key: &Key,
        details: &Details,
    ) -> Self {
        let scaling = frames[0].scaling;
        let scaling = frames.iter().all(|frame| frame.scaling == scaling).then_some(scaling);
        let (acquired, is_derived) = (acquired(&grid, details), details.derived);
        let header = header(&grid, key.sample, scaling, details);
        let warnings = warnings(&grid, &frames, scaling, details);
        let (number, component, sample) = (key.number, key.component, key.sample);
        Self {
            files,
            frames,
            grid,
            sample,
            number,
            component,
            scaling,
            header,
            acquired,
            is_derived,
            warnings,
        }
    }

    /// Type of the voxels: float32 where frames have slopes and intercepts of their own, which are then applied.
    pub fn datatype(&self) -> Datatype {
        if self.scaling.is_some() { self.sample.datatype() } else { Datatype::F32 }
    }

    /// Sides along i, j, k and t.
    pub fn shape(&self) -> [usize; 4] {
        let Grid { columns, rows, slices, times, .. } = self.grid;
        [columns, rows, slices, times]
    }

    /// SHA-256 of all files, one after the other, in hexadecimal.
    ///
    /// # Errors
    /// `Input` where one cannot be read.
    pub fn hash(&self) -> Result<String> {
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 1 << 18];
        for place in &self.files {
            place
                .read(|file| {
                    loop {
                        match file.read(&mut buffer)? {
                            0 => return Ok::<_, std::io::Error>(()),
                            length => hash.update(&buffer[..length]),
                        }
                    }
                })
                .map_err(|error| {
                    Error::with_source(ErrorKind::Input, format!("cannot read {place}"), error)
                })?;
        }
        Ok(hex(&hash.finalize()))
    }
}

/// Columns and rows that were acquired, where these are fewer than are stored.
fn acquired(grid: &Grid, details: &Details) -> Option<[usize; 2]> {
    let [frequency, phase] = details.encoded?;
    let acquired = if details.phase_along_row? { [phase, frequency] } else { [frequency, phase] };
    (acquired[0] < grid.columns || acquired[1] < grid.rows).then_some(acquired)
}

/// What is worth a warning.
fn warnings(grid: &Grid, frames: &[Frame], scaling: Option<(f64, f64)>, details: &Details) -> Vec<String> {
    let mut warnings = Vec::new();
    if scaling.is_none() {
        let slopes = frames.iter().map(|frame| frame.scaling.0);
        let (low, high) =
            slopes.fold((f64::INFINITY, 0.0f64), |(low, high), slope| (low.min(slope), high.max(slope)));
        let mut text = String::from("slices have RescaleSlope and RescaleIntercept of their own");
        if low < high {
            let _ = write!(text, " (slopes {low} to {high})");
        }
        warnings.push(text + ": applied, and voxels are float32");
    }
    if let Some(modality) = &details.foreign {
        warnings.push(format!("Modality is {modality}: models for volumes are trained on MR"));
    }
    if details.lossy {
        warnings.push("was compressed with loss, whose traces are enlarged too".into());
    }
    if grid.slices > 1
        && let Some(thickness) = grid.thickness
    {
        warnings.extend(gaps(thickness, grid.distance()));
    }
    warnings
}

/// One slice at one time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frame {
    /// Which of [`Series::files`].
    pub file: usize,
    /// Number within the file, from 0.
    pub number: usize,
    /// ImagePositionPatient: the centre of the first pixel, in millimetres (LPS).
    pub position: [f64; 3],
    /// RescaleSlope and RescaleIntercept; 1 and 0 where there are none.
    pub scaling: (f64, f64),
}

/// The grid of a series, in patient coordinates (LPS, millimetres).
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// Columns: pixels along a row.
    pub columns: usize,
    /// Rows.
    pub rows: usize,
    /// Slices at each time.
    pub slices: usize,
    /// Times.
    pub times: usize,
    /// The direction along a row, as the column index grows; of length 1.
    pub along_row: [f64; 3],
    /// The direction down a column, as the row index grows; of length 1.
    pub along_column: [f64; 3],
    /// Distance of pixels along a row (the second number of PixelSpacing) and down a column (the first).
    pub spacing: [f64; 2],
    /// From a slice to the next one. It points to the side of `along_row` x `along_column`.
    pub step: [f64; 3],
    /// ImagePositionPatient of the first slice.
    pub origin: [f64; 3],
    /// SliceThickness, where it is stated.
    pub thickness: Option<f64>,
}

impl Grid {
    /// Distance of slices.
    pub fn distance(&self) -> f64 {
        self.step.iter().map(|part| part * part).sum::<f64>().sqrt()
    }

    /// The direction across slices.
    pub fn normal(&self) -> [f64; 3] {
        grid::normal(&[self.along_row, self.along_column])
    }
}

/// How pixels are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sample {
    /// BitsAllocated.
    pub allocated: u16,
    /// BitsStored.
    pub stored: u16,
    /// Whether PixelRepresentation is 1.
    pub signed: bool,
}

impl Sample {
    /// The type of the stored values.
    pub fn datatype(self) -> Datatype {
        match (self.allocated, self.signed) {
            (..=8, false) => Datatype::U8,
            (..=8, true) => Datatype::I8,
            (..=16, false) => Datatype::U16,
            (..=16, true) => Datatype::I16,
            (_, false) => Datatype::U32,
            (_, true) => Datatype::I32,
        }
    }
}
