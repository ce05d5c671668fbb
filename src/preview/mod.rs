//! A part of an image in several versions, and what each costs, for people who choose a preset by eye.

mod crop;
mod heat;
mod page;
mod version;

pub use crop::Crop;
pub use page::{About, page};
pub use version::{Asked, preview};
