//! DICOM series: files told by their contents, sorted by the places of their slices, and read slice by slice.
//!
//! The standard: <https://dicom.nema.org/medical/dicom/current/output/html/>, in particular PS3.3 (attributes) and PS3.10
//! (files). No message shows the value of an attribute that may name the patient.

mod attributes;
mod classic;
mod collection;
mod component;
mod content;
mod data;
mod decimal;
mod derived;
mod dropped;
mod file;
pub mod found;
mod grid;
mod header;
mod lengths;
mod nesting;
mod pixels;
mod place;
mod series;
mod sort;
mod uid;
mod writer;

pub use collection::{Collection, Member, Unusable, files_of};
pub use component::Component;
pub use data::Data;
pub use file::read_header;
pub use pixels::check_storable;
pub use place::Place;
pub use series::{Frame, Grid, Sample, Series};
pub use sort::{Group, sort};
pub use writer::{EXTENSION, Making, Writer, is_written_here, size};
