//! MR volumes: NIfTI files in and out, their place in the world, their intensities, and the engine slice by slice.
//!
//! [`Plan`] reads a header and says what will be made; [`VolumeTask`] makes it.

pub mod bids;
mod geometry;
mod histogram;
mod intensity;
mod kspace;
mod layout;
pub mod nifti;
pub mod options;
mod plan;
pub mod preview;
mod refusal;
mod sidecar;
mod slices;
mod summary;
mod task;
mod through;
pub mod verify;

pub use intensity::Window;
pub use options::{Distance, VolumeOptions};
pub use plan::Plan;
pub use sidecar::{Origin, Sidecar, sidecar_path};
pub use summary::{Side, Summary};
pub use task::{Fill, Listener, Made, VolumeTask};

/// The embedded model where none is named.
pub const DEFAULT_MODEL: &str = "mri-x4";
