//! The table: its sets, chains and counters, and what the keys of its elements look like.

use std::net::IpAddr;

use crate::nftables::{Chain, Hook, Map, Set};

/// How long elements live that do not say, in milliseconds. Ours all say.
const DEFAULT_TIMEOUT: Option<u64> = Some(60_000);

/// How nft numbers the types of fields, with their lengths (`include/datatype.h` of nftables).
mod field {
    pub(super) const NFPROTO: (u32, u32) = (2, 1);
    pub(super) const IPV4: (u32, u32) = (7, 4);
    pub(super) const IPV6: (u32, u32) = (8, 16);
    pub(super) const PROTOCOL: (u32, u32) = (12, 1);
    pub(super) const PORT: (u32, u32) = (13, 2);
    pub(super) const MARK: (u32, u32) = (19, 4);
}

/// The address family that a rule is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    V4,
    V6,
}

/// The names of what rules ask.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names {
    /// Addresses of devices whose session lives.
    pub(super) sources: &'static str,
    /// Which region a destination, protocol and port lie in.
    pub(super) regions: &'static str,
    /// Which address may use which region.
    pub(super) pairs: &'static str,
}

impl Family {
    pub(super) const BOTH: [Self; 2] = [Self::V4, Self::V6];

    pub(super) const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// `NFPROTO_IPV4`, `NFPROTO_IPV6`.
    pub(super) const fn number(self) -> u8 {
        match self {
            Self::V4 => 2,
            Self::V6 => 10,
        }
    }

    pub(super) const fn names(self) -> Names {
        match self {
            Self::V4 => Names { sources: "sources4", regions: "regions4", pairs: "pairs4" },
            Self::V6 => Names { sources: "sources6", regions: "regions6", pairs: "pairs6" },
        }
    }

    /// The number of the ICMP of this family, and the type of its echo request.
    pub(super) const fn icmp(self) -> (u8, u8) {
        match self {
            Self::V4 => (1, 8),
            Self::V6 => (58, 128),
        }
    }
}

/// Whether anything passes at all: one element for each family.
pub(super) const GATE: &str = "gate";
/// TCP and UDP.
pub(super) const TRANSPORTS: &str = "transports";

const fn timed(name: &'static str, fields: &'static [(u32, u32)]) -> Set {
    Set { name, fields, default_timeout: DEFAULT_TIMEOUT, map: None }
}

const fn map(name: &'static str, fields: &'static [(u32, u32)]) -> Set {
    Set { name, fields, default_timeout: None, map: Some(Map { value: field::MARK }) }
}

/// All sets and maps.
pub(super) const SETS: [Set; 8] = [
    timed(GATE, &[field::NFPROTO]),
    timed(Family::V4.names().sources, &[field::IPV4]),
    timed(Family::V6.names().sources, &[field::IPV6]),
    timed(Family::V4.names().pairs, &[field::IPV4, field::MARK]),
    timed(Family::V6.names().pairs, &[field::IPV6, field::MARK]),
    map(Family::V4.names().regions, &[field::IPV4, field::PROTOCOL, field::PORT]),
    map(Family::V6.names().regions, &[field::IPV6, field::PROTOCOL, field::PORT]),
    Set { name: TRANSPORTS, fields: &[field::PROTOCOL], default_timeout: None, map: None },
];

/// Before packets are routed, and after connection tracking and destination translation: they are as they will leave.
pub(super) const BEFORE_ROUTING: &str = "before_routing";
/// What came out of the tunnel.
pub(super) const FROM_DEVICES: &str = "from_devices";
/// What is to go into it.
pub(super) const TO_DEVICES: &str = "to_devices";
/// What is let through.
pub(super) const PASS: &str = "pass";
/// What is for this host and came by other links.
pub(super) const UNDERLAY: &str = "underlay";

/// Later than anything that changes where a packet goes.
pub(super) const PRIORITY: i32 = 300;

/// All chains, each after those that lead to it.
pub(super) const CHAINS: [Chain<'static>; 5] = [
    Chain { name: PASS, hook: None },
    Chain { name: TO_DEVICES, hook: None },
    Chain { name: FROM_DEVICES, hook: None },
    Chain { name: BEFORE_ROUTING, hook: Some(Hook { number: Hook::PREROUTING, priority: PRIORITY }) },
    Chain { name: UNDERLAY, hook: Some(Hook { number: Hook::INPUT, priority: PRIORITY }) },
];
