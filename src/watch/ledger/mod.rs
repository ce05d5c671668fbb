//! What is known of every input, kept in a database.

pub mod entry;
pub mod store;
pub(crate) mod transitions;
pub(crate) mod views;
