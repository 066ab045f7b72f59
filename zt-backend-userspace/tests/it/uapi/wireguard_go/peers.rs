//! Its peers: written, read back, refused, cut.

use std::collections::BTreeSet;

use zt_backend_userspace::uapi::{
    Change, Interface, NewPeer, PeerStatus, Refusal, SocketError, UapiGateway, WriteError,
};
use zt_core::backend::{Backend as _, BackendError};
use zt_core::net::Prefix;
use zt_core::plan::{Add, Cut, Destroy, Gate, Plan, Step, steps};
use zt_core::time::Timestamp;

use super::super::model::hex;
use super::super::scale::{add_numbered, host, numbered_key};
use super::super::{OWN, add, allow, prefixes, public, take};
use super::process::with_process;

/// A peer as it is to be read when it was just added.
fn read(new: &NewPeer) -> PeerStatus {
    let NewPeer { allowed_ips, endpoint, keepalive } = new.clone();
    PeerStatus { allowed_ips, endpoint, keepalive, ..PeerStatus::default() }
}

#[test]
fn peers_are_read_back_as_they_were_written() {
    with_process(async |process| {
        let writer = process.writer();
        let fresh = writer.observe().await.unwrap();
        assert_eq!(fresh, Interface { listen_port: fresh.listen_port, ..Interface::default() });
        process.give_key().await;
        assert_eq!(writer.observe().await.unwrap().public_key, Some(public(OWN)));

        let new = |allowed_ips, endpoint: Option<&str>, keepalive: u16| NewPeer {
            allowed_ips: prefixes(allowed_ips),
            endpoint: endpoint.map(|text| text.parse().unwrap()),
            keepalive: keepalive.try_into().ok(),
        };
        let peers = [
            (public(1), new(&["10.99.0.2", "fd99::2", "10.99.4.0/22"], Some("192.0.2.1:51820"), 25)),
            (public(2), new(&["0.0.0.0/1", "8000::/1"], Some("[2001:db8::1]:1"), 0)),
            (public(3), new(&[], None, u16::MAX)),
        ];
        let changes = peers.clone().map(|(key, peer)| Change::Add(key, peer));
        let error = writer.write(&changes).await.unwrap_err();
        assert!(matches!(error, WriteError::Refused(Refusal::Overlap { .. })), "{error}");
        assert!(writer.observe().await.unwrap().peers.is_empty());
        let mut peers = peers;
        peers[1].1.allowed_ips = prefixes(&["128.0.0.0/1", "8000::/2"]);
        let changes = peers.clone().map(|(key, peer)| Change::Add(key, peer));
        writer.write(&changes).await.unwrap();
        let mut read_back = writer.observe().await.unwrap().peers;
        // it tries to shake hands, for which there is no route
        read_back.values_mut().for_each(|peer| peer.sent = 0);
        assert_eq!(read_back, peers.iter().map(|(key, peer)| (*key, read(peer))).collect());

        let changes =
            [take(1, &["10.99.0.2"]), allow(3, &["10.99.0.2", "fd99::3"]), Change::Remove(public(2))];
        writer.write(&changes).await.unwrap();
        let after = writer.observe().await.unwrap().peers;
        assert_eq!(after.keys().collect::<BTreeSet<_>>(), [public(1), public(3)].iter().collect());
        assert_eq!(after[&public(1)].allowed_ips, prefixes(&["fd99::2", "10.99.4.0/22"]));
        assert_eq!(after[&public(1)].endpoint, peers[0].1.endpoint);
        assert_eq!(after[&public(1)].keepalive, peers[0].1.keepalive);
        assert_eq!(after[&public(3)].allowed_ips, prefixes(&["10.99.0.2", "fd99::3"]));
    });
}

#[test]
fn ten_thousand_peers_and_ten_thousand_allowed_ips() {
    with_process(async |process| {
        process.give_key().await;
        let writer = process.writer();
        let added: Vec<Change> = (0..10_000).map(add_numbered).collect();
        writer.write(&added).await.unwrap();
        let peers = writer.observe().await.unwrap().peers;
        assert_eq!(peers.len(), 10_000);
        let is_there = |change: &Change| {
            let Change::Add(key, peer) = change else { return false };
            peers.get(key) == Some(&read(peer))
        };
        assert!(added.iter().all(is_there));
        let removed: Vec<Change> = added.iter().map(|change| Change::Remove(*change.key())).collect();
        writer.write(&removed[1..]).await.unwrap();
        assert_eq!(writer.observe().await.unwrap().peers.into_keys().collect::<Vec<_>>(), [numbered_key(0)]);

        let allowed_ips: BTreeSet<Prefix> = (1..=10_000).map(host).collect();
        writer.write(&[Change::Allow(numbered_key(0), allowed_ips.clone())]).await.unwrap();
        let held = writer.observe().await.unwrap().peers[&numbered_key(0)].allowed_ips.clone();
        assert_eq!(held.len(), 10_001);
        assert!(held.is_superset(&allowed_ips));
        let gone = [host(0), host(5_000), host(10_000)].into();
        writer.write(&[Change::Take(numbered_key(0), gone)]).await.unwrap();
        assert_eq!(writer.observe().await.unwrap().peers[&numbered_key(0)].allowed_ips.len(), 9_998);
        writer.write(&removed[..1]).await.unwrap();
        assert!(writer.observe().await.unwrap().peers.is_empty());
    });
}

