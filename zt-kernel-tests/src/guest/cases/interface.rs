//! Interfaces of zt-backend-kernel on the kernel's WireGuard; `wireguard-uapi` is the second opinion.
#![expect(clippy::arithmetic_side_effects, reason = "small numbers")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rtnetlink::LinkUnspec;
use wireguard_uapi::set::{Device, Peer, WgPeerF};
use wireguard_uapi::{DeviceInterface, WgSocket};
use zt_backend_kernel::{
    AdoptError, Interface, InterfaceConfig, NewPeer, ReadError, SetUpError, StartError, WriteError,
};
use zt_core::key::{PrivateKey, PublicKey};
use zt_core::net::Prefix;
use zt_linux::{CreateWireGuardError, Link, Netlink};

use crate::console::note;
use crate::namespace::{Namespace, link_name};

const PORT: u16 = 51_820;

/// An interface is made down, is set up, is taken on again, and leaves nothing behind.
pub(super) async fn starts_is_adopted_and_deleted() {
    let netlink = Netlink::open().unwrap();
    let interface = start(&netlink, Some(PORT)).await.unwrap();
    assert!(!interface.link().state().await.unwrap().up);
    let device = WgSocket::connect().unwrap().get_device(DeviceInterface::from_name("wg0")).unwrap();
    assert_eq!(device.public_key.as_ref(), Some(interface.public_key().as_bytes()));
    assert_eq!((device.listen_port, device.fwmark), (PORT, 7));
    interface.set_up().await.unwrap();
    let status = interface.observe().await.unwrap();
    assert_eq!((status.public_key, status.fwmark), (Some(own().public_key()), 7.try_into().ok()));
    assert_eq!(interface.check().await.unwrap().map(Into::into), Some(PORT));

    let key = own().public_key();
    interface.add(&[peer(1)]).await.unwrap();
    drop(interface);
    let interface = Interface::adopt(&netlink, &link_name("wg0"), key).await.unwrap();
    assert_eq!(interface.observe().await.unwrap().peers.len(), 1);
    let other = Interface::adopt(&netlink, &link_name("wg0"), peer(1).0).await;
    assert!(matches!(other, Err(AdoptError::OtherKey(_))), "{other:?}");
    let other = Interface::adopt(&netlink, &link_name("lo"), key).await;
    assert!(matches!(other, Err(AdoptError::OtherKind(_))), "{other:?}");
    let other = Interface::adopt(&netlink, &link_name("wg9"), key).await;
    assert!(matches!(other, Err(AdoptError::Find(_))), "{other:?}");

    interface.delete().await.unwrap();
    assert!(interface.delete().await.is_err());
    assert!(Link::find(&netlink, &link_name("wg0")).await.is_err());
    assert!(matches!(interface.observe().await, Err(ReadError::Gone)));
    let cut = interface.set_allowed_ips(&[(peer(1).0, BTreeSet::new())]).await;
    assert!(matches!(cut, Err(WriteError::Gone)), "{cut:?}");
}

/// A port or a name that is taken is told, and no link is left.
pub(super) async fn takes_no_port_and_no_name_of_others() {
    let netlink = Netlink::open().unwrap();
    Link::find(&netlink, &link_name("lo")).await.unwrap().set_up().await.unwrap();
    for address in ["0.0.0.0", "127.0.0.1", "::", "::1"] {
        let holder = UdpSocket::bind((address, PORT)).unwrap();
        let taken = start(&netlink, Some(PORT)).await;
        assert!(
            matches!(taken, Err(StartError::PortTaken(port)) if port.get() == PORT),
            "{address}: {taken:?}"
        );
        assert!(Link::find(&netlink, &link_name("wg0")).await.is_err());
        drop(holder);
        let interface = start(&netlink, Some(PORT)).await.unwrap();
        let holder = UdpSocket::bind((address, PORT)).unwrap();
        let late = interface.set_up().await;
        assert!(matches!(late, Err(SetUpError::PortTaken)), "{address}: {late:?}");
        assert!(!interface.link().state().await.unwrap().up);
        drop(holder);
        interface.set_up().await.unwrap();
        let again = start(&netlink, Some(PORT + 1)).await;
        assert!(matches!(again, Err(StartError::Link(CreateWireGuardError::NameTaken(_)))), "{again:?}");
        interface.delete().await.unwrap();
    }
    let interface = start(&netlink, None).await.unwrap();
    assert_eq!(interface.check().await.unwrap(), None);
    interface.set_up().await.unwrap();
    assert!(interface.check().await.unwrap().is_some(), "the kernel has chosen a port");
}

