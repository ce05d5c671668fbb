//! Pictures: bytes to planar samples and back.

mod raster;

pub use raster::Raster;
