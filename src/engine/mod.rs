//! One model pass: the partial-sampling loop over tiles, steps and bands.

mod band;
mod guard;
mod meter;
mod pass;
mod tile;
mod workers;

pub(crate) use meter::Meter;
pub(crate) use pass::{Counts, ModelPass, StepInput};
pub(crate) use workers::{Fallback, Worker, Workers};