/// What is written is what is read, by us and by others; nothing comes to life that is gone.
pub(super) async fn writes_and_reads_peers() {
    let netlink = Netlink::open().unwrap();
    let interface = start(&netlink, Some(PORT)).await.unwrap();
    let mut wanted: BTreeMap<PublicKey, BTreeSet<Prefix>> = BTreeMap::new();
    let mut peers: Vec<(PublicKey, NewPeer)> = (0..200).map(peer).collect();
    peers[7].1.allowed_ips = hosts(10_000..14_000);
    peers[8].1.allowed_ips = ["fd99::/64".parse().unwrap()].into();
    peers[9].1.endpoint = "[fd00::1]:4242".parse().ok();
    peers[9].1.keepalive = 25.try_into().ok();
    interface.add(&peers).await.unwrap();
    wanted.extend(peers.iter().map(|(key, new)| (*key, new.allowed_ips.clone())));
    assert_eq!(read(&interface).await, wanted);
    let status = interface.observe().await.unwrap();
    assert_eq!(status.peers[&peers[9].0].endpoint, peers[9].1.endpoint);
    assert_eq!(status.peers[&peers[9].0].keepalive, peers[9].1.keepalive);

    let mut changes = vec![(peers[7].0, hosts(10_000..13_000)), (peers[8].0, hosts(13_500..13_502))];
    changes.push((peers[10].0, BTreeSet::new()));
    interface.set_allowed_ips(&changes).await.unwrap();
    wanted.extend(changes);
    assert_eq!(read(&interface).await, wanted);

    let gone: BTreeSet<PublicKey> = peers[..50].iter().map(|(key, _)| *key).collect();
    interface.remove(&gone).await.unwrap();
    wanted.retain(|key, _| !gone.contains(key));
    assert_eq!(read(&interface).await, wanted);

    // removed by others: it does not come back, however many allowed IPs it is to have
    let lost = peers[60].0;
    let flags = vec![WgPeerF::RemoveMe];
    others(vec![Peer::from_public_key(lost.as_bytes()).flags(flags)]);
    interface.set_allowed_ips(&[(lost, hosts(20_000..24_000))]).await.unwrap();
    wanted.remove(&lost);
    assert_eq!(read(&interface).await, wanted);
    // a peer whose key is the device's own, or of low order, made by others
    others(vec![Peer::from_public_key(own().public_key().as_bytes()), Peer::from_public_key(&[0; 32])]);
    assert_eq!(interface.observe().await.unwrap().strays, [[0; 32]].into());
}

/// A device that was renamed, given another key, moved or made anew is gone.
pub(super) async fn knows_what_has_taken_its_place() {
    let netlink = Netlink::open().unwrap();
    let requests = Namespace::here().requests().link();
    for change in ["name", "key", "namespace", "anew"] {
        let interface = start(&netlink, Some(PORT)).await.unwrap();
        interface.add(&[peer(1)]).await.unwrap();
        let index = interface.link().index();
        let elsewhere = Namespace::new().await;
        match change {
            "name" => {
                let renamed = LinkUnspec::new_with_index(index).name("wg7".to_owned()).build();
                requests.set(renamed).execute().await.unwrap();
            }
            "key" => {
                let key = [9; 32];
                WgSocket::connect()
                    .unwrap()
                    .set_device(Device::from_ifname("wg0").private_key(&key))
                    .unwrap();
            }
            "namespace" => elsewhere.take(index, &requests).await,
            _ => {
                requests.del(index).execute().await.unwrap();
                Link::create_wireguard(&netlink, &link_name("wg0")).await.unwrap();
            }
        }
        assert!(matches!(interface.check().await, Err(ReadError::Gone)), "{change}");
        assert!(matches!(interface.observe().await, Err(ReadError::Gone)), "{change}");
        assert!(matches!(interface.add(&[peer(2)]).await, Err(WriteError::Gone)), "{change}");
        assert!(matches!(interface.remove(&[peer(1).0].into()).await, Err(WriteError::Gone)), "{change}");
        let cut = interface.set_allowed_ips(&[(peer(1).0, BTreeSet::new())]).await;
        let is_there = matches!(change, "name" | "key");
        assert_eq!(cut.is_ok(), is_there, "{change}: {cut:?}");
        for name in ["wg0", "wg7"] {
            if let Ok(link) = Link::find(&netlink, &link_name(name)).await {
                link.delete_wireguard().await.unwrap();
            }
        }
    }
}

/// While others add and remove peers, a list is whole or an error.
pub(super) async fn believes_no_list_that_changed_meanwhile() {
    let netlink = Netlink::open().unwrap();
    let interface = start(&netlink, Some(PORT)).await.unwrap();
    let stable: Vec<(PublicKey, NewPeer)> = (0..400).map(peer).collect();
    interface.add(&stable).await.unwrap();
    let ended = Arc::new(AtomicBool::new(false));
    let churn = std::thread::spawn({
        let ended = Arc::clone(&ended);
        move || {
            let keys: Vec<PublicKey> = (1_000..1_040).map(|number| peer(number).0).collect();
            let mut rounds = 0_u32;
            while !ended.load(Ordering::Relaxed) {
                for key in &keys {
                    others(vec![Peer::from_public_key(key.as_bytes())]);
                    std::thread::sleep(Duration::from_millis(15));
                    others(vec![Peer::from_public_key(key.as_bytes()).flags(vec![WgPeerF::RemoveMe])]);
                }
                rounds += 1;
            }
            rounds
        }
    });
    let (mut whole, mut refused) = (0, 0);
    for _ in 0..40 {
        match interface.observe().await {
            Ok(status) => {
                whole += 1;
                for (key, new) in &stable {
                    assert_eq!(status.peers.get(key).map(|it| &it.allowed_ips), Some(&new.allowed_ips));
                }
                assert!(status.peers.len() <= stable.len() + 1);
            }
            Err(error) => {
                refused += 1;
                assert!(matches!(error, ReadError::Device(_)), "{error:?}");
            }
        }
    }
    ended.store(true, Ordering::Relaxed);
    let rounds = churn.join().unwrap();
    note(&format!(
        "{whole} lists whole, {refused} refused, {rounds} rounds of 40 additions and removals meanwhile"
    ));
}

