//! Where peers that were removed were last heard from.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use zt_core::key::PublicKey;

/// The most endpoints that are remembered.
const CAPACITY: usize = 4_096;

/// Endpoints of removed peers; the longest removed is forgotten first.
///
/// A peer that comes back is reached there at once. Without that it takes the device some nine seconds to find out
/// that its WireGuard session is dead.
#[derive(Debug, Default)]
pub struct Endpoints {
    endpoints: BTreeMap<PublicKey, (u64, SocketAddr)>,
    /// In the order in which they were removed.
    removed: BTreeMap<u64, PublicKey>,
    next: u64,
}

impl Endpoints {
    /// Remembers where a peer was.
    pub fn remember(&mut self, key: PublicKey, endpoint: SocketAddr) {
        let _ = self.recall(&key);
        if self.endpoints.len() >= CAPACITY
            && let Some((_, longest)) = self.removed.pop_first()
        {
            self.endpoints.remove(&longest);
        }
        self.endpoints.insert(key, (self.next, endpoint));
        self.removed.insert(self.next, key);
        self.next = self.next.saturating_add(1);
    }

    /// Where a peer was, and forgets it.
    pub fn recall(&mut self, key: &PublicKey) -> Option<SocketAddr> {
        let (place, endpoint) = self.endpoints.remove(key)?;
        self.removed.remove(&place);
        Some(endpoint)
    }
}
