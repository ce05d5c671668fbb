//! Pictures: bytes to planar samples and back.

mod decode;
mod encode;
mod format;
mod interleave;
mod picture;
mod raster;
mod resample;

pub use decode::decode;
pub use encode::{EncodeOptions, Encoded, encode, encode_to};
pub use format::ImageFormat;
pub use picture::{Picture, SampleDepth};
pub use raster::Raster;
pub use resample::{Kernel, Resampler, resize};
