//! DICOM series: files told by their contents, sorted by the places of their slices, and read slice by slice.
//!
//! Nothing here shows the value of an attribute that may name the patient.

mod place;
mod series;

pub use place::Place;
pub use series::{Frame, Grid, Sample, Series};
