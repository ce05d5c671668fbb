//! One file a command.

pub mod doctor;
pub mod generate;
pub mod gimp;
pub mod interrupt;
pub mod model;
pub mod preview;
pub mod runtime;
pub mod trial;
pub mod upscale;
pub mod verify;
pub mod watch;
pub mod watch_query;
