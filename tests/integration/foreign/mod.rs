//! Files of other programs that once came out wrong: what became of them, against what other decoders read.
//!
//! The inputs lie in `tests/data/foreign`, each with the pixels that the decoder named in the table there gives.

mod damage;
mod jpeg;
mod metadata;
mod tiff;
mod tiff_damage;