/// What the guards are for: the same, asked for without them.
#[test]
fn inv_g1_what_it_would_do_silently_is_refused() {
    with_process(async |process| {
        process.give_key().await;
        let writer = process.writer();
        writer.write(&[add(1, &["10.99.0.0/24"]), add(2, &["fd99::2"])]).await.unwrap();
        let before = writer.observe().await.unwrap();
        let own = writer.write(&[add(OWN, &["10.98.0.0/24"])]).await.unwrap_err();
        assert!(matches!(own, WriteError::Refused(Refusal::OwnKey(key)) if key == public(OWN)), "{own}");
        for prefix in ["10.99.0.0/24", "10.99.0.2", "10.0.0.0/8"] {
            let shared = writer.write(&[allow(2, &[prefix])]).await.unwrap_err();
            assert!(matches!(shared, WriteError::Refused(Refusal::Overlap { .. })), "{shared}");
        }
        assert_eq!(writer.observe().await.unwrap(), before);

        let [own, other] = [OWN, 2].map(|seed| hex(public(seed).as_bytes()));
        let request = format!("set=1\npublic_key={own}\nallowed_ip=10.98.0.0/24\n\n");
        assert_eq!(process.ask(&request).await, "errno=0\n\n");
        assert_eq!(writer.observe().await.unwrap(), before, "its own key is passed over");
        let request = format!("set=1\npublic_key={other}\nallowed_ip=10.99.0.0/24\n\n");
        assert_eq!(process.ask(&request).await, "errno=0\n\n");
        let peers = writer.observe().await.unwrap().peers;
        assert!(peers[&public(1)].allowed_ips.is_empty(), "the prefix is moved");
        assert_eq!(peers[&public(2)].allowed_ips, prefixes(&["10.99.0.0/24", "fd99::2"]));
    });
}

#[test]
fn peers_nobody_can_be_keep_others_from_being_added_and_not_from_being_cut() {
    with_process(async |process| {
        process.give_key().await;
        let writer = process.writer();
        writer.write(&[add(1, &["10.99.0.2", "fd99::2"])]).await.unwrap();
        let zero = "0".repeat(64);
        assert_eq!(process.ask(&format!("set=1\npublic_key={zero}\n\n")).await, "errno=0\n\n");
        let error = writer.write(&[add(2, &["10.99.0.3"])]).await.unwrap_err();
        assert!(matches!(error, WriteError::Unread(SocketError::Reply(_))), "{error}");
        let error = writer.write(&[Change::Remove(public(1))]).await.unwrap_err();
        assert!(matches!(error, WriteError::Unconfirmed(SocketError::Reply(_))), "{error}");
        let request = format!("set=1\npublic_key={zero}\nremove=true\n\n");
        assert_eq!(process.ask(&request).await, "errno=0\n\n");
        assert!(writer.observe().await.unwrap().peers.is_empty());
    });
}

#[test]
fn inv_g5_the_backend_cuts_and_refuses_every_addition() {
    with_process(async |process| {
        process.give_key().await;
        let peers = [add(1, &["10.99.0.2", "fd99::2"]), add(2, &["10.99.0.3"]), add(3, &[])];
        process.writer().write(&peers).await.unwrap();
        let gateway = UapiGateway::new(process.socket());
        let plan = |steps| Plan { generation: Default::default(), now: Timestamp::from_millis(0), steps };
        let observed = gateway.observe().await.unwrap();
        assert_eq!((observed.gate, observed.elements.peers.len()), (Gate::Closed, 3));
        let mut desired = observed.elements.clone();
        desired.peers.remove(&public(2));
        desired.peers.get_mut(&public(1)).unwrap().allowed_ips = prefixes(&["fd99::2"]);
        let cuts = steps(&observed.elements, &desired, Timestamp::from_millis(0));
        gateway.apply(&plan(cuts)).await.unwrap();
        assert_eq!(gateway.observe().await.unwrap().elements, desired);

        for addition in [
            Add::Peer(public(4)),
            Add::AllowedIp(public(3), "10.99.0.9".parse().unwrap()),
            Add::Gate(Timestamp::from_millis(60_000)),
        ] {
            let cut = Step::Cut(Cut::AllowedIp(public(1), "10.99.0.2".parse().unwrap()));
            let steps = vec![cut, Step::Add(addition.clone()), Step::Destroy(Destroy::Peer(public(3)))];
            match gateway.apply(&plan(steps)).await {
                Err(BackendError::Step { step, .. }) => assert_eq!(*step, Step::Add(addition)),
                other => panic!("{other:?}"),
            }
            assert_eq!(gateway.observe().await.unwrap().elements, desired);
        }
    });
}
