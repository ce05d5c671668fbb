//! What is told of the work: events, and what writes them.

pub mod event;
pub mod json;
pub mod line;
