//! What the daemon tells: log, summary, metrics, status.

pub mod log;
pub(crate) mod metrics;
pub mod preview;
pub mod standing;
pub(crate) mod status;
pub(crate) mod summary;
