//! Images: bytes to planar samples and back.
//!
//! The way of an image: [`header`] tells its size for planning, [`decode`] makes a [`Image`] with its
//! metadata, [`prepare_for_model`] parts it into sRGB-coded colour and a [`Frame`]; the enlarged colour goes to
//! [`Frame::restore`], and the result, with a [`Provenance`] record if wanted, to [`encode_to`].

mod alpha;
mod color;
mod decode;
mod encode;
mod foreign;
mod format;
#[cfg(fuzzing)]
pub mod fuzzing;
mod header;
#[allow(clippy::module_inception, reason = "it holds the image")]
mod image;
mod interleave;
mod jpeg_quality;
mod libjpeg;
mod metadata;
mod orientation;
mod outside;
mod provenance;
mod raster;
mod resample;
mod working;

pub use decode::{decode, decode_page, page_count};
pub use encode::{EncodeOptions, Encoded, PageWriter, encode, encode_to};
pub use foreign::unreadable;
pub use format::ImageFormat;
pub use header::{Header, header, page_headers};
pub use image::{Image, SampleDepth};
pub use interleave::Sample;
pub use jpeg_quality::jpeg_quality;
pub use metadata::{Density, DensityUnit, Geo, Metadata, Retouch, Strip};
#[cfg(feature = "volume")]
pub(crate) use outside::{add_outside, take_outside};
pub use provenance::Provenance;
pub use raster::Raster;
pub(crate) use resample::RowResampler;
pub use resample::{Kernel, Resampler, resize};
pub use working::{Frame, Prepared, RestoreOptions, Strips, prepare_for_model};

#[cfg(test)]
mod tests;
