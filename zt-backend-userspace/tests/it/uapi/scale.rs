//! Many allowed IPs, and many peers.

use std::net::{IpAddr, Ipv6Addr};

use zt_backend_userspace::uapi::{Change, MAX_REQUEST, NewPeer};
use zt_core::key::{PrivateKey, PublicKey};
use zt_core::net::Prefix;

use super::{lab, prefixes, public};
use crate::lab::key;

pub(super) fn host(number: u32) -> Prefix {
    let address = Ipv6Addr::from_bits((0xfd99 << 112) | u128::from(number));
    Prefix::host(IpAddr::V6(address))
}

pub(super) fn numbered_key(number: u32) -> PublicKey {
    let mut bytes = *key(1).expose_bytes();
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    PrivateKey::from_bytes(bytes).public_key()
}

/// A change that adds the peer of this number, with the host of this number.
pub(super) fn add_numbered(number: u32) -> Change {
    let peer = NewPeer { allowed_ips: [host(number)].into(), ..NewPeer::default() };
    Change::Add(numbered_key(number), peer)
}

#[tokio::test]
async fn b24_ten_thousand_allowed_ips_of_one_peer() {
    let (server, writer) = lab();
    let allowed_ips: std::collections::BTreeSet<Prefix> = (0..10_000).map(host).collect();
    let peer = NewPeer { allowed_ips: allowed_ips.clone(), ..NewPeer::default() };
    writer.write(&[Change::Add(public(1), peer)]).await.unwrap();
    assert_eq!(writer.observe().await.unwrap().peers[&public(1)].allowed_ips, allowed_ips);
    {
        let mut state = server.state();
        let creating = state.requests.iter().filter(|request| !request.contains("update_only=true"));
        assert_eq!(creating.count(), 1, "only the first request may create the peer");
        assert!(state.requests.len() > 1);
        assert!(state.requests.iter().all(|request| request.len() <= MAX_REQUEST));
        state.requests.clear();
    }
    let gone = [host(0), host(5_000), host(9_999)].into();
    let kept = &allowed_ips - &gone;
    writer.write(&[Change::Take(public(1), gone)]).await.unwrap();
    assert_eq!(writer.observe().await.unwrap().peers[&public(1)].allowed_ips, kept);
    for request in &server.state().requests {
        assert!(request.len() <= MAX_REQUEST && request.contains("update_only=true"));
    }
    let replacing = server.state().requests.iter().filter(|request| request.contains("replace_")).count();
    assert_eq!(replacing, 1, "only the first request may empty the list");
    writer.write(&[Change::Take(public(1), kept)]).await.unwrap();
    assert!(writer.observe().await.unwrap().peers[&public(1)].allowed_ips.is_empty());
}

#[tokio::test]
async fn a_thousand_peers_come_and_go() {
    let (server, writer) = lab();
    let added: Vec<Change> = (0..1_000).map(add_numbered).collect();
    let keys: Vec<PublicKey> = added.iter().map(|change| *change.key()).collect();
    writer.write(&added).await.unwrap();
    let peers = writer.observe().await.unwrap().peers;
    assert_eq!(peers.len(), 1_000);
    assert!(keys.iter().zip(0..).all(|(key, number)| peers[key].allowed_ips == [host(number)].into()));
    let sent = server.state().requests.len();
    assert!(sent > 1 && server.state().requests.iter().all(|request| request.len() <= MAX_REQUEST));
    // others stay as they are while one is changed
    writer.write(&[Change::Allow(keys[500], prefixes(&["10.99.0.2"]))]).await.unwrap();
    assert_eq!(server.state().requests.len(), sent + 1);
    let removed: Vec<Change> = keys.iter().map(|key| Change::Remove(*key)).collect();
    writer.write(&removed).await.unwrap();
    assert!(server.state().model.peers.is_empty());
}
