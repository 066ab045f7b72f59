//! Directory files for the example site.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    zt_fuzz::directory::body(bytes);
});
