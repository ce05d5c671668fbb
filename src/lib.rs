//! Image super-resolution with partial diffusion models.

pub mod error;
pub mod image;
pub mod network;
pub mod progress;
pub mod runtime;

pub use error::{Error, ErrorKind, Result};
