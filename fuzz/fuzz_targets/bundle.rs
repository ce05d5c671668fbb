//! A zipped bundle.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = partdiff::model::Bundle::from_zip(data);
});
