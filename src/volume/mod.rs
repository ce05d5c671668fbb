//! MR volumes: NIfTI files in and out, DICOM series in, their place in the world, their intensities, and the engine slice
//! by slice.
//!
//! [`Plan`] reads a header and says what will be made; [`VolumeTask`] makes it.

mod agreement;
pub mod bids;
pub mod dicom;
mod distances;
mod enlarge;
mod gaps;
mod geometry;
mod histogram;
mod intensity;
mod kspace;
mod layout;
mod mask;
pub mod nifti;
mod noise;
pub mod options;
mod plan;
pub mod preview;
mod record;
mod refusal;
mod region;
mod sidecar;
mod slices;
mod source;
mod summary;
mod task;
mod through;
pub mod verify;

pub use intensity::Window;
pub use options::{ConsistencyKernel, Distance, VolumeOptions};
pub use plan::{Output, Plan};
pub use sidecar::{Origin, Sidecar, sidecar_path};
pub use source::{Data, Source};
pub use summary::{Side, Summary};
pub use task::{Fill, Listener, Made, Map, Sink, VolumeTask};

/// The embedded model where none is named.
pub const DEFAULT_MODEL: &str = "mri-x4";
