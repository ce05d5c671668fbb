//! The command line as typed, and what it asks for.

pub mod choice;
pub mod destination;
pub mod given;
pub mod inputs;
pub mod settings_args;
pub mod shard;
pub mod upscale_args;
pub mod upscale_request;
pub mod volume_args;