/// What cuts and removals cost.
pub(super) async fn cuts_cost_little_with_many_peers() {
    let netlink = Netlink::open().unwrap();
    let interface = start(&netlink, Some(PORT)).await.unwrap();
    interface.set_up().await.unwrap();
    let peers: Vec<(PublicKey, NewPeer)> = (0..2_000).map(peer).collect();
    let took = |begun: Instant| begun.elapsed();
    let begun = Instant::now();
    interface.add(&peers).await.unwrap();
    let added = took(begun);
    let begun = Instant::now();
    interface.check().await.unwrap();
    let checked = took(begun);
    let begun = Instant::now();
    interface.observe().await.unwrap();
    let observed = took(begun);
    let mut cuts: Vec<Duration> = Vec::new();
    for (key, _) in &peers[..50] {
        let begun = Instant::now();
        interface.set_allowed_ips(&[(*key, BTreeSet::new())]).await.unwrap();
        cuts.push(took(begun));
    }
    cuts.sort();
    let begun = Instant::now();
    let thousand: Vec<_> = peers[50..1_050].iter().map(|(key, _)| (*key, BTreeSet::new())).collect();
    interface.set_allowed_ips(&thousand).await.unwrap();
    let emptied = took(begun);
    let interface = Arc::new(interface);
    let begun = Instant::now();
    let gone: BTreeSet<PublicKey> = peers[50..350].iter().map(|(key, _)| *key).collect();
    let removing = tokio::spawn({
        let interface = Arc::clone(&interface);
        async move { interface.remove(&gone).await }
    });
    let mut meanwhile = Duration::ZERO;
    for (key, _) in &peers[1_100..1_140] {
        let begun = Instant::now();
        interface.set_allowed_ips(&[(*key, BTreeSet::new())]).await.unwrap();
        meanwhile = meanwhile.max(took(begun));
    }
    removing.await.unwrap().unwrap();
    let removed = took(begun);
    note(&format!(
        "2000 added {added:?}; check {checked:?}; observe {observed:?}; cut median {:?}, most {:?}; 1000 emptied {emptied:?}; 300 removed {removed:?}, longest of 40 cuts meanwhile {meanwhile:?}",
        cuts[25], cuts[49]
    ));
    assert_eq!(interface.observe().await.unwrap().peers.len(), 1_700);
}

async fn start(netlink: &Netlink, port: Option<u16>) -> Result<Interface, StartError> {
    let listen_port = port.and_then(|port| port.try_into().ok());
    let config = InterfaceConfig {
        name: link_name("wg0"),
        private_key: own(),
        listen_port,
        fwmark: 7.try_into().ok(),
    };
    Interface::start(netlink, config).await
}

/// Both readings of the allowed IPs, which are the same.
async fn read(interface: &Interface) -> BTreeMap<PublicKey, BTreeSet<Prefix>> {
    let ours: BTreeMap<_, _> =
        interface.observe().await.unwrap().peers.into_iter().map(|(key, it)| (key, it.allowed_ips)).collect();
    let device = WgSocket::connect().unwrap().get_device(DeviceInterface::from_name("wg0")).unwrap();
    let theirs: BTreeMap<_, _> = device
        .peers
        .iter()
        .map(|peer| {
            let prefixes =
                peer.allowed_ips.iter().map(|ip| Prefix::new(ip.ipaddr, ip.cidr_mask).unwrap()).collect();
            (PublicKey::from_bytes(peer.public_key).unwrap(), prefixes)
        })
        .collect();
    assert_eq!(ours, theirs);
    ours
}

fn others(peers: Vec<Peer<'_>>) {
    WgSocket::connect().unwrap().set_device(Device::from_ifname("wg0").peers(peers)).unwrap();
}

fn own() -> PrivateKey {
    PrivateKey::from_bytes([200; 32])
}

fn peer(number: u16) -> (PublicKey, NewPeer) {
    let mut bytes = [1; 32];
    bytes[2..4].copy_from_slice(&number.to_be_bytes()); // of the first byte, not all bits count
    let key = PrivateKey::from_bytes(bytes).public_key();
    (key, NewPeer { allowed_ips: hosts(number..number + 1), ..NewPeer::default() })
}

fn hosts(numbers: std::ops::Range<u16>) -> BTreeSet<Prefix> {
    let host = |number: u16| Prefix::host([10, 99, number.to_be_bytes()[0], number.to_be_bytes()[1]].into());
    numbers.map(host).collect()
}
