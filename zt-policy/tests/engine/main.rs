//! The engine through its public face: what loads, what is decided, and for how long.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod determinism;
mod differential;
mod fail_open;
mod incremental;
mod invariants;
mod load_errors;
mod never_widens;
mod remedies;
mod remedies_work;
mod resources;
mod scenarios;
mod unknown;
mod validity;
mod world;
