//! Where peers that were removed were last heard from.

use std::collections::VecDeque;
use std::net::SocketAddr;

use zt_core::key::PublicKey;

/// The most endpoints that are remembered.
const CAPACITY: usize = 4_096;

/// Endpoints of removed peers; the longest removed is forgotten first.
///
/// A peer that comes back is reached there at once. Without that it takes the device some nine seconds to find out
/// that its WireGuard session is dead.
#[derive(Debug, Default)]
pub(super) struct Endpoints(VecDeque<(PublicKey, SocketAddr)>);

impl Endpoints {
    /// Remembers where a peer was.
    pub(super) fn remember(&mut self, key: PublicKey, endpoint: SocketAddr) {
        let _ = self.recall(&key);
        if self.0.len() >= CAPACITY {
            self.0.pop_front();
        }
        self.0.push_back((key, endpoint));
    }

    /// Where a peer was, and forgets it.
    pub(super) fn recall(&mut self, key: &PublicKey) -> Option<SocketAddr> {
        let at = self.0.iter().position(|(other, _)| other == key)?;
        self.0.remove(at).map(|(_, endpoint)| endpoint)
    }
}
