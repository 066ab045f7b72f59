//! Entries of the log, as JSON.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    zt_fuzz::entry::body(bytes);
});
