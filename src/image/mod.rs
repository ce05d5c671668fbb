//! Pictures: bytes to planar samples and back.

mod raster;
pub mod resample;

pub use raster::Raster;
pub use resample::{Kernel, Resampler, resize};
