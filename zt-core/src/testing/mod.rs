//! What backends and embedders need for their tests: a naive reference, a fake backend, scripts made from bytes.
//!
//! The reference shares no code with what it checks: it recomputes everything from scratch, by linear scans.

pub mod bytes;
#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "two families and two directions, and small numbers"
)]
pub mod conformance;
mod fake;
mod packet;
#[expect(
    clippy::arithmetic_side_effects,
    reason = "lengths of packets, and plain arithmetic is what makes it naive"
)]
mod read;
#[expect(
    clippy::arithmetic_side_effects,
    reason = "lengths of packets, and plain arithmetic is what makes it naive"
)]
mod reassembly;
#[expect(
    clippy::arithmetic_side_effects,
    reason = "small numbers, and plain arithmetic is what makes it naive"
)]
mod reference;
#[expect(clippy::arithmetic_side_effects, reason = "numbers that were drawn from small ranges")]
mod script;
mod table;

pub use fake::{FakeBackend, Fault};
pub use packet::{Packet, Payload, Side, Verdict};
pub use read::read;
pub use reassembly::{Reassembly, Taken};
pub use reference::Reference;
pub use script::{Act, Script};
pub use table::TableEngine;
