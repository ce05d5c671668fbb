//! What happens to one file and to many: read, upscaled page by page, written, checked again.

#[cfg(feature = "watch")]
pub(crate) mod admission;
pub mod naming;
#[cfg(feature = "watch")]
pub(crate) mod page;
#[cfg(feature = "watch")]
pub(crate) mod planned_page;
#[cfg(feature = "watch")]
pub(crate) mod probe;
#[cfg(feature = "watch")]
pub(crate) mod processor;
pub mod verify;
