//! `model.json`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = partdiff::model::Manifest::parse(data);
});
