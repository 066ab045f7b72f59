//! What became of packets.

use std::collections::BTreeMap;

/// What became of packets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    /// How many were let through.
    pub passed: u64,
    /// How many were dropped, and why.
    pub dropped: BTreeMap<Reason, u64>,
}

/// The counter of packets that were let through.
pub(super) const PASSED: &str = "passed";

/// Why packets were dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Connection tracking could make nothing of it.
    Invalid,
    /// It carried an IPv6 routing header.
    Routed,
    /// The lease was over.
    Gate,
    /// The session of its device had ended, or never was.
    Source,
    /// Its device may not use what it leads to, or it belongs to no flow that the device opened.
    Pair,
    /// It had a device's address, and did not come out of the tunnel.
    Spoofed,
    /// It was for this host, by another link than the tunnel, and for nothing that is open there.
    Underlay,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Invalid, Self::Routed, Self::Gate, Self::Source, Self::Pair, Self::Spoofed, Self::Underlay];

    /// The name of its counter.
    pub(super) const fn counter(self) -> &'static str {
        match self {
            Self::Invalid => "dropped_invalid",
            Self::Routed => "dropped_routed",
            Self::Gate => "dropped_gate",
            Self::Source => "dropped_source",
            Self::Pair => "dropped_pair",
            Self::Spoofed => "dropped_spoofed",
            Self::Underlay => "dropped_underlay",
        }
    }
}
