//! Peers that come, go, come back and change.

use std::time::{Duration, Instant};

use zt_backend_userspace::{Gateway, GatewayConfig};
use zt_core::backend::{Backend as _, BackendError};
use zt_core::id::RegionId;
use zt_core::net::{PortRange, Prefix};
use zt_core::plan::{Add, Cut, Destroy, Plan, Step};
use zt_core::testing::bytes::udp;

use crate::lab::{DNS, Device, Lab, OTHER, WEB, address, key, socket};

/// One packet from the device, and one back.
async fn talk(lab: &mut Lab, device: &mut Device) {
    let (near, far) = ((device.addresses[0], 40_000).into(), socket("10.100.5.10:5000"));
    device.send(udp(near, far, b"there")).await;
    assert_eq!(lab.arrives().await, udp(near, far, b"there"));
    lab.reply(udp(far, near, b"back")).await;
    assert_eq!(device.arrives().await, udp(far, near, b"back"));
}

#[tokio::test]
async fn a_gateway_that_started_without_peers_hears_those_that_come() {
    let mut lab = Lab::open().await;
    assert!(lab.gateway.observe().await.unwrap().elements.peers.is_empty());
    let mut device = lab.device(1, &["10.99.0.2"], &[DNS]).await;
    talk(&mut lab, &mut device).await;
}

#[tokio::test]
async fn a_peer_that_comes_back_is_reached_at_once() {
    let mut lab = Lab::open().await;
    let mut device = lab.device(1, &["10.99.0.2"], &[DNS]).await;
    talk(&mut lab, &mut device).await;
    let (peer, source) = (lab.elements.peers.clone(), lab.elements.sources.clone());
    lab.elements.peers.clear();
    lab.elements.sources.clear();
    lab.converge().await;
    assert!(lab.gateway.observe().await.unwrap().elements.peers.is_empty());
    (lab.elements.peers, lab.elements.sources) = (peer, source);
    let start = Instant::now();
    lab.converge().await;
    // the device keeps its dead session, so single packets may be lost until the gateway's handshake is done
    let (near, far) = (socket("10.99.0.2:40000"), socket("10.100.5.10:5000"));
    loop {
        device.send(udp(near, far, b"there")).await;
        let arrived = tokio::time::timeout(Duration::from_millis(10), lab.network.receiver.recv()).await;
        if arrived.is_ok() {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(3), "a naive return takes nine seconds");
    }
    println!("traffic is back after {:?}", start.elapsed());
}

/// A gateway that was restarted does not know where its devices are, and they still have sessions with the old one.
#[tokio::test]
async fn a_device_that_is_told_to_reconnects_at_once_to_a_restarted_gateway() {
    let mut lab = Lab::open().await;
    let mut device = lab.device(1, &["10.99.0.2"], &[DNS]).await;
    talk(&mut lab, &mut device).await;
    let underlay = lab.gateway.local_address().into();
    lab.gateway.stop().await;
    let config = GatewayConfig { private_key: key(200), underlay, clock: lab.clock.clone() };
    (lab.gateway, lab.network) = Gateway::start(config).await.unwrap();
    lab.converge().await;
    lab.gate(Duration::from_secs(3_600)).await;
    let packet = |number: u8| udp(socket("10.99.0.2:40000"), socket("10.100.5.10:5000"), &[number]);
    for number in 0..100 {
        device.send(packet(number)).await;
        tokio::time::sleep(Duration::from_millis(1)).await; // so that what would arrive does
    }
    assert!(lab.network.receiver.try_recv().is_err(), "the session before is of no use");
    device.tunnel.reconnect(&lab.gateway.public_key()).await.unwrap();
    device.send(packet(100)).await;
    assert_eq!(lab.arrives().await, packet(100));
    lab.reply(udp(socket("10.100.5.10:5000"), socket("10.99.0.2:40000"), b"back")).await;
    assert_eq!(device.arrives().await, udp(socket("10.100.5.10:5000"), socket("10.99.0.2:40000"), b"back"));
}

#[tokio::test]
async fn an_address_that_changes_hands_stays_with_its_new_peer() {
    let mut lab = Lab::open().await;
    let mut old = lab.device(1, &["10.99.0.2"], &[DNS]).await;
    talk(&mut lab, &mut old).await;
    // rotation: the same address under another key
    let mut new = Device::start(2, &["10.99.0.2"]).await;
    new.route(&lab.gateway).await;
    lab.elements.peers.get_mut(&old.tunnel.public_key()).unwrap().allowed_ips.clear();
    lab.admit(&new, 1);
    lab.converge().await;
    talk(&mut lab, &mut new).await;
    // a later change of the old peer does not take the address back
    let old_key = old.tunnel.public_key();
    lab.elements.peers.get_mut(&old_key).unwrap().allowed_ips.insert(Prefix::host(address("10.99.0.9")));
    lab.converge().await;
    assert_eq!(lab.gateway.observe().await.unwrap().elements, lab.elements);
    old.send(udp(socket("10.99.0.2:40000"), socket("10.100.5.10:5000"), b"of the old key")).await;
    talk(&mut lab, &mut new).await;
}

