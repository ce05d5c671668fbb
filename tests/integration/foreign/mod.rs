//! Files of other programs that once came out wrong: what became of them, against what other decoders read.
//!
//! The inputs lie in `tests/data/foreign`, each with the pixels that the decoder named in the table there gives.

mod damage;
mod damage_others;
mod jpeg;
mod metadata;
mod table;
mod tiff;
mod tiff_damage;
