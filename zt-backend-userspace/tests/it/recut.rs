//! Resources that are cut into other cells while packets flow.

use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use zt_backend_userspace::PacketPort;
use zt_core::backend::{Backend as _, BackendError};
use zt_core::desired::{Cell, Pair, PairEnd, Peer};
use zt_core::id::RegionId;
use zt_core::key::{PrivateKey, PublicKey};
use zt_core::net::{AddressRange, PortRange, Prefix, Protocol};
use zt_core::plan::{Add, Cut, Plan, Step};
use zt_core::testing::bytes::udp;

use crate::lab::{DNS, Device, Lab, address, key, next, socket};

const CROWD: u32 = 1_500;

fn cell(first: &str, last: &str) -> Cell {
    let addresses = AddressRange { first: address(first), last: address(last) };
    Cell { addresses, protocol: Protocol::Udp, ports: PortRange::single(5_000) }
}

/// All of the resource, and how it is cut once another one begins in its middle.
fn whole() -> Cell {
    cell("10.100.0.0", "10.100.0.255")
}

fn halves() -> [Cell; 2] {
    [cell("10.100.0.0", "10.100.0.127"), cell("10.100.0.128", "10.100.0.255")]
}

fn member(number: u32) -> (PublicKey, Peer) {
    let mut secret = [9; 32];
    secret[..4].copy_from_slice(&number.to_be_bytes());
    let own: IpAddr = Ipv4Addr::from_bits(0x0a40_0000 + number).into();
    (PrivateKey::from_bytes(secret).public_key(), Peer { allowed_ips: [Prefix::host(own)].into() })
}

/// A device that reaches the whole resource, as region 1.
async fn lab() -> (Lab, Device) {
    let mut lab = Lab::open().await;
    lab.elements.cells.insert(whole(), RegionId(1));
    lab.elements.pairs.insert(pair(1), PairEnd::WithSource);
    let device = lab.device(1, &["10.99.0.2"], &[]).await;
    (lab, device)
}

fn pair(region: u32) -> Pair {
    Pair { source: address("10.99.0.2"), region: RegionId(region) }
}

/// Sends to both halves of the resource in turn, one packet on its way at a time; counts those that arrive.
async fn travel(device: Device, mut network: PacketPort, trips: Arc<AtomicU64>) {
    for turn in 0_usize.. {
        let far = ["10.100.0.1:5000", "10.100.0.200:5000"][turn % 2];
        device.send(udp(socket("10.99.0.2:40000"), socket(far), b"there")).await;
        let arrives = tokio::time::timeout(Duration::from_millis(100), network.receiver.recv()).await;
        trips.fetch_add(u64::from(arrives.is_ok()), Ordering::SeqCst);
    }
}

/// The old cells of a resource went at once and the new ones came once WireGuard had removed all peers that the plan
/// removed: meanwhile nobody reached the resource, whose grants were as before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_reaches_a_resource_while_it_is_cut_anew_and_peers_go() {
    let (mut lab, device) = lab().await;
    lab.elements.peers.extend((0..CROWD).map(member));
    lab.converge().await;
    lab.elements.peers.retain(|key, _| *key == device.tunnel.public_key());
    lab.elements.cells = halves().into_iter().zip([1, 2].map(RegionId)).collect();
    lab.elements.pairs.insert(pair(2), PairEnd::WithSource);
    let plan = lab.plan().await;
    assert!(plan.steps.contains(&Step::Cut(Cut::Cell(whole()))));
    let Lab { gateway, network, elements, .. } = lab;
    let trips = Arc::new(AtomicU64::new(0));
    let travelling = tokio::spawn(travel(device, network, Arc::clone(&trips)));
    while trips.load(Ordering::SeqCst) < 10 {
        tokio::task::yield_now().await;
    }
    let before = trips.load(Ordering::SeqCst);
    gateway.apply(&plan).await.unwrap();
    let meanwhile = trips.load(Ordering::SeqCst) - before;
    let dropped = gateway.counts().from_devices.dropped;
    travelling.abort();
    assert_eq!(gateway.observe().await.unwrap().elements, elements);
    assert_eq!(dropped, [].into());
    assert!(meanwhile >= 2, "{meanwhile} packets passed meanwhile");
}

