//! PartDiff's plug-ins in the user's GIMP profiles: found, installed, compared, removed.

mod package;
mod profile;

pub use profile::{Generation, Profile, profiles};

/// Name of the plug-in's folder, of the program in it, and of its message catalogues.
pub const PLUG_IN: &str = "partdiff-gimp";
