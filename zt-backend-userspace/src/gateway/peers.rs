//! The peers that a gateway has, and what additions would make of them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use zt_core::key::PublicKey;
use zt_core::net::Prefix;
use zt_core::plan::Add;

/// The allowed IPs of all peers. It is WireGuard that has them; to ask it costs as much as there are peers.
#[derive(Debug, Default)]
pub(super) struct Peers {
    allowed_ips: BTreeMap<PublicKey, BTreeSet<Prefix>>,
    owners: BTreeMap<Prefix, PublicKey>,
}

impl Peers {
    /// The allowed IPs of a peer that is present.
    pub(super) fn get(&self, key: &PublicKey) -> Option<&BTreeSet<Prefix>> {
        self.allowed_ips.get(key)
    }

    /// Makes these the allowed IPs of a peer, which is present from now on.
    pub(super) fn set(&mut self, key: PublicKey, allowed_ips: BTreeSet<Prefix>) {
        self.remove(&key);
        self.owners.extend(allowed_ips.iter().map(|prefix| (*prefix, key)));
        self.allowed_ips.insert(key, allowed_ips);
    }

    /// Takes allowed IPs away; says what the peers that change keep, none for those that are removed for good.
    pub(super) fn lose(
        &mut self,
        lost: &BTreeMap<PublicKey, BTreeSet<Prefix>>,
        destroyed: &BTreeSet<PublicKey>,
    ) -> BTreeMap<PublicKey, Option<BTreeSet<Prefix>>> {
        let mut changed = BTreeMap::new();
        for (key, lost) in lost {
            let Some(allowed_ips) = self.allowed_ips.get(key) else { continue };
            let kept: BTreeSet<Prefix> = allowed_ips.difference(lost).copied().collect();
            if destroyed.contains(key) {
                self.remove(key); // both look at every allowed IP there is: once is enough
                changed.insert(*key, None);
            } else if kept.len() < allowed_ips.len() {
                self.set(*key, kept.clone());
                changed.insert(*key, Some(kept));
            }
        }
        changed
    }

    /// Removes a peer.
    pub(super) fn remove(&mut self, key: &PublicKey) {
        for prefix in self.allowed_ips.remove(key).unwrap_or_default() {
            self.owners.remove(&prefix);
        }
    }
}

impl FromIterator<(PublicKey, BTreeSet<Prefix>)> for Peers {
    fn from_iter<I: IntoIterator<Item = (PublicKey, BTreeSet<Prefix>)>>(peers: I) -> Self {
        let mut all = Self::default();
        peers.into_iter().for_each(|(key, allowed_ips)| all.set(key, allowed_ips));
        all
    }
}

/// The peers as they would be, prefix by prefix.
///
/// INV-G1: prefixes of different peers never overlap, since WireGuard would silently move the shared part.
pub(super) struct Staged<'a> {
    own: PublicKey,
    present: &'a Peers,
    changed: BTreeMap<PublicKey, BTreeSet<Prefix>>,
    owners: BTreeMap<Prefix, PublicKey>,
}

impl<'a> Staged<'a> {
    /// Starts from the peers that are present; `own` is the gateway's key.
    pub(super) const fn new(own: PublicKey, present: &'a Peers) -> Self {
        Self { own, present, changed: BTreeMap::new(), owners: BTreeMap::new() }
    }

    /// Carries out additions in their order, up to the first that is refused: its place, and why it is.
    pub(super) fn add(&mut self, additions: &[&Add]) -> Result<(), (usize, String)> {
        for (at, add) in additions.iter().enumerate() {
            let done = match add {
                Add::Peer(key) => self.add_peer(*key),
                Add::AllowedIp(key, prefix) => self.add_allowed_ip(*key, *prefix),
                Add::Cell(..) | Add::Pair(..) | Add::Source(..) | Add::Gate(_) => Ok(()),
            };
            done.map_err(|problem| (at, problem))?;
        }
        Ok(())
    }

    /// The allowed IPs of the peers that are new or changed.
    pub(super) fn into_changed(self) -> BTreeMap<PublicKey, BTreeSet<Prefix>> {
        self.changed
    }

    fn add_peer(&mut self, key: PublicKey) -> Result<(), String> {
        if key == self.own {
            return Err("the gateway's own key".into());
        }
        if self.present.get(&key).is_some() || self.changed.contains_key(&key) {
            return Err("the peer is present".into());
        }
        self.changed.insert(key, BTreeSet::new());
        Ok(())
    }

    fn add_allowed_ip(&mut self, key: PublicKey, prefix: Prefix) -> Result<(), String> {
        let owners = [&self.present.owners, &self.owners];
        if let Some(other) = owners.into_iter().find_map(|owners| other_owner(owners, key, prefix)) {
            return Err(format!("{other} overlaps"));
        }
        if !self.changed.contains_key(&key) {
            let present = self.present.get(&key).ok_or("no such peer")?;
            self.changed.insert(key, present.clone());
        }
        self.changed.entry(key).or_default().insert(prefix);
        self.owners.insert(prefix, key);
        Ok(())
    }
}

/// A prefix of another peer that overlaps: two prefixes do only if one contains the other.
fn other_owner(owners: &BTreeMap<Prefix, PublicKey>, key: PublicKey, prefix: Prefix) -> Option<Prefix> {
    let inside = owners.range(prefix..).take_while(|(other, _)| prefix.contains(other.address()));
    let around = (0..=prefix.length())
        .filter_map(|length| Prefix::new(masked(prefix.address(), length), length).ok())
        .filter_map(|other| owners.get_key_value(&other));
    inside.chain(around).find(|(_, owner)| **owner != key).map(|(other, _)| *other)
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
