//! Image in, larger image out: plans, and the partial-sampling loop over passes, bands, tiles and steps.

mod admission;
mod band;
mod damage;
mod enlarged;
mod guard;
mod meter;
pub mod options;
mod pass;
mod passes;
mod plan;
mod probe;
mod report;
mod runtime_options;
pub(crate) mod sampling;
mod spread;
mod strips;
mod tile;
mod upscaler;
mod workers;
mod workload;

pub use damage::Damage;
pub use options::{Target, UpscaleOptions};
pub use plan::Plan;
pub use report::Report;
pub use runtime_options::RuntimeOptions;
pub use sampling::Sampling;
#[cfg(feature = "volume")]
pub(crate) use spread::Spread;
pub use strips::TakeStrip;
pub use upscaler::{Upscaled, Upscaler};
