//! What happens to one file and to many: read, upscaled page by page, written, checked again.

#[cfg(feature = "watch")]
pub(crate) mod byte_budget;
pub mod naming;
#[cfg(feature = "watch")]
pub(crate) mod page;
pub mod verify;