/// INV-G2: what is refused is the step at fault, and what precedes it is done, the cuts included.
#[tokio::test]
async fn inv_g2_a_new_cut_is_carried_out_up_to_the_step_that_is_refused() {
    let [low, high] = halves();
    let own = |lab: &Lab| Step::Add(Add::Peer(lab.gateway.public_key()));
    let overlaps = Step::Add(Add::Cell(cell("10.100.0.100", "10.100.0.130"), RegionId(3)));
    let add = |cell, region| Step::Add(Add::Cell(cell, RegionId(region)));
    for refused in 0..3 {
        let (mut lab, _device) = lab().await;
        let mut steps = vec![Step::Cut(Cut::Cell(whole())), add(low, 1), add(high, 2)];
        let at_fault = if refused == 2 { overlaps.clone() } else { own(&lab) };
        steps.insert(refused + 1, at_fault.clone());
        let plan = Plan { generation: lab.generation, now: lab.now(), steps };
        let error = lab.gateway.apply(&plan).await.unwrap_err();
        assert!(matches!(error, BackendError::Step { step, .. } if *step == at_fault), "{refused}");
        lab.elements.cells = [(low, RegionId(1)), (high, RegionId(2))].into_iter().take(refused).collect();
        assert_eq!(lab.gateway.observe().await.unwrap().elements, lab.elements, "{refused}");
    }
}

/// Polls a future once, which must not be enough.
async fn begin(future: &mut Pin<&mut impl Future<Output = Result<(), BackendError>>>) {
    let begun = poll_fn(|context| Poll::Ready(future.as_mut().poll(context)));
    assert!(begun.await.is_pending());
}

/// Of a packet that must not arrive and one behind it that does.
async fn only_the_control_arrives(network: &mut PacketPort, device: &Device, far: &str) {
    let (near, control) = (socket("10.99.0.2:40000"), socket("10.100.5.10:5000"));
    device.send(udp(near, socket(far), b"too soon")).await;
    device.send(udp(near, control, b"control")).await;
    assert_eq!(next(&mut network.receiver).await, udp(near, control, b"control"));
}

/// Cells that a plan takes away do not wait for another plan, and those that it puts in their place do.
#[tokio::test]
async fn inv_v4_cells_are_cut_while_another_plan_is_carried_out() {
    let (mut lab, device) = lab().await;
    lab.grant(&device, &[DNS]);
    lab.converge().await;
    let come = |number| {
        let (key, peer) = member(number);
        let own = peer.allowed_ips.into_iter().map(move |prefix| Step::Add(Add::AllowedIp(key, prefix)));
        [Step::Add(Add::Peer(key))].into_iter().chain(own)
    };
    let crowd = (0..CROWD).flat_map(come).collect();
    let [low, high] = halves();
    let recut = vec![
        Step::Cut(Cut::Cell(whole())),
        Step::Add(Add::Cell(low, RegionId(1))),
        Step::Add(Add::Cell(high, RegionId(1))),
    ];
    let plan = |steps| Plan { generation: lab.generation, now: lab.now(), steps };
    let (crowd, recut) = (plan(crowd), plan(recut));
    let (mut before, mut after) = (pin!(lab.gateway.apply(&crowd)), pin!(lab.gateway.apply(&recut)));
    begin(&mut before).await;
    begin(&mut after).await;
    only_the_control_arrives(&mut lab.network, &device, "10.100.0.1:5000").await;
    before.await.unwrap();
    after.await.unwrap();
    let packet = udp(socket("10.99.0.2:40000"), socket("10.100.0.1:5000"), b"again");
    device.send(packet.clone()).await;
    assert_eq!(next(&mut lab.network.receiver).await, packet);
}

/// A key is no longer to have an address whose session goes on with another key: what that session is granted anew
/// waits until WireGuard has taken the address away.
#[tokio::test]
async fn inv_g2_a_key_that_loses_its_address_reaches_nothing_that_is_new() {
    let (mut lab, device) = lab().await;
    lab.grant(&device, &[DNS]);
    lab.elements.peers.extend((0..CROWD).map(member));
    lab.converge().await;
    let old = device.tunnel.public_key();
    let sooner = lab.elements.peers.keys().filter(|key| **key < old).count();
    assert!(sooner > 300, "{sooner} peers go before the address does");
    lab.elements.peers = [(key(2).public_key(), lab.elements.peers[&old].clone())].into();
    lab.elements.cells.remove(&whole());
    lab.elements.cells.insert(cell("10.100.0.0", "10.100.1.255"), RegionId(1));
    let plan = lab.plan().await;
    let mut applied = pin!(lab.gateway.apply(&plan));
    begin(&mut applied).await;
    only_the_control_arrives(&mut lab.network, &device, "10.100.1.1:5000").await;
    applied.await.unwrap();
    assert_eq!(lab.gateway.observe().await.unwrap().elements, lab.elements);
}
