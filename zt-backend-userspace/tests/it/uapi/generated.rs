//! Any bytes, and any change of any peers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use proptest::prelude::*;
use zt_backend_userspace::uapi::{
    Change, Interface, MAX_REQUEST, NewPeer, decode, decode_acknowledgement, requests,
};
use zt_core::key::PublicKey;
use zt_core::net::Prefix;

use super::model::{Model, hex};
use super::public;

const CASES: u32 = 10_000;

static KEYS: LazyLock<Vec<PublicKey>> = LazyLock::new(|| (1..=5).map(public).collect());

/// Prefixes that are disjoint.
fn pool() -> Vec<Prefix> {
    let texts = ["10.99.0.2/32", "10.99.0.3/32", "10.99.4.0/22", "fd99::2/128", "fd99:1::/64", "10.0.0.0/9"];
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// Lines as they may be in a reply, rightly or wrongly.
fn any_line() -> impl Strategy<Value = String> {
    let keys = prop::sample::select(vec![
        "listen_port",
        "fwmark",
        "public_key",
        "own_public_key",
        "endpoint",
        "persistent_keepalive_interval",
        "allowed_ip",
        "rx_bytes",
        "tx_bytes",
        "last_handshake_time_sec",
        "last_handshake_time_nsec",
        "protocol_version",
        "errno",
        "future",
        "",
    ]);
    let values = prop_oneof![
        (0_usize..5).prop_map(|at| hex(KEYS[at].as_bytes())),
        prop::sample::select(pool()).prop_map(|prefix| prefix.to_string()),
        "[0-9]{1,4}",
        Just("192.0.2.1:51820".to_owned()),
        "[ -~]{0,8}",
    ];
    let secrets = (prop::sample::select(vec!["private_key", "preshared_key"]), 6_usize..10);
    prop_oneof![
        8 => (keys, values).prop_map(|(key, value)| format!("{key}={value}\n")),
        2 => secrets.prop_map(|(key, length)| format!("{key}={}\n", "5ec2e7ab".repeat(length))),
        1 => Just("\n".to_owned()),
        1 => Just("errno=0\n\n".to_owned()),
    ]
}

/// For each key whether it was and is to be there, and whether it only gains; for each prefix whose it was and may be.
type Scene = (Vec<(bool, bool, bool)>, Vec<(Option<usize>, Option<usize>)>);

fn any_scene() -> impl Strategy<Value = Scene> {
    let owner = || prop::option::weighted(0.8, 0_usize..5);
    (
        prop::collection::vec(any::<(bool, bool, bool)>(), 5),
        prop::collection::vec((owner(), owner()), pool().len()),
    )
}

type Peers = BTreeMap<PublicKey, BTreeSet<Prefix>>;

/// What there was, and what is to be there.
fn states((keys, owners): &Scene) -> (Peers, Peers) {
    let present = |pick: fn(&(bool, bool, bool)) -> bool| {
        let there = KEYS.iter().zip(keys).filter(move |(_, fate)| pick(fate));
        there.map(|(key, _)| (*key, BTreeSet::new())).collect::<Peers>()
    };
    let (mut old, mut new) = (present(|fate| fate.0), present(|fate| fate.1));
    for (prefix, (was, wanted)) in pool().into_iter().zip(owners) {
        let was = was.filter(|at| keys[*at].0);
        old.extend(was.map(|at| (KEYS[at], &old[&KEYS[at]] | &BTreeSet::from([prefix]))));
        let keeps = was.filter(|at| keys[*at].1 && (keys[*at].2 || *wanted == Some(*at)));
        let gets = wanted.filter(|at| keys[*at].1 && (!keys[*at].0 || keys[*at].2));
        let becomes = keeps.or(gets);
        new.extend(becomes.map(|at| (KEYS[at], &new[&KEYS[at]] | &BTreeSet::from([prefix]))));
    }
    (old, new)
}

/// The changes that lead from one to the other.
fn changes((old, new): &(Peers, Peers)) -> Vec<Change> {
    let change = |key: &PublicKey| match (old.get(key), new.get(key)) {
        (None, Some(new)) => {
            Some(Change::Add(*key, NewPeer { allowed_ips: new.clone(), ..NewPeer::default() }))
        }
        (Some(_), None) => Some(Change::Remove(*key)),
        (Some(old), Some(new)) if old.is_subset(new) => Some(Change::Allow(*key, new - old)),
        (Some(old), Some(new)) => Some(Change::Take(*key, old - new)),
        (None, None) => None,
    };
    KEYS.iter().filter_map(change).collect()
}

fn peers(interface: &Interface) -> Peers {
    interface.peers.iter().map(|(key, peer)| (*key, peer.allowed_ips.clone())).collect()
}

fn read(model: &Model) -> Interface {
    decode(model.get().as_bytes()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn inv_r1_no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode(&bytes);
        let _ = decode_acknowledgement(&bytes);
    }

    #[test]
    fn inv_r1_no_lines_make_the_decoder_panic_or_give_a_secret_away(
        lines in prop::collection::vec(any_line(), 0..12),
    ) {
        let reply = lines.concat();
        let shown = match decode(reply.as_bytes()) {
            Ok(interface) => format!("{interface:?}"),
            Err(error) => format!("{error} {error:?}"),
        };
        prop_assert!(!shown.contains("5ec2e7"), "{shown}");
        let _ = decode_acknowledgement(reply.as_bytes());
    }

    #[test]
    fn inv_g1_requests_lead_from_any_state_to_any_other_without_a_prefix_too_many(scene in any_scene()) {
        let (old, new) = states(&scene);
        let mut model = Model::default();
        let all: Vec<Change> = changes(&(Peers::new(), old.clone()));
        for request in requests(&Interface::default(), &all) {
            prop_assert_eq!(model.set(&request), 0);
        }
        let present = read(&model);
        prop_assert_eq!(peers(&present), old.clone());
        for request in requests(&present, &changes(&(old.clone(), new.clone()))) {
            prop_assert!(request.len() <= MAX_REQUEST);
            // no prefix is where it was not and is not to be, and none moves without having been taken
            let before = peers(&read(&model));
            prop_assert_eq!(model.set(&request), 0);
            let none = BTreeSet::new();
            for (key, held) in &peers(&read(&model)) {
                let allowed = old.get(key).unwrap_or(&none) | new.get(key).unwrap_or(&none);
                prop_assert!(held.is_subset(&allowed));
                for (other, had) in before.iter().filter(|(other, _)| *other != key) {
                    prop_assert!(had.is_disjoint(held), "{other} loses to {key}");
                }
            }
        }
        prop_assert_eq!(peers(&read(&model)), new);
    }
}
