//! One peer with 10,000 allowed IPs.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use zt_core::backend::{Backend as _, BackendError};
use zt_core::net::Prefix;
use zt_core::plan::{Add, Plan, Step};
use zt_core::testing::bytes::udp;

use crate::lab::{DNS, Device, Lab, PATIENCE, key, socket};

const MANY: u32 = 10_000;

fn numbered(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(0x0a40_0000 + number).into()
}

#[tokio::test]
async fn a_peer_has_10_000_allowed_ips_and_loses_them() {
    let mut lab = Lab::open().await;
    let mut device = Device::start(1, &[]).await;
    device.route(&lab.gateway).await;
    device.addresses = vec![numbered(0), numbered(MANY - 1)];
    lab.admit(&device, 1);
    lab.grant(&device, &[DNS]);
    let key_of_device = device.tunnel.public_key();
    let all: BTreeSet<Prefix> = (0..MANY).map(|number| Prefix::host(numbered(number))).collect();
    lab.elements.peers.get_mut(&key_of_device).unwrap().allowed_ips = all;
    let start = Instant::now();
    lab.converge().await;
    println!("added after {:?}", start.elapsed());
    assert_eq!(lab.gateway.observe().await.unwrap().elements, lab.elements);
    let far = socket("10.100.5.10:5000");
    let packet = |source: IpAddr, data: &[u8]| udp((source, 40_000).into(), far, data);
    for source in [numbered(0), numbered(MANY - 1)] {
        device.send(packet(source, b"mine")).await;
        assert_eq!(lab.arrives().await, packet(source, b"mine"));
    }

    // none of them is anybody else's
    let other = key(2).public_key();
    for taken in ["10.64.39.15/32", "10.64.0.0/16", "10.0.0.0/8"] {
        let steps = [Add::Peer(other), Add::AllowedIp(other, taken.parse().unwrap())].map(Step::Add).to_vec();
        let plan = Plan { generation: lab.generation, now: lab.now(), steps };
        let refused = lab.gateway.apply(&plan).await;
        let at_fault = plan.steps[1].clone();
        assert!(matches!(refused, Err(BackendError::Step { step, .. }) if *step == at_fault), "{taken}");
        lab.converge().await;
    }

    // all but one go, and with them what the device sends from them
    let kept = Prefix::host(numbered(MANY - 1));
    lab.elements.peers.get_mut(&key_of_device).unwrap().allowed_ips = [kept].into();
    let start = Instant::now();
    lab.converge().await;
    println!("cut after {:?}", start.elapsed());
    device.send(packet(numbered(0), b"not mine")).await;
    device.send(packet(numbered(MANY - 1), b"still mine")).await;
    assert_eq!(lab.arrives().await, packet(numbered(MANY - 1), b"still mine"));

    // they are free for another peer, which is then removed with all of them
    let freed = (0..MANY - 1).map(|number| Prefix::host(numbered(number))).collect();
    lab.elements.peers.entry(other).or_default().allowed_ips = freed;
    lab.converge().await;
    assert_eq!(lab.gateway.observe().await.unwrap().elements, lab.elements);
    lab.elements.peers.remove(&other);
    let start = Instant::now();
    lab.converge().await;
    assert!(start.elapsed() < PATIENCE);
    println!("removed after {:?}", start.elapsed());
    assert_eq!(lab.gateway.observe().await.unwrap().elements, lab.elements);
    device.send(packet(numbered(MANY - 1), b"to the end")).await;
    assert_eq!(lab.arrives().await, packet(numbered(MANY - 1), b"to the end"));
}
