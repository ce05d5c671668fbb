//! libpartdiff from outside, in one binary.

mod callbacks;
mod concurrency;
mod handles;
mod header;
mod installed;
mod misuse;
mod pictures;
mod soak;
mod support;
mod texts;
