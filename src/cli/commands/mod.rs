//! One file a command.

pub mod desktop;
pub mod doctor;
pub mod generate;
pub mod gimp;
pub mod interrupt;
pub mod krita;
pub mod model;
pub mod preview;
pub mod runtime;
pub mod trial;
pub mod upscale;
pub mod verify;
pub mod watch;
pub mod watch_query;
