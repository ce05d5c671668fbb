//! Reports on inputs: the log, a preview, what the ledger knows of one.

pub mod entry_text;
pub mod log;
pub mod preview;
