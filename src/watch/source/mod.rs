//! What arrives in a folder, and when it is complete.

pub mod events;
pub mod filesystem;
pub mod scan;
pub mod selection;
pub mod settle;
pub mod stamp;
