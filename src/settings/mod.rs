//! What a user can ask for, and how its values are written.

pub mod cleanup;
#[cfg(feature = "watch")]
pub mod recipe;
pub mod units;
#[cfg(feature = "watch")]
pub(crate) mod values;
