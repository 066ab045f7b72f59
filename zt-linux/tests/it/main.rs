//! Names and numbers everywhere; devices, links and packets in network namespaces of their own, where that is allowed.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on is to fail there"
)]

mod apply;
mod filter;
mod gone;
mod namespace;
mod packets;
mod permission;
mod tun;
mod values;
mod wireguard;
