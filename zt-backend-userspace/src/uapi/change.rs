//! Changes of peers, and which of them are refused.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::num::NonZeroU16;

use zt_core::key::PublicKey;
use zt_core::net::Prefix;

use super::interface::Interface;
use super::overlap;

/// A change of one peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Adds a peer that is not there yet.
    Add(PublicKey, NewPeer),
    /// Gives more allowed IPs to a peer that is there; those it has are left alone.
    Allow(PublicKey, BTreeSet<Prefix>),
    /// Takes allowed IPs from a peer, if it is there and has them.
    ///
    /// The protocol can only replace them all: for an instant the peer has none, then those that it keeps.
    Take(PublicKey, BTreeSet<Prefix>),
    /// Removes a peer with its WireGuard session, if it is there.
    Remove(PublicKey),
}

impl Change {
    /// The peer that is changed.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        match self {
            Self::Add(key, _) | Self::Allow(key, _) | Self::Take(key, _) | Self::Remove(key) => key,
        }
    }

    /// The allowed IPs that it gives.
    pub(super) fn gained(&self) -> Option<&BTreeSet<Prefix>> {
        match self {
            Self::Add(_, NewPeer { allowed_ips, .. }) | Self::Allow(_, allowed_ips) => Some(allowed_ips),
            Self::Take(..) | Self::Remove(_) => None,
        }
    }

    /// The allowed IPs that it takes, if it says which.
    pub(super) fn lost(&self) -> Option<&BTreeSet<Prefix>> {
        match self {
            Self::Take(_, allowed_ips) => Some(allowed_ips),
            Self::Add(..) | Self::Allow(..) | Self::Remove(_) => None,
        }
    }
}

/// What a peer is to be added with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewPeer {
    /// The prefixes that are routed to it and that it may send from.
    pub allowed_ips: BTreeSet<Prefix>,
    /// Where it is expected; `None` if it is to be waited for.
    pub endpoint: Option<SocketAddr>,
    /// How often it is to be sent something, in seconds; `None` if only when there is something to send.
    pub keepalive: Option<NonZeroU16>,
}

/// Why changes were refused before any of them was sent. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The key is the interface's own, which WireGuard would pass over without a word.
    #[error("{0} is the interface's own key")]
    OwnKey(PublicKey),
    /// Two changes of one peer.
    #[error("{0} is changed twice at once")]
    Repeated(PublicKey),
    /// A peer that is to be added is there.
    #[error("the peer {0} is present")]
    Present(PublicKey),
    /// A peer that is to be given allowed IPs is not there.
    #[error("there is no peer {0}")]
    Absent(PublicKey),
    /// INV-G1: a prefix overlaps another peer's, from which WireGuard would silently move the shared part.
    #[error("{prefix} overlaps {other} of {owner}")]
    Overlap {
        /// The prefix that was to be given.
        prefix: Prefix,
        /// The prefix that it overlaps.
        other: Prefix,
        /// Who has that one, or is to have it.
        owner: PublicKey,
    },
}

/// The allowed IPs that the changed peers are to have, `None` if the peer is to be gone. Peers that are as they are to
/// be are left out.
pub(super) type Wanted = BTreeMap<PublicKey, Option<BTreeSet<Prefix>>>;

/// What is left of `held`.
pub(super) fn without(held: &BTreeSet<Prefix>, less: &BTreeSet<Prefix>) -> BTreeSet<Prefix> {
    held.difference(less).copied().collect()
}

/// Looks at changes of `present` before they are made.
pub(super) fn check(present: &Interface, changes: &[Change]) -> Result<Wanted, Refusal> {
    let mut touched = BTreeSet::new();
    let mut wanted = Wanted::new();
    for change in changes {
        let key = *change.key();
        if !touched.insert(key) {
            return Err(Refusal::Repeated(key));
        }
        let held = present.peers.get(&key).map(|peer| &peer.allowed_ips);
        let becomes = match (change, held) {
            (Change::Add(..), _) if present.public_key == Some(key) => return Err(Refusal::OwnKey(key)),
            (Change::Add(..), Some(_)) => return Err(Refusal::Present(key)),
            (Change::Add(_, peer), None) => Some(peer.allowed_ips.clone()),
            (Change::Allow(..), None) => return Err(Refusal::Absent(key)),
            (Change::Allow(_, more), Some(held)) => Some(held | more),
            (Change::Take(_, less), Some(held)) => Some(without(held, less)),
            (Change::Take(..), None) | (Change::Remove(_), _) => None,
        };
        if becomes.as_ref() != held {
            wanted.insert(key, becomes);
        }
    }
    if changes.iter().any(|change| change.gained().is_some_and(|gained| !gained.is_empty())) {
        overlap::check(present, &wanted)?;
    }
    Ok(wanted)
}
