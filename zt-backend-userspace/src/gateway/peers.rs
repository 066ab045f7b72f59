//! What additions would make of the peers, and which of them are refused.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use zt_core::key::PublicKey;
use zt_core::net::Prefix;
use zt_core::plan::Add;

use crate::wireguard::PeerConfig;

/// The peers as they would be, prefix by prefix.
///
/// INV-G1: prefixes of different peers never overlap, since WireGuard would silently move the shared part.
pub(super) struct Staged<'a> {
    own: PublicKey,
    present: &'a BTreeMap<PublicKey, PeerConfig>,
    owners: BTreeMap<Prefix, PublicKey>,
    changed: BTreeMap<PublicKey, BTreeSet<Prefix>>,
}

impl<'a> Staged<'a> {
    /// Starts from the peers that are present; `own` is the gateway's key.
    pub(super) fn new(own: PublicKey, present: &'a BTreeMap<PublicKey, PeerConfig>) -> Self {
        let prefixes = |(key, config): (&PublicKey, &'a PeerConfig)| {
            let key = *key;
            config.allowed_ips.iter().map(move |prefix| (*prefix, key))
        };
        let owners = present.iter().flat_map(prefixes).collect();
        Self { own, present, owners, changed: BTreeMap::new() }
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
        if self.present.contains_key(&key) || self.changed.contains_key(&key) {
            return Err("the peer is present".into());
        }
        self.changed.insert(key, BTreeSet::new());
        Ok(())
    }

    fn add_allowed_ip(&mut self, key: PublicKey, prefix: Prefix) -> Result<(), String> {
        if let Some(other) = self.other_owner(key, prefix) {
            return Err(format!("{other} overlaps"));
        }
        if !self.changed.contains_key(&key) {
            let present = self.present.get(&key).ok_or("no such peer")?;
            self.changed.insert(key, present.allowed_ips.clone());
        }
        self.changed.entry(key).or_default().insert(prefix);
        self.owners.insert(prefix, key);
        Ok(())
    }

    /// A prefix of another peer that overlaps: two prefixes do only if one contains the other.
    fn other_owner(&self, key: PublicKey, prefix: Prefix) -> Option<Prefix> {
        let inside = self.owners.range(prefix..).take_while(|(other, _)| prefix.contains(other.address()));
        let around = (0..=prefix.length())
            .filter_map(|length| Prefix::new(masked(prefix.address(), length), length).ok())
            .filter_map(|other| self.owners.get_key_value(&other));
        inside.chain(around).find(|(_, owner)| **owner != key).map(|(other, _)| *other)
    }
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
