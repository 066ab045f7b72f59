#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "a test that fails says so by panicking"
)]
//! Collectors on small sysroots, the sysroot against hostile trees, and the parsers against arbitrary bytes.

mod adding;
mod disks;
mod firmware;
mod fixture;
mod layers;
mod machine;
mod parsers;
mod restarts;
mod sysroot;
mod versions;
