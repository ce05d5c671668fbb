//! Integration tests, one binary.

mod engine;
mod fake_network;
mod sampler_reference;
