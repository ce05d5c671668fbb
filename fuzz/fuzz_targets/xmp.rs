//! XMP packets and the record of making in them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| partdiff::image::fuzzing::xmp(data));
