//! A watched folder: whatever image lands in it appears upscaled in another.

pub mod daemon;
#[cfg(test)]
mod fixture;
pub mod ledger;
pub mod report;
pub mod settings;
pub mod source;
pub mod worker;

pub use daemon::event_loop::{Daemon, End, Message, Service};
pub use ledger::store::Ledger;
pub use ledger::views::{Counts, Event};
pub use settings::config::Config;
