//! The entries of file managers, and what they run.

pub mod entries;
pub mod notification;
