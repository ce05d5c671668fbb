//! What JPEG, PNG, WebP and TIFF files say besides their pixels, from reading to writing.
#![no_main]

use partdiff::image::{ImageFormat, fuzzing};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Some(format) = ImageFormat::sniff(data) {
        fuzzing::copy_metadata(format, data);
    }
});
