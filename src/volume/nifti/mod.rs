//! NIfTI-1, NIfTI-2 and Analyze 7.5: read and written in slices, never held as a whole.
//!
//! The format: <https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h> and `nifti2.h`. What of a file is accepted
//! follows nibabel.

mod analyze;
mod datatype;
mod extension;
pub mod field;
mod gzip;
mod header;
mod name;
mod reader;
mod writer;

pub use datatype::Datatype;
pub use extension::{COMMENT, Extension};
pub use header::{Form, Header, Order, Version};
pub use name::{advice, is_found, is_volume, name_means_packed, not_watched, without_gz};
pub use reader::{Data, Nifti};
pub use writer::{Packing, write};
