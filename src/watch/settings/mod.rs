//! What a watch can be asked for, and its configuration file.

pub mod config;
pub mod names;
pub mod schedule;
pub mod watch_settings;
