//! A watched folder: whatever picture lands in it appears upscaled in another.

pub mod entry;
pub mod failure;
pub mod filesystem;
pub mod ledger;
mod ledger_views;
pub mod path_bytes;
pub mod protocol;
pub mod recipe;
pub mod scan;
pub mod schedule;
pub mod selection;
pub mod settle;
pub mod stamp;
mod transitions;
pub mod units;

pub use ledger::Ledger;
pub use ledger_views::{Counts, Event};
