//! Integration tests, one binary.

mod aligned_oracle;
mod engine;
mod fake_network;
mod real_model;
mod sampler_reference;
