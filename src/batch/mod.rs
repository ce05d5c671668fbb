//! What happens to one file and to many: read, upscaled page by page, written, checked again.

pub mod admission;
#[cfg(test)]
pub(crate) mod fixture;
pub mod naming;
pub mod page;
pub mod planned_page;
pub mod probe;
pub mod processor;
pub mod timings;
pub mod verify;
