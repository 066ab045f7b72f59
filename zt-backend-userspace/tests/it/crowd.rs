//! Many peers at once.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use zt_core::backend::Backend as _;
use zt_core::key::{PrivateKey, PublicKey};
use zt_core::net::Prefix;
use zt_core::plan::{Add, Cut, Destroy, Plan, Step};
use zt_core::testing::bytes::udp;

use crate::lab::{DNS, Device, Lab, PATIENCE, socket};

const CROWD: u32 = 3_200;

fn members() -> Vec<(PublicKey, Prefix)> {
    let member = |number: u32| {
        let mut secret = [9; 32];
        secret[..4].copy_from_slice(&number.to_be_bytes());
        let address: IpAddr = Ipv4Addr::from_bits(0x0a40_0000 + number).into();
        (PrivateKey::from_bytes(secret).public_key(), Prefix::host(address))
    };
    (0..CROWD).map(member).collect()
}

/// Packets go there and back, one pair after the other, while peers change: some for every few chunks. A change of all
/// peers held the only thread of a runtime to its end.
#[tokio::test]
async fn packets_pass_while_thousands_of_peers_come_and_go() {
    let mut lab = Lab::open().await;
    let device = lab.device(1, &["10.99.0.2"], &[DNS]).await;
    let members = members();
    let come = members.iter().flat_map(|(key, own)| [Add::Peer(*key), Add::AllowedIp(*key, *own)]);
    let lose = members.iter().map(|(key, own)| Step::Cut(Cut::AllowedIp(*key, *own)));
    let regain = members.iter().map(|(key, own)| Step::Add(Add::AllowedIp(*key, *own)));
    let go = members.iter().map(|(key, _)| Step::Destroy(Destroy::Peer(*key)));
    let changes = [come.map(Step::Add).collect(), lose.collect(), regain.collect(), go.collect()];
    let plans = changes.map(|steps| Plan { generation: lab.generation, now: lab.now(), steps });
    let all = members.len();
    let Lab { gateway, network, .. } = lab;
    let trips = Arc::new(AtomicU64::new(0));
    let travelling = tokio::spawn(travel(device, network, Arc::clone(&trips)));
    for (plan, others) in plans.into_iter().zip([(all, all), (all, 0), (all, all), (0, 0)]) {
        let before = trips.load(Ordering::SeqCst);
        gateway.apply(&plan).await.unwrap();
        let meanwhile = trips.load(Ordering::SeqCst) - before;
        assert!(meanwhile >= 10, "{meanwhile} packets came back during the change to {others:?}");
        let peers = gateway.observe().await.unwrap().elements.peers;
        let allowed_ips = peers.values().map(|peer| peer.allowed_ips.len()).sum::<usize>();
        assert_eq!((peers.len() - 1, allowed_ips - 1), others);
    }
    travelling.abort();
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
