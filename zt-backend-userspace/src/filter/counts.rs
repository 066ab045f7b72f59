//! How many packets passed, and why the others did not.

use std::collections::BTreeMap;

use super::Direction;
use crate::packet::ParseError;

/// Why a packet was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// It was not understood.
    Unparsed(ParseError),
    /// The gate is closed: the lease is over, or never began.
    Gate,
    /// The device's address has no session, or its session has ended.
    Source,
    /// A kind of packet that never passes in this direction, such as an echo request to a device.
    Direction,
    /// An ICMP error whose quote does not fit its sender or receiver.
    Quote,
    /// The resource's address, protocol and port lie in no region.
    Cell,
    /// The device's address is not granted that region, or no longer.
    Pair,
    /// A fragment that overlaps others of its packet, or is one of too many.
    Fragments,
    /// No flow that the device opened, in this session, answers to it.
    Flow,
    /// It would have passed, but nobody takes packets out of the queue behind the filter fast enough.
    Queue,
    /// The gateway was stopped.
    Stopped,
}

/// What became of the packets so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    /// Of those that devices sent.
    pub from_devices: DirectionCounts,
    /// Of those that were sent to devices.
    pub to_devices: DirectionCounts,
}

/// What became of the packets of one direction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DirectionCounts {
    /// How many passed.
    pub accepted: u64,
    /// How many did not, and why. Reasons that never occurred are absent.
    pub dropped: BTreeMap<DropReason, u64>,
}

impl Counts {
    pub(super) fn count(&mut self, direction: Direction, outcome: Result<(), DropReason>) {
        let counts = match direction {
            Direction::FromDevice => &mut self.from_devices,
            Direction::ToDevice => &mut self.to_devices,
        };
        let counter = match outcome {
            Ok(()) => &mut counts.accepted,
            Err(reason) => counts.dropped.entry(reason).or_default(),
        };
        *counter = counter.saturating_add(1);
    }
}
