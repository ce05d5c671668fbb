//! Tests of the library and the command from outside, in one binary.

mod aligned_oracle;
mod cli;
mod engine;
mod fake_network;
mod real_model;
mod sampler_reference;
