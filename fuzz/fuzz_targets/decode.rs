//! Whole files in the formats whose containers are read here: their pixels, within limits.
#![no_main]

use partdiff::Limits;
use partdiff::image::{decode, page_count};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let limits = Limits { max_pixels: 1 << 16, max_decode_bytes: 16 << 20, ..Limits::default() };
    let _ = decode(data, &limits);
    let _ = page_count(data);
});
