//! Image super-resolution with partial diffusion models.
//!
//! An [`Upscaler`] runs a [`model::Bundle`] over samples in memory, an [`image::Raster`]: it starts from the noised
//! low-resolution image at step K instead of from pure noise at T, and denoises only the steps K to 0. [`image`] turns
//! files into samples and back. `examples/` in the repository has a whole file, progress, and a network of one's own.
//!
//! ```
//! use partdiff::image::Raster;
//! use partdiff::model::Bundle;
//! use partdiff::{CancelToken, NoProgress, RuntimeOptions, UpscaleOptions, Upscaler};
//!
//! # fn main() -> partdiff::Result<()> {
//! # if partdiff::runtime::find(None, partdiff::runtime::Device::Cpu).is_err() {
//! #     return Ok(()); // Without ONNX Runtime there is nothing to show.
//! # }
//! let upscaler = Upscaler::open(&Bundle::resolve("natural-x4")?, &RuntimeOptions::default())?;
//! // Three channels of 32x24 pixels in sRGB coding, black 0 and white 1.
//! let image = Raster::from_vec(3, 24, 32, vec![0.5; 3 * 24 * 32]);
//! let options = UpscaleOptions { preset: Some("detailed".into()), ..UpscaleOptions::default() };
//! let made = upscaler.upscale(&image, &options, &NoProgress, &CancelToken::new())?;
//! assert_eq!((made.image.width(), made.image.height()), (128, 96));
//! # Ok(())
//! # }
//! ```

#[cfg(test)]
#[macro_use]
#[path = "../tests/support/skipped.rs"]
mod skipped;

// What the integration tests bring for the engine, under the name by which they know this crate.
#[cfg(test)]
extern crate self as partdiff;
#[cfg(test)]
#[allow(dead_code, reason = "the rest is for the integration tests")]
#[path = "../tests/integration/fake_network.rs"]
mod fake_network;

#[cfg(feature = "watch")]
#[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "the rest is for the command"))]
mod batch;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
pub mod diffusion;
mod engine;
mod error;
mod fidelity;
#[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "the rest is for the command"))]
mod fs;
#[cfg(feature = "watch")]
#[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "the rest is for the command"))]
mod html;
pub mod image;
mod limits;
pub mod model;
#[cfg(feature = "cli")]
mod preview;
mod progress;
#[cfg(feature = "watch")]
#[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "the rest is for the command"))]
mod report;
pub mod runtime;
#[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "the rest is for the command"))]
pub mod settings;
mod tiling;
#[cfg(feature = "volume")]
#[doc(hidden)]
pub mod volume;
#[cfg(feature = "watch")]
#[doc(hidden)]
pub mod watch;

pub use engine::{
    Damage, Plan, Report, RuntimeOptions, Sampling, TakeStrip, Target, UpscaleOptions, Upscaled, Upscaler,
};
pub use error::{Error, ErrorKind, Result};
pub use fidelity::Fidelity;
pub use limits::Limits;
pub use progress::{CancelToken, NoProgress, Progress, ProgressEvent};
pub use tiling::MemoryPlan;
