//! Which lists are believed, and what is read of them.

use std::collections::BTreeMap;

use netlink_packet_core::{DefaultNla, NLM_F_DUMP_INTR, NLM_F_MULTIPART};
use netlink_packet_wireguard::{
    WireguardAllowedIp, WireguardAllowedIpAttr, WireguardAttribute, WireguardPeer, WireguardPeerAttribute,
};
use proptest::prelude::*;

use super::answers::{done, message, peer};
use super::*;
use crate::wireguard::dump::{DumpError, decode};
use crate::wireguard::malformed::Malformed;

fn about_the_device() -> Vec<WireguardAttribute> {
    vec![
        WireguardAttribute::ListenPort(51_820),
        WireguardAttribute::Fwmark(0),
        WireguardAttribute::IfIndex(INDEX),
        WireguardAttribute::IfName("wg0".into()),
        WireguardAttribute::PrivateKey([42; 32]),
        WireguardAttribute::PublicKey(*own().as_bytes()),
        WireguardAttribute::Other(DefaultNla::new(99, vec![1, 2, 3])),
    ]
}

/// A list with these peers in each message after the first.
fn list(messages: Vec<Vec<WireguardPeer>>, flags: u16) -> Vec<u8> {
    let mut bytes = message(about_the_device(), NLM_F_MULTIPART, 3);
    for peers in messages {
        bytes.extend(message(vec![WireguardAttribute::Peers(peers)], NLM_F_MULTIPART | flags, 3));
    }
    bytes.extend(done(NLM_F_MULTIPART, 3));
    bytes
}

#[test]
fn everything_but_secrets_is_read() {
    let all: Vec<Prefix> = prefixes(["10.99.0.2/32", "fd99::2/128", "0.0.0.0/0"]).into_iter().collect();
    let mut other = WireguardPeer(vec![WireguardPeerAttribute::PublicKey(*key(2).as_bytes())]);
    other.0.push(WireguardPeerAttribute::Other(DefaultNla::new(77, vec![9; 5])));
    let status = decode(&list(vec![vec![peer(*key(1).as_bytes(), &all, true), other]], 0)).unwrap();
    assert_eq!((status.index, status.name.as_str(), status.public_key), (INDEX, "wg0", Some(own())));
    assert_eq!((status.listen_port.map(Into::into), status.fwmark), (Some(51_820_u16), None));
    let one = &status.peers[&key(1)];
    assert_eq!(one.allowed_ips.iter().copied().collect::<Vec<_>>(), all);
    assert_eq!(one.endpoint, "[fe80::1%3]:4242".parse().ok());
    assert_eq!((one.received, one.sent, one.has_preshared_key), (2_000, 1_000, true));
    assert_eq!(one.last_handshake, Some(Duration::new(1_700_000_000, 5)));
    assert_eq!(one.keepalive.map(Into::into), Some(25_u16));
    assert_eq!(status.peers[&key(2)], super::super::status::PeerStatus::default());
    let shown = format!("{status:?}");
    assert!(!shown.contains("42, 42") && !shown.contains("43, 43"), "{shown}");
}

#[test]
fn a_peer_may_go_on_in_the_next_message_and_nowhere_else() {
    let all: Vec<Prefix> = hosts(0..12).into_iter().collect();
    let one = |range: std::ops::Range<usize>, first| peer(*key(1).as_bytes(), &all[range], first);
    let two = || peer(*key(2).as_bytes(), &[], true);
    let status =
        decode(&list(vec![vec![one(0..5, true)], vec![one(5..9, false)], vec![one(9..12, false), two()]], 0));
    assert_eq!(status.unwrap().peers[&key(1)].allowed_ips, hosts(0..12));
    for twice in [
        vec![vec![one(0..5, true), two()], vec![one(5..9, false)]],
        vec![vec![one(0..5, true)], vec![two(), one(5..9, false)]],
        vec![vec![one(0..5, true), one(5..9, true)]],
    ] {
        let outcome = decode(&list(twice.clone(), 0));
        assert!(matches!(outcome, Err(DumpError::Malformed(Malformed::Repeated))), "{outcome:?}");
        // where the list changed meanwhile, that is why
        assert!(matches!(decode(&list(twice, NLM_F_DUMP_INTR)), Err(DumpError::Interrupted)));
    }
}

