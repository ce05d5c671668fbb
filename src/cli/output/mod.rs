//! What is told: bar, lines, exit codes.

pub mod bar;
pub mod exit;
pub mod human;
pub mod stdout;
