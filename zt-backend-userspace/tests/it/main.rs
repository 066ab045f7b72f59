//! Real packets through real tunnels, and the filter against a naive judge.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on is to fail there"
)]

mod cancelled;
mod conformance;
mod crowd;
mod cuts;
mod deadlines;
mod flow_log;
mod fragments;
mod lab;
mod lan;
mod late;
mod lifetime;
mod many_prefixes;
mod parsing;
mod peers;
mod recut;
mod reference;
mod refused;
mod routes;
mod streams;
mod traffic;
mod uapi;
mod underlay;
