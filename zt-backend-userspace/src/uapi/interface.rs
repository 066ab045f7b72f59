//! What an interface says of itself.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use zt_core::key::PublicKey;
use zt_core::net::Prefix;

/// A WireGuard interface as it was read; holds no secrets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Interface {
    /// The key by which peers know it; `None` if it has no private key, and nobody can talk to it.
    pub public_key: Option<PublicKey>,
    /// The UDP port where it listens; `None` if it has none yet.
    pub listen_port: Option<NonZeroU16>,
    /// The mark of the packets that it sends; `None` if they have none.
    pub fwmark: Option<NonZeroU32>,
    /// Its peers. Prefixes stand with whom they were listed, even if two peers have the same.
    pub peers: BTreeMap<PublicKey, PeerStatus>,
}

/// A peer as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PeerStatus {
    /// The prefixes that are routed to it and that it may send from.
    pub allowed_ips: BTreeSet<Prefix>,
    /// Where it was last heard from or is expected. The zone of a link-local address is kept if it is a number.
    pub endpoint: Option<SocketAddr>,
    /// How often it is sent something, in seconds; `None` if only when there is something to send.
    pub keepalive: Option<NonZeroU16>,
    /// When it last shook hands, since the Unix epoch by the other process's clock; `None` if never.
    pub last_handshake: Option<Duration>,
    /// The bytes that came from it.
    pub received: u64,
    /// The bytes that were sent to it.
    pub sent: u64,
    /// Whether it has a preshared key.
    pub has_preshared_key: bool,
}
