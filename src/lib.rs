//! Image super-resolution with partial diffusion models.

pub mod diffusion;
pub mod error;
pub mod image;
pub mod network;
pub mod progress;

pub use error::{Error, ErrorKind, Result};
