//! PartDiff's plug-in in the user's Krita: found, installed, compared, removed.

mod installation;
mod package;

pub use installation::{Installation, installations};

/// Name of the plug-in's package.
pub const PLUG_IN: &str = "partdiff_krita";
