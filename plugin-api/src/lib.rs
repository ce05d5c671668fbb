//! libpartdiff: the C ABI over [`partdiff::Upscaler`].
//!
//! What hosts may rely on is told at the top of `include/partdiff.h`, which cbindgen makes from this crate. The ways
//! in are in [`library`], [`context`], [`model`], [`job`] and [`upscale`]; each does its work behind [`guard`].

#![allow(clippy::missing_safety_doc, reason = "the header tells hosts what they have to keep to")]

// In the order in which the header tells them.
pub mod abi;

pub mod library;

pub mod context;

pub mod model;

pub mod job;

pub mod upscale;

pub mod failure;
pub mod guard;
pub mod handles;
mod image;
mod options;
mod run;
mod samples;
mod strings;
