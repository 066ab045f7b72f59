//! Sequences of events, plans and packets.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    zt_fuzz::script::body(bytes);
});
