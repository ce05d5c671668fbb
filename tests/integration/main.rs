//! Integration tests, one binary.

#[cfg(feature = "cli")]
mod cli;
mod engine;
mod fake_network;
mod sampler_reference;
