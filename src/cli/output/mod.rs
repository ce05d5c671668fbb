//! What is told: bar, lines, manual pages, exit codes.

pub mod bar;
pub mod exit;
pub mod human;
pub mod manual;
pub mod report_page;
pub mod stdout;
pub mod watch_page;
