//! A series: frames on one grid, in spatial order.

use super::place::Place;
use crate::volume::nifti::Datatype;

/// One series: frames of the same size and orientation, evenly apart along their normal, at one or several times.
#[derive(Clone, Debug)]
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
    /// Columns and rows that the scanner acquired, where these are fewer than are stored.
    pub acquired: Option<[usize; 2]>,
    /// Harmless problems of the series, one sentence each.
    pub warnings: Vec<String>,
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
}

/// How pixels are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
