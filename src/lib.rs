//! Image super-resolution with partial diffusion models.

pub mod error;
pub mod image;
pub mod limits;
pub mod network;
pub mod progress;

pub use error::{Error, ErrorKind, Result};
