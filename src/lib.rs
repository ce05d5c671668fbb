//! Image super-resolution with partial diffusion models.
//!
//! [`Upscaler`] runs a [`model::Bundle`] over a planar [`image::Raster`]: it starts from the diffused
//! low-resolution picture at step K instead of from pure noise, and denoises only the steps K to 0.

pub mod batch;
#[cfg(feature = "cli")]
pub mod cli;
pub mod diffusion;
pub mod engine;
pub mod error;
mod fidelity;
pub mod fs;
pub mod image;
pub mod limits;
pub mod model;
pub mod progress;
pub mod runtime;
pub mod settings;
pub mod tiling;
#[cfg(feature = "watch")]
pub mod watch;

pub use engine::{Plan, Report, RuntimeOptions, TakeStrip, Target, UpscaleOptions, Upscaled, Upscaler};
pub use error::{Error, ErrorKind, Result};
pub use fidelity::Fidelity;
pub use limits::Limits;
pub use progress::{CancelToken, NoProgress, Progress, ProgressEvent};
