//! Many peers at once.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use zt_core::backend::Backend as _;
use zt_core::key::{PrivateKey, PublicKey};
use zt_core::net::Prefix;
use zt_core::plan::{Add, Destroy, Plan, Step};
use zt_core::testing::bytes::udp;

use crate::lab::{DNS, Device, Lab, PATIENCE, socket};

const CROWD: u32 = 3_200;

fn members() -> Vec<(PublicKey, IpAddr)> {
    let member = |number: u32| {
        let mut secret = [9; 32];
        secret[..4].copy_from_slice(&number.to_be_bytes());
        let address = Ipv4Addr::from_bits(0x0a40_0000 + number);
        (PrivateKey::from_bytes(secret).public_key(), address.into())
    };
    (0..CROWD).map(member).collect()
}

/// Packets go there and back, one pair after the other, while peers are added and removed: some for every few chunks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packets_pass_while_thousands_of_peers_come_and_go() {
    let mut lab = Lab::open().await;
    let device = lab.device(1, &["10.99.0.2"], &[DNS]).await;
    let members = members();
    let additions = members.iter().flat_map(|(key, address)| {
        [Step::Add(Add::Peer(*key)), Step::Add(Add::AllowedIp(*key, Prefix::host(*address)))]
    });
    let come = plan(&lab, additions.collect());
    let go = plan(&lab, members.iter().map(|(key, _)| Step::Destroy(Destroy::Peer(*key))).collect());
    let Lab { gateway, network, .. } = lab;
    let trips = Arc::new(AtomicU64::new(0));
    let travelling = tokio::spawn(travel(device, network, Arc::clone(&trips)));
    for (plan, peers) in [(come, 1 + members.len()), (go, 1)] {
        let before = trips.load(Ordering::SeqCst);
        gateway.apply(&plan).await.unwrap();
        let meanwhile = trips.load(Ordering::SeqCst) - before;
        assert!(meanwhile >= 10, "{meanwhile} packets came back while there were to be {peers} peers");
        assert_eq!(gateway.observe().await.unwrap().elements.peers.len(), peers);
    }
    travelling.abort();
}

fn plan(lab: &Lab, steps: Vec<Step>) -> Plan {
    Plan { generation: lab.generation, now: lab.now(), steps }
}

async fn travel(mut device: Device, mut network: zt_backend_userspace::PacketPort, trips: Arc<AtomicU64>) {
    let (near, far) = (socket("10.99.0.2:40000"), socket("10.100.5.10:5000"));
    loop {
        device.send(udp(near, far, b"there")).await;
        tokio::time::timeout(PATIENCE, network.receiver.recv()).await.unwrap().unwrap();
        network.sender.send(udp(far, near, b"back")).await.unwrap();
        device.arrives().await;
        trips.fetch_add(1, Ordering::SeqCst);
    }
}
