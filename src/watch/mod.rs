//! A watched folder: whatever picture lands in it appears upscaled in another.

pub mod child;
pub mod config;
pub mod daemon;
mod desk;
pub mod entry;
pub mod failure;
pub mod filesystem;
mod folder;
pub mod ledger;
mod ledger_views;
pub mod lock;
pub mod log;
mod making;
mod metrics;
pub mod names;
pub mod path_bytes;
pub mod place;
pub mod protocol;
pub mod recipe;
mod room;
mod running;
pub mod scan;
pub mod schedule;
pub mod selection;
pub mod settings;
pub mod settle;
pub mod signals;
pub mod source;
pub mod stamp;
mod supervisor;
mod transitions;
pub mod worker;

pub use config::Config;
pub use daemon::{Daemon, End, Happening, Service};
pub use ledger::Ledger;
pub use ledger_views::{Counts, Event};
