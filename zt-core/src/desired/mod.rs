//! What is to be installed at a gateway, and what a device needs to reach it.

mod pairs;
mod reach;
mod roster;
mod seats;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::id::{GatewayId, Generation, RegionId, SessionEpoch, SessionId};
use crate::key::PublicKey;
use crate::net::{AddressRange, PortRange, Prefix, Protocol};
use crate::time::Timestamp;

pub use pairs::Pairs;
pub use reach::{PairEnd, Reach};
pub use roster::{Holder, Roster, Seat};

/// Everything that a gateway is to have installed, and nothing else.
///
/// A packet is let through only if five elements agree: the lease runs, its sender's [`Peer`] holds the inner source
/// address, the [`Source`] of that address has not ended, its destination lies in a [`Cell`], and a [`Pair`] that has
/// not ended joins the source to that cell's region. Each element taken away lets less through, and each added no more than this state
/// allows: that is why any order of removals before any order of additions is safe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesiredState {
    /// Whose state it is.
    pub gateway: GatewayId,
    /// How often it has changed.
    pub generation: Generation,
    /// Which sessions it admits, and where to; gateways of one group share it. It says the same as
    /// [`elements`](Self::elements), in a form that costs little to keep and to change.
    pub roster: Roster,
}

impl DesiredState {
    /// The elements one by one. Costs time and space in proportion to their number.
    #[must_use]
    pub fn elements(&self) -> Elements {
        self.roster.elements()
    }
}

/// The elements that decide about packets.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Elements {
    /// Cryptokey routing: which source addresses each peer may use. Prefixes are disjoint over all peers.
    #[serde(with = "entries")]
    pub peers: BTreeMap<PublicKey, Peer>,
    /// Whose the source addresses are, and until when.
    #[serde(with = "entries")]
    pub sources: BTreeMap<IpAddr, Source>,
    /// The cut of the address space into regions. Cells are disjoint.
    #[serde(with = "entries")]
    pub cells: BTreeMap<Cell, RegionId>,
    /// Which source may reach which region, and until when.
    pub pairs: Pairs,
}

/// A WireGuard peer of a gateway.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Peer {
    /// The inner source addresses it may use.
    pub allowed_ips: BTreeSet<Prefix>,
}

/// Whose a source address is, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Source {
    /// The session that uses the address.
    pub session: SessionId,
    /// How often that session was cut.
    pub epoch: SessionEpoch,
    /// When the session ends; nothing passes from then on.
    pub until: Timestamp,
}

/// A box of the address space: addresses, protocol and ports. For [`Protocol::Echo`] the port is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Cell {
    /// The destination addresses.
    pub addresses: AddressRange,
    /// The protocol.
    pub protocol: Protocol,
    /// The destination ports.
    pub ports: PortRange,
}

impl Cell {
    /// Whether a packet to this address, protocol and port falls into it.
    #[must_use]
    pub fn contains(&self, address: IpAddr, protocol: Protocol, port: u16) -> bool {
        self.protocol == protocol && self.ports.contains(port) && self.addresses.contains(address)
    }
}

/// Leave for one source address to open flows into one region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Pair {
    /// The device's address in the tunnel.
    pub source: IpAddr,
    /// The region.
    pub region: RegionId,
}

/// What a device needs to reach what it may reach: its own addresses, and a WireGuard peer for each gateway.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DeviceRoutes {
    /// The device's addresses in the tunnel.
    pub addresses: BTreeSet<IpAddr>,
    /// The gateways to use, with what is behind them.
    pub gateways: BTreeMap<GatewayId, GatewayRoute>,
}

/// How a device reaches what is behind one gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayRoute {
    /// The gateway's WireGuard key.
    pub public_key: PublicKey,
    /// Where it listens.
    pub endpoint: SocketAddr,
    /// The destinations to send there: the allowed-IPs of the gateway in the device's own configuration.
    pub allowed_ips: BTreeSet<Prefix>,
}

/// Maps whose keys are no texts, as lists of entries.
mod entries {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &BTreeMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub(super) fn deserialize<'de, K, V, D>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Vec::<(K, V)>::deserialize(deserializer).map(|entries| entries.into_iter().collect())
    }
}
