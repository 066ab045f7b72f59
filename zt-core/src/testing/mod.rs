//! What backends and embedders need for their tests: a naive reference, a fake backend, scripts made from bytes.
//!
//! The reference shares no code with what it checks: it recomputes everything from scratch, by linear scans.

mod fake;
mod packet;
#[expect(
    clippy::arithmetic_side_effects,
    reason = "small numbers, and plain arithmetic is what makes it naive"
)]
mod reference;
#[expect(clippy::arithmetic_side_effects, reason = "numbers that were drawn from small ranges")]
mod script;
mod table;

pub use fake::FakeBackend;
pub use packet::{Packet, Payload, Side, Verdict};
pub use reference::Reference;
pub use script::{Act, Script};
pub use table::TableEngine;
