//! INV-G1: prefixes that are given never overlap another peer's.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use zt_core::key::PublicKey;
use zt_core::net::{AddressRange, Prefix};

use super::change::{Refusal, Wanted};
use super::interface::Interface;

/// A prefix, and whose it is to be.
struct Held<'a> {
    range: AddressRange,
    prefix: Prefix,
    owner: &'a PublicKey,
    is_new: bool,
}

/// Refuses a prefix that overlaps one of another peer, once `wanted` is done. Overlaps that are there already are left.
///
/// Costs N log N for N prefixes, however often others have given away the same: prefixes are nested or disjoint, so that
/// in the order of their first addresses, the longer range first, those around one are the ones that were opened and not
/// closed yet. One that is there already is held against new ones alone. New ones that nest are of one owner, so there
/// are no more of them than a prefix has lengths.
pub(super) fn check(present: &Interface, wanted: &Wanted) -> Result<(), Refusal> {
    let none = BTreeSet::new();
    let stays = present.peers.iter().filter(|(key, _)| !wanted.contains_key(key));
    let stays = stays.map(|(key, peer)| (key, &peer.allowed_ips, &peer.allowed_ips));
    let becomes = wanted.iter().filter_map(|(key, prefixes)| {
        let before = present.peers.get(key).map_or(&none, |peer| &peer.allowed_ips);
        prefixes.as_ref().map(|prefixes| (key, prefixes, before))
    });
    let mut all: Vec<Held<'_>> = stays
        .chain(becomes)
        .flat_map(|(owner, prefixes, before)| {
            prefixes.iter().map(move |prefix| {
                let is_new = !before.contains(prefix);
                Held { range: prefix.range(), prefix: *prefix, owner, is_new }
            })
        })
        .collect();
    all.sort_unstable_by_key(|held| (held.range.first, Reverse(held.range.last), !held.is_new));
    let mut around: Vec<&Held<'_>> = Vec::new();
    let mut new_around: Vec<&Held<'_>> = Vec::new();
    for held in &all {
        close(&mut around, held);
        close(&mut new_around, held);
        let against = if held.is_new { &around } else { &new_around };
        if let Some(outer) = against.iter().find(|outer| outer.owner != held.owner) {
            let (new, old) = if held.is_new { (held, *outer) } else { (*outer, held) };
            return Err(Refusal::Overlap { prefix: new.prefix, other: old.prefix, owner: *old.owner });
        }
        around.push(held);
        new_around.extend(held.is_new.then_some(held));
    }
    Ok(())
}

/// Takes off those that end before `held` begins.
fn close(around: &mut Vec<&Held<'_>>, held: &Held<'_>) {
    while around.last().is_some_and(|outer| !outer.range.overlaps(&held.range)) {
        around.pop();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::LazyLock;

    use proptest::prelude::*;
    use zt_core::key::PrivateKey;

    use super::*;
    use crate::uapi::interface::PeerStatus;

    const PREFIXES: [&str; 8] = [
        "0.0.0.0/0",
        "10.0.0.0/8",
        "10.99.0.0/24",
        "10.99.0.0/25",
        "10.99.0.128/25",
        "10.99.0.2/32",
        "::/0",
        "fd99::/64",
    ];

    static KEYS: LazyLock<Vec<PublicKey>> =
        LazyLock::new(|| (1..5).map(|seed| PrivateKey::from_bytes([seed; 32]).public_key()).collect());

    /// By the letter: each new prefix against each prefix of each other peer.
    fn is_clear(present: &Interface, wanted: &Wanted) -> bool {
        let held = |key: &PublicKey| present.peers.get(key).map(|peer| peer.allowed_ips.clone());
        let mut all: BTreeMap<PublicKey, BTreeSet<Prefix>> =
            present.peers.iter().map(|(key, peer)| (*key, peer.allowed_ips.clone())).collect();
        for (key, prefixes) in wanted {
            all.insert(*key, prefixes.clone().unwrap_or_default());
        }
        all.iter().all(|(key, prefixes)| {
            let before = held(key).unwrap_or_default();
            let mut new = prefixes.iter().filter(|prefix| !before.contains(*prefix));
            new.all(|new| {
                let mut others = all.iter().filter(|(other, _)| *other != key);
                others.all(|(_, prefixes)| prefixes.iter().all(|prefix| !prefix.overlaps(new)))
            })
        })
    }

    fn any_prefixes() -> impl Strategy<Value = BTreeSet<Prefix>> {
        let any_prefix = prop::sample::select(&PREFIXES[..]).prop_map(|text| text.parse().unwrap());
        prop::collection::btree_set(any_prefix, 0..3)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn inv_g1_new_overlaps_are_refused_and_no_others(
            present in prop::collection::vec(any_prefixes(), 0..4),
            wanted in prop::collection::vec(prop::option::of(prop::option::of(any_prefixes())), 4),
        ) {
            let peers = present.into_iter().map(|allowed_ips| PeerStatus { allowed_ips, ..PeerStatus::default() });
            let present = Interface { peers: KEYS.iter().copied().zip(peers).collect(), ..Interface::default() };
            let wanted = KEYS.iter().copied().zip(wanted).filter_map(|(key, change)| Some((key, change?))).collect();
            match check(&present, &wanted) {
                Ok(()) => prop_assert!(is_clear(&present, &wanted)),
                Err(Refusal::Overlap { prefix, other, owner }) => {
                    prop_assert!(!is_clear(&present, &wanted) && prefix.overlaps(&other));
                    let after = wanted.get(&owner).cloned().flatten();
                    prop_assert!(after.unwrap_or_else(|| present.peers[&owner].allowed_ips.clone()).contains(&other));
                }
                Err(refusal) => panic!("{refusal}"),
            }
        }
    }
}
