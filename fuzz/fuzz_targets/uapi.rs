//! Replies of a WireGuard process on its UAPI socket.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    zt_fuzz::uapi::body(bytes);
});
