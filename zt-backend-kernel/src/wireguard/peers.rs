//! The peers that a device has, and what changes are refused for.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;

use zt_core::key::PublicKey;
use zt_core::net::Prefix;

use super::batch::{Act, Part};

/// What a peer is to be added with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewPeer {
    /// The prefixes that are routed to it and that it may send from.
    pub allowed_ips: BTreeSet<Prefix>,
    /// Where it is expected; `None` if it is to be waited for.
    pub endpoint: Option<SocketAddr>,
    /// How often it is to be sent something, in seconds; `None` if only when there is something to send. Together with
    /// an endpoint, the first is sent at once, and with it a handshake.
    pub keepalive: Option<NonZeroU16>,
}

/// Why a change was refused before any of it was sent. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The key is the interface's own, which WireGuard would pass over without a word.
    #[error("{0} is the interface's own key")]
    OwnKey(PublicKey),
    /// One peer twice.
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

/// Refuses keys that are named twice, or are the interface's own.
pub(super) fn check_keys<'a>(
    own: PublicKey,
    keys: impl IntoIterator<Item = &'a PublicKey>,
) -> Result<(), Refusal> {
    let mut seen = BTreeSet::new();
    for key in keys {
        if *key == own {
            return Err(Refusal::OwnKey(*key));
        }
        if !seen.insert(key) {
            return Err(Refusal::Repeated(*key));
        }
    }
    Ok(())
}

/// The allowed IPs of all peers. It is the kernel that has them; to ask it costs as much as there are peers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Peers {
    allowed_ips: BTreeMap<PublicKey, BTreeSet<Prefix>>,
    owners: BTreeMap<Prefix, PublicKey>,
}

impl Peers {
    /// The allowed IPs of a peer that is present.
    pub(super) fn get(&self, key: &PublicKey) -> Option<&BTreeSet<Prefix>> {
        self.allowed_ips.get(key)
    }

    /// The keys of all that are present.
    pub(super) fn keys(&self) -> impl Iterator<Item = &PublicKey> {
        self.allowed_ips.keys()
    }

    /// Does what the kernel did to a part that it has acknowledged.
    pub(super) fn done(&mut self, part: &Part) {
        let present = self.allowed_ips.contains_key(&part.key);
        match part.act {
            Act::Remove => drop(self.take(&part.key)),
            Act::Replace | Act::Extend if !present => {}
            Act::Create | Act::Replace => {
                self.take(&part.key);
                self.give(part.key, part.allowed_ips.iter().copied());
            }
            Act::Extend => self.give(part.key, part.allowed_ips.iter().copied()),
        }
    }

    /// Refuses prefixes for a peer of which another one has a part, unless that one does not stay where it is.
    pub(super) fn check<'a>(
        &self,
        key: PublicKey,
        prefixes: impl IntoIterator<Item = &'a Prefix>,
        stays: impl Fn(&Prefix, &PublicKey) -> bool,
    ) -> Result<(), Refusal> {
        for prefix in prefixes {
            let is_other = |other: &Prefix, owner: &PublicKey| *owner != key && stays(other, owner);
            if let Some((other, owner)) = overlap(&self.owners, *prefix, is_other) {
                return Err(Refusal::Overlap { prefix: *prefix, other, owner });
            }
        }
        Ok(())
    }

    /// Gives prefixes to a peer, which is present from now on.
    pub(super) fn give(&mut self, key: PublicKey, prefixes: impl IntoIterator<Item = Prefix>) {
        let held = self.allowed_ips.entry(key).or_default();
        for prefix in prefixes {
            held.insert(prefix);
            self.owners.insert(prefix, key);
        }
    }

    fn take(&mut self, key: &PublicKey) -> Option<BTreeSet<Prefix>> {
        let held = self.allowed_ips.remove(key)?;
        for prefix in &held {
            if self.owners.get(prefix) == Some(key) {
                self.owners.remove(prefix);
            }
        }
        Some(held)
    }
}

impl FromIterator<(PublicKey, BTreeSet<Prefix>)> for Peers {
    fn from_iter<I: IntoIterator<Item = (PublicKey, BTreeSet<Prefix>)>>(peers: I) -> Self {
        let mut all = Self::default();
        peers.into_iter().for_each(|(key, allowed_ips)| all.give(key, allowed_ips));
        all
    }
}

/// A prefix that overlaps and is looked for: two prefixes overlap only if one contains the other.
fn overlap(
    owners: &BTreeMap<Prefix, PublicKey>,
    prefix: Prefix,
    wanted: impl Fn(&Prefix, &PublicKey) -> bool,
) -> Option<(Prefix, PublicKey)> {
    let inside = owners.range(prefix..).take_while(|(other, _)| prefix.contains(other.address()));
    let around = (0..=prefix.length())
        .filter_map(|length| Prefix::new(masked(prefix.address(), length), length).ok())
        .filter_map(|other| owners.get_key_value(&other));
    inside.chain(around).find(|(other, owner)| wanted(other, owner)).map(|(other, owner)| (*other, *owner))
}

/// The address with all but its first `length` bits cleared.
fn masked(address: IpAddr, length: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let cleared = u32::MAX.checked_shr(length.into()).unwrap_or(0);
            Ipv4Addr::from_bits(v4.to_bits() & !cleared).into()
        }
        IpAddr::V6(v6) => {
            let cleared = u128::MAX.checked_shr(length.into()).unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() & !cleared).into()
        }
    }
}
