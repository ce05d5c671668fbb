//! Tests of the library from outside, in one binary.

mod aligned_oracle;
mod sampler_reference;
