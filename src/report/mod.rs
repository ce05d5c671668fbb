//! Events, and how they are written.

pub mod event;
pub mod json;
pub mod line;
pub mod shown;
