//! Additions of peers, put together by peer.

use std::collections::{BTreeMap, BTreeSet};

use zt_core::key::PublicKey;
use zt_core::net::Prefix;
use zt_core::plan::Add;

/// What additions make of peers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PeerAdditions {
    /// Peers that are new, with all their allowed IPs.
    pub new: BTreeMap<PublicKey, BTreeSet<Prefix>>,
    /// What peers that are there get besides what they have.
    pub more: BTreeMap<PublicKey, BTreeSet<Prefix>>,
}

impl PeerAdditions {
    /// Puts additions together; passes over those of anything else.
    ///
    /// # Errors
    /// The place of the first addition of a peer that is added twice.
    pub fn of(additions: &[&Add]) -> Result<Self, usize> {
        let mut all = Self::default();
        for (at, add) in additions.iter().enumerate() {
            match add {
                Add::Peer(key) if all.new.contains_key(key) || all.more.contains_key(key) => return Err(at),
                Add::Peer(key) => drop(all.new.insert(*key, BTreeSet::new())),
                Add::AllowedIp(key, prefix) => match all.new.get_mut(key) {
                    Some(allowed_ips) => drop(allowed_ips.insert(*prefix)),
                    None => drop(all.more.entry(*key).or_default().insert(*prefix)),
                },
                Add::Cell(..) | Add::Pair(..) | Add::Source(..) | Add::Gate(_) => {}
            }
        }
        Ok(all)
    }
}
