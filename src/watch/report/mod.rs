//! What is told about inputs: the log, a preview, how one stands.

pub mod log;
pub mod preview;
pub mod standing;
