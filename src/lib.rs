//! Image super-resolution with partial diffusion models.
//!
//! [`Upscaler`] runs a [`model::Bundle`] over a planar [`image::Raster`]: it starts from the diffused
//! low-resolution picture at step K instead of from pure noise, and denoises only the steps K to 0.

pub mod atomic_file;
pub mod cleanup;
#[cfg(feature = "cli")]
pub mod cli;
pub mod diffusion;
mod engine;
pub mod error;
mod fidelity;
#[cfg(feature = "cli")]
pub mod gimp;
mod hash;
pub mod image;
pub mod limits;
mod memory;
pub mod model;
pub mod naming;
pub mod network;
pub mod options;
#[cfg(feature = "watch")]
mod page;
pub mod progress;
#[cfg(feature = "watch")]
pub mod recipe;
mod report;
#[cfg(feature = "watch")]
mod room;
pub mod runtime;
pub mod sampling;
pub mod tiling;
pub mod units;
mod upscaler;
#[cfg(feature = "watch")]
mod values;
pub mod verify;
#[cfg(feature = "watch")]
pub mod watch;

pub use error::{Error, ErrorKind, Result};
pub use fidelity::Fidelity;
pub use limits::Limits;
pub use options::{Target, UpscaleOptions};
pub use progress::{CancelToken, NoProgress, Progress, ProgressEvent};
pub use report::{Plan, Report};
pub use upscaler::{RuntimeOptions, TakeStrip, Upscaled, Upscaler};
