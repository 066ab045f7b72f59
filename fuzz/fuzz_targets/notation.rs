//! Keys, prefixes, services and names.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    zt_fuzz::notation::body(bytes);
});