#[tokio::test]
async fn changes_of_one_peer_leave_the_others_alone() {
    let mut lab = Lab::open().await;
    let mut a = lab.device(1, &["10.99.0.2"], &[DNS]).await;
    talk(&mut lab, &mut a).await;
    for seed in 2..6_u8 {
        let address = format!("10.99.0.{}", seed + 1);
        let mut other = lab.device(seed, &[&address], &[DNS]).await;
        talk(&mut lab, &mut other).await;
        lab.elements.peers.remove(&other.tunnel.public_key());
        lab.converge().await;
        // were A's session gone, this packet would be lost or wait for a handshake that A must ask for
        let (near, far) = (socket("10.99.0.2:40000"), socket("10.100.5.10:5000"));
        lab.reply(udp(far, near, b"still there")).await;
        assert_eq!(a.arrives().await, udp(far, near, b"still there"));
    }
}

/// Applies steps of which the last is refused; the others are done.
async fn refused(lab: &Lab, steps: Vec<Step>) -> String {
    let last = steps.last().unwrap().clone();
    let plan = Plan { generation: lab.generation, now: lab.now(), steps };
    match lab.gateway.apply(&plan).await {
        Err(BackendError::Step { step, problem }) => {
            assert_eq!(*step, last);
            problem
        }
        other => panic!("{last:?} should have been refused, but: {other:?}"),
    }
}

#[tokio::test]
async fn inv_g1_overlapping_prefixes_of_two_peers_are_refused() {
    let lab = Lab::open().await;
    let (a, b) = (key(1).public_key(), key(2).public_key());
    let allow = |key, text: &str| Step::Add(Add::AllowedIp(key, text.parse().unwrap()));
    lab.steps(vec![Step::Add(Add::Peer(a)), Step::Add(Add::Peer(b)), allow(a, "10.99.0.0/24")]).await;
    lab.steps(vec![allow(a, "fd99::2"), allow(a, "10.99.0.2"), allow(b, "10.99.2.0/24")]).await;
    for taken in ["10.99.0.0/24", "10.99.0.0/16", "10.99.0.128/25", "10.99.0.2/32", "fd99::/64", "0.0.0.0/0"]
    {
        let steps = vec![allow(b, "10.99.1.0/24"), allow(b, taken)];
        assert!(refused(&lab, steps).await.contains("overlaps"), "{taken}");
    }
    let peers = lab.gateway.observe().await.unwrap().elements.peers;
    let prefixes = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    assert_eq!(peers[&a].allowed_ips, prefixes(&["10.99.0.0/24", "10.99.0.2", "fd99::2"]));
    assert_eq!(peers[&b].allowed_ips, prefixes(&["10.99.1.0/24", "10.99.2.0/24"]));
    // once it is cut it may be given
    let cut = Step::Cut(Cut::AllowedIp(a, "10.99.0.2".parse().unwrap()));
    let wide = Step::Cut(Cut::AllowedIp(a, "10.99.0.0/24".parse().unwrap()));
    lab.steps(vec![cut, wide, allow(b, "10.99.0.2")]).await;
}

#[tokio::test]
async fn inv_k2_the_gateways_own_key_and_a_peer_that_is_there_are_refused() {
    let lab = Lab::open().await;
    let a = key(1).public_key();
    refused(&lab, vec![Step::Add(Add::Peer(a)), Step::Add(Add::Peer(a))]).await;
    refused(&lab, vec![Step::Add(Add::Peer(a))]).await;
    refused(&lab, vec![Step::Add(Add::Peer(lab.gateway.public_key()))]).await;
    let nobody = key(9).public_key();
    refused(&lab, vec![Step::Add(Add::AllowedIp(nobody, "10.99.0.9".parse().unwrap()))]).await;
    assert_eq!(lab.gateway.observe().await.unwrap().elements.peers.len(), 1);
}

#[tokio::test]
async fn cells_that_overlap_or_are_no_boxes_are_refused() {
    let mut lab = Lab::open().await;
    lab.device(1, &["10.99.0.2"], &[DNS, WEB]).await;
    let put = |cell| Step::Add(Add::Cell(cell, RegionId(9)));
    let mut within = DNS.cell();
    within.ports = PortRange::single(5_050);
    let mut around = DNS.cell();
    around.addresses.first = address("10.100.0.0");
    let mut mixed = OTHER.cell();
    mixed.addresses.first = address("::1");
    let mut backwards = OTHER.cell();
    backwards.ports = PortRange { first: 2, last: 1 };
    for cell in [within, around, mixed, backwards, DNS.cell()] {
        refused(&lab, vec![put(OTHER.cell()), put(cell)]).await;
        lab.steps(vec![Step::Cut(Cut::Cell(OTHER.cell()))]).await;
    }
    assert_eq!(lab.gateway.observe().await.unwrap().elements, lab.elements);
}

#[tokio::test]
async fn steps_that_were_carried_out_already_change_nothing() {
    let mut lab = Lab::open().await;
    let mut device = lab.device(1, &["10.99.0.2"], &[DNS]).await;
    let nobody = key(9).public_key();
    let absent: Prefix = "10.99.0.9".parse().unwrap();
    lab.steps(vec![
        Step::Cut(Cut::Source(absent.address())),
        Step::Cut(Cut::AllowedIp(nobody, absent)),
        Step::Cut(Cut::AllowedIp(device.tunnel.public_key(), absent)),
        Step::Cut(Cut::Cell(OTHER.cell())),
        Step::Add(Add::Cell(DNS.cell(), RegionId(DNS.region))),
        Step::Add(Add::AllowedIp(device.tunnel.public_key(), Prefix::host(device.addresses[0]))),
        Step::Destroy(Destroy::Peer(nobody)),
    ])
    .await;
    assert_eq!(lab.gateway.observe().await.unwrap().elements, lab.elements);
    talk(&mut lab, &mut device).await;
}
