//! What the kernel says of a WireGuard device.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    zt_fuzz::wireguard_dump::body(bytes);
});