#[test]
fn peers_that_no_device_can_be_are_told_apart() {
    let mapped = WireguardAllowedIp(vec![
        WireguardAllowedIpAttr::Cidr(128),
        WireguardAllowedIpAttr::Family(netlink_packet_wireguard::WireguardAddressFamily::Ipv6),
        WireguardAllowedIpAttr::IpAddr("::ffff:10.99.0.2".parse().unwrap()),
    ]);
    let mut one = peer(*key(1).as_bytes(), &[], true);
    one.0.push(WireguardPeerAttribute::AllowedIps(vec![mapped]));
    let status =
        decode(&list(vec![vec![one, peer([0; 32], &[], true), peer([255; 32], &[], true)]], 0)).unwrap();
    assert_eq!(status.peers.keys().copied().collect::<Vec<_>>(), [key(1)]);
    assert_eq!(status.strays, [[0; 32], *key(1).as_bytes(), [255; 32]].into());
    assert_eq!(status.peers[&key(1)].allowed_ips, BTreeSet::new());
}

#[test]
fn a_list_without_its_end_or_with_the_flag_is_not_believed() {
    let whole = list(vec![vec![peer(*key(1).as_bytes(), &[], true)]], 0);
    let end = whole.len() - done(0, 3).len();
    assert!(matches!(decode(&whole[..end]), Err(DumpError::Incomplete)));
    assert!(matches!(decode(&[]), Err(DumpError::Incomplete)));
    assert!(matches!(decode(&done(0, 3)), Err(DumpError::Malformed(Malformed::Missing { .. }))));
    for at in [0, message(about_the_device(), 0, 3).len(), end] {
        let mut flagged = whole.clone();
        flagged[at + 6] |= 0x10;
        assert!(matches!(decode(&flagged), Err(DumpError::Interrupted)));
    }
    let more = [whole.clone(), whole.clone()].concat();
    assert!(matches!(decode(&more), Err(DumpError::Malformed(Malformed::Unasked))));
}

/// Of each of these, `netlink-packet-wireguard` panics or makes something up.
#[test]
fn values_of_wrong_lengths_are_errors() {
    let with = |kind, length| {
        let attributes = vec![WireguardPeerAttribute::Other(DefaultNla::new(kind, vec![7; length]))];
        decode(&list(vec![vec![WireguardPeer(attributes)]], 0))
    };
    for (kind, length) in [(1, 31), (4, 15), (4, 3), (5, 1), (6, 8), (7, 4), (8, 9), (9, 3)] {
        assert!(matches!(with(kind, length), Err(DumpError::Malformed(_))), "{kind}");
    }
    for inner in [(3, 0), (3, 2), (1, 1)] {
        let allowed_ip = WireguardAllowedIp(vec![WireguardAllowedIpAttr::Other(DefaultNla::new(
            inner.0,
            vec![1; inner.1],
        ))]);
        let attributes = vec![
            WireguardPeerAttribute::PublicKey([9; 32]),
            WireguardPeerAttribute::AllowedIps(vec![allowed_ip]),
        ];
        let outcome = decode(&list(vec![vec![WireguardPeer(attributes)]], 0));
        assert!(matches!(outcome, Err(DumpError::Malformed(Malformed::Length { .. }))), "{outcome:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// However a device is cut into messages, the same is read.
    #[test]
    fn what_other_hands_wrote_is_read(
        counts in prop::collection::vec(0..9_usize, 0..6),
        cuts in prop::collection::vec(1..4_usize, 0..6),
    ) {
        let (mut next, mut wanted, mut messages, mut open) = (0_u16, BTreeMap::new(), Vec::new(), Vec::new());
        for (place, count) in counts.iter().enumerate() {
            let number = u16::try_from(place).unwrap();
            let held = hosts(next..next + u16::try_from(*count).unwrap());
            next += u16::try_from(*count).unwrap();
            let all: Vec<Prefix> = held.iter().copied().collect();
            let size = cuts.get(place).copied().unwrap_or(9);
            let mut parts = all.chunks(size);
            open.push(peer(*key(number).as_bytes(), parts.next().unwrap_or_default(), true));
            for part in parts {
                messages.push(std::mem::take(&mut open));
                open.push(peer(*key(number).as_bytes(), part, false));
            }
            wanted.insert(key(number), held);
        }
        messages.push(open);
        let status = decode(&list(messages, 0)).unwrap();
        let read: BTreeMap<_, _> = status.peers.into_iter().map(|(key, peer)| (key, peer.allowed_ips)).collect();
        prop_assert_eq!(read, wanted);
    }
}
