//! Inner packets, and what the filter makes of them.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    zt_fuzz::packet::body(bytes);
});
