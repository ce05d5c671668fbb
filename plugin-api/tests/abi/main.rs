//! libpartdiff from outside, in one binary.

#[macro_use]
#[path = "../../../tests/support/skipped.rs"]
mod skipped;
mod callbacks;
mod concurrency;
mod handles;
mod header;
mod images;
mod installed;
mod misuse;
#[path = "../../../tests/support/python.rs"]
mod python;
mod soak;
mod support;
mod texts;
