//! What `zt` costs, measured: the worlds, the engines to compare with, and the rows of the report.
//!
//! The program `counters` prints the report; `docs/performance.md` says what each row means and how to repeat it.
//! Whatever can be counted is counted (instructions, allocations, bytes), because counts repeat; times are only ever
//! compared with times of the same run.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "small numbers of made-up worlds; overflow is checked at run time"
)]

pub mod clock;
pub mod error;
pub mod report;
pub mod rows;
pub mod valgrind;
pub mod world;

pub use error::Error;
