//! Tests of the library and the command from outside, in one binary.

#[cfg(feature = "cli")]
#[macro_use]
#[path = "../support/skipped.rs"]
mod skipped;
mod aligned_oracle;
mod bundles;
#[cfg(all(feature = "cli", target_os = "linux"))]
mod carried;
#[cfg(feature = "cli")]
mod cli;
mod engine;
mod fake_network;
#[cfg(feature = "cli")]
mod foreign;
mod hostile;
#[cfg(target_os = "linux")]
mod memory;
#[cfg(feature = "cli")]
mod program;
mod properties;
#[path = "../support/python.rs"]
#[cfg(feature = "cli")]
mod python;
mod real_model;
mod sampler_reference;
mod sharing;
mod strips;
#[cfg(feature = "cli")]
mod volume;
#[cfg(all(feature = "cli", target_os = "linux"))]
mod watch;
