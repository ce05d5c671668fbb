//! What is told: bar, lines, JSON events, exit codes.

pub mod bar;
pub mod events;
pub mod exit;
pub mod human;
pub mod stdout;
