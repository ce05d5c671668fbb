//! Files: written whole or not at all, told apart, hashed; paths as bytes.

pub mod atomic_file;
pub mod atomic_folder;
pub(crate) mod attributes;
pub mod companion;
#[cfg(feature = "cli")]
pub(crate) mod file_id;
pub(crate) mod folder;
pub(crate) mod hash;
pub mod no_replace;
pub mod path_bytes;
pub mod temporary;
