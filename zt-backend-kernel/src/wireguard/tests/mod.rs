//! The device against a made-up kernel, which does what a real one does, and fails when it is told to.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on is to fail there"
)]

mod answers;
mod cuts;
mod errors;
mod gone;
mod kernel;
mod lists;
mod refused;
mod threads;

use std::collections::BTreeSet;
use std::time::Duration;

use zt_core::key::{PrivateKey, PublicKey};
use zt_core::net::Prefix;

use self::kernel::Kernel;
use super::device::{Device, Known};
use super::peers::NewPeer;

pub(super) const INDEX: u32 = 7;
/// Long enough that only a failure takes it.
const DEADLINE: Duration = Duration::from_secs(20);

/// A key that is the same for the same number.
pub(super) fn key(seed: u16) -> PublicKey {
    let mut bytes = [1; 32];
    bytes[2..4].copy_from_slice(&seed.to_be_bytes()); // of the first byte, not all bits count
    PrivateKey::from_bytes(bytes).public_key()
}

/// The interface's own key.
pub(super) fn own() -> PublicKey {
    key(u16::MAX)
}

pub(super) fn prefixes<const N: usize>(texts: [&str; N]) -> BTreeSet<Prefix> {
    texts.into_iter().map(|text| text.parse().unwrap()).collect()
}

/// The host prefixes with these numbers.
pub(super) fn hosts(numbers: std::ops::Range<u16>) -> BTreeSet<Prefix> {
    let host = |number: u16| Prefix::host([10, 99, number.to_be_bytes()[0], number.to_be_bytes()[1]].into());
    numbers.map(host).collect()
}

pub(super) fn new_peer(allowed_ips: BTreeSet<Prefix>) -> NewPeer {
    NewPeer { allowed_ips, ..NewPeer::default() }
}

/// A peer with one address, both of this number.
pub(super) fn peer(number: u16) -> (PublicKey, NewPeer) {
    (key(number), new_peer(hosts(number..number + 1)))
}

/// A device in a made-up kernel.
fn device(kernel: &Kernel) -> Device {
    device_with(kernel, DEADLINE)
}

fn device_with(kernel: &Kernel, deadline: Duration) -> Device {
    let known = Known { index: INDEX, name: "wg0".parse().unwrap(), public_key: own() };
    Device::new(known, kernel.workers(deadline))
}
