//! The process that makes results, and what it says to the daemon.

pub mod child;
pub mod failure;
pub(crate) mod making;
pub mod protocol;
pub mod serve;
pub(crate) mod volume;
