//! EXIF blocks: directories, corrections in place, rebuilding.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| partdiff::image::fuzzing::exif(data));
