//! What a device says of itself.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use zt_core::key::PublicKey;
use zt_core::net::Prefix;

/// A WireGuard device as it was read; holds no secrets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InterfaceStatus {
    /// The index of its link.
    pub index: u32,
    /// The name of its link, which need not be a [`LinkName`](zt_linux::LinkName) if others gave it.
    pub name: String,
    /// The key by which peers know it; `None` if it has no private key, and nobody can talk to it, or one that no
    /// gateway has.
    pub public_key: Option<PublicKey>,
    /// The UDP port where it listens; `None` if it has none yet, as before it is set up for the first time.
    pub listen_port: Option<NonZeroU16>,
    /// The mark of the packets that it sends; `None` if they have none.
    pub fwmark: Option<NonZeroU32>,
    /// Its peers.
    pub peers: BTreeMap<PublicKey, PeerStatus>,
    /// The keys of peers that nobody but others can have made: the key is none that a device can have (of low order, not
    /// canonical), or an allowed IP is none (IPv4-mapped). The former are not among `peers`, of the latter the prefix is
    /// left out there.
    pub strays: BTreeSet<[u8; 32]>,
}

/// A peer as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PeerStatus {
    /// The prefixes that are routed to it and that it may send from.
    pub allowed_ips: BTreeSet<Prefix>,
    /// Where it was last heard from or is expected.
    pub endpoint: Option<SocketAddr>,
    /// How often it is sent something, in seconds; `None` if only when there is something to send.
    pub keepalive: Option<NonZeroU16>,
    /// When it last shook hands, since the Unix epoch by the kernel's wall clock; `None` if never.
    pub last_handshake: Option<Duration>,
    /// The bytes that came from it.
    pub received: u64,
    /// The bytes that were sent to it.
    pub sent: u64,
    /// Whether it has a preshared key.
    pub has_preshared_key: bool,
}
