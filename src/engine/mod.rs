//! One model pass: the partial-sampling loop over tiles, steps and bands.

mod band;
mod guard;
mod meter;
mod pass;
mod probe;
mod spread;
mod tile;
mod workers;
mod workload;

pub(crate) use meter::{CANCEL_POLL, Meter};
pub(crate) use pass::{Counts, Enlarged, ModelPass, StepInput};
pub(crate) use probe::probe;
pub(crate) use workers::{Fallback, Worker, Workers};
pub(crate) use workload::workload;
