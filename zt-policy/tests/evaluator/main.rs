//! The evaluator against Cedar's authorizer.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    reason = "a test that fails says so by panicking"
)]

mod compare;
mod differential;
mod edges;
mod faults;
mod generate;
