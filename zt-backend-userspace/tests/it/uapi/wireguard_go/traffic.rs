//! Packets through it: none passes that was sent after a change that ends them has returned.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::timeout;
use zt_backend_userspace::uapi::Change;
use zt_backend_userspace::{Datagram, DatagramPort, PacketPort, Tunnel, TunnelConfig, Underlay};
use zt_core::desired::{DeviceRoutes, GatewayRoute};
use zt_core::id::GatewayId;
use zt_core::testing::bytes::udp;
use zt_linux::{Link, LinkConfig, LinkName, Netlink, Route};

use super::super::{OWN, add, allow, public, take};
use super::process::{Process, with_process};
use crate::lab::{PATIENCE, address, eventually, key, next, socket};

/// Where packets arrive: the address of wireguard-go's link.
const NEAR: &str = "10.98.0.1";
/// How many packets are sent to show that something does or does not pass.
const MANY: u32 = 100;
/// When a packet that has not arrived is sent again.
const AGAIN: Duration = Duration::from_millis(200);

/// A device whose datagrams are counted on their way to UDP.
struct Device {
    tunnel: Tunnel,
    port: PacketPort,
    address: SocketAddr,
    /// How many packets it has sent, encrypted.
    on_the_wire: Arc<AtomicUsize>,
}

impl Device {
    async fn start(seed: u8, process: &Process) -> Self {
        let near = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let (sender, mut sent) = mpsc::channel::<Datagram>(1_024);
        let (arrive, receiver) = mpsc::channel(1_024);
        let on_the_wire = Arc::new(AtomicUsize::new(0));
        let (back, count) = (Arc::clone(&near), Arc::clone(&on_the_wire));
        let local_address = near.local_addr().unwrap();
        tokio::spawn(async move {
            while let Some(Datagram { peer, payload }) = sent.recv().await {
                near.send_to(&payload, peer).await.unwrap();
                // message type 4 carries data; 32 bytes of it are a keepalive
                count.fetch_add(usize::from(payload[0] == 4 && payload.len() > 32), Ordering::Relaxed);
            }
        });
        tokio::spawn(async move {
            let mut buffer = [0; 2_000];
            while let Ok((length, peer)) = back.recv_from(&mut buffer).await {
                let _ = arrive.try_send(Datagram { peer, payload: buffer[..length].to_vec() });
            }
        });
        let underlay = Underlay::Channels(DatagramPort { local_address, sender, receiver });
        let (tunnel, port) = Tunnel::start(TunnelConfig { private_key: key(seed), underlay }).await.unwrap();
        let listens = process.writer().observe().await.unwrap().listen_port.unwrap();
        let endpoint = SocketAddr::new(address("127.0.0.1"), listens.get());
        let route = GatewayRoute {
            public_key: public(OWN),
            endpoint,
            allowed_ips: ["0.0.0.0/0".parse().unwrap()].into(),
        };
        let gateways = BTreeMap::from([(GatewayId::new("go").unwrap(), route)]);
        tunnel.apply_routes(&DeviceRoutes { addresses: BTreeSet::new(), gateways }).await.unwrap();
        Self { tunnel, port, address: socket(&format!("10.99.0.{seed}:4000")), on_the_wire }
    }

    /// Sends a packet, and waits until it is on the wire.
    async fn send(&self, network: &Network, number: u32) {
        let before = self.on_the_wire.load(Ordering::Relaxed);
        let packet = udp(self.address, network.address, &number.to_be_bytes());
        self.port.sender.send(packet).await.unwrap();
        eventually(|| self.on_the_wire.load(Ordering::Relaxed) > before).await;
    }

    /// The number in the next packet that arrives here.
    async fn arrives(&mut self) -> u32 {
        number(&next(&mut self.port.receiver).await[28..])
    }
}

/// What is behind wireguard-go's link.
struct Network {
    socket: Arc<UdpSocket>,
    address: SocketAddr,
    received: mpsc::UnboundedReceiver<(SocketAddr, u32)>,
}

impl Network {
    async fn open(process: &Process) -> Self {
        let netlink = Netlink::open().unwrap();
        Link::find(&netlink, &LinkName::new("lo").unwrap()).await.unwrap().set_up().await.unwrap();
        let link = Link::find(&netlink, &process.name).await.unwrap();
        link.set_up().await.unwrap();
        let routes = [Route::new("10.99.0.0/24".parse().unwrap())].into();
        link.apply(&LinkConfig { addresses: [address(NEAR)].into(), routes }).await.unwrap();
        let socket = Arc::new(UdpSocket::bind((NEAR, 0)).await.unwrap());
        let (sender, received) = mpsc::unbounded_channel();
        let receiving = Arc::clone(&socket);
        tokio::spawn(async move {
            let mut buffer = [0; 2_000];
            while let Ok((length, from)) = receiving.recv_from(&mut buffer).await {
                let _ = sender.send((from, number(&buffer[..length])));
            }
        });
        Self { address: socket.local_addr().unwrap(), socket, received }
    }

    async fn send(&self, to: SocketAddr, number: u32) {
        self.socket.send_to(&number.to_be_bytes(), to).await.unwrap();
    }

    /// Sends a packet until it arrives, and notes all that arrives. Behind a flood there may be no room for the first.
    async fn passes(&mut self, from: &Device, number: u32, arrived: &mut Vec<(SocketAddr, u32)>) {
        let passing = async {
            while arrived.last() != Some(&(from.address, number)) {
                from.send(self, number).await;
                while arrived.last() != Some(&(from.address, number))
                    && let Ok(Some(packet)) = timeout(AGAIN, self.received.recv()).await
                {
                    arrived.push(packet);
                }
            }
        };
        timeout(PATIENCE, passing).await.expect("a packet");
    }
}

fn number(payload: &[u8]) -> u32 {
    u32::from_be_bytes(payload.try_into().unwrap())
}

/// Ends one peer's packets with `cut` in their midst, and lets them pass again with `restore`.
fn nothing_passes_after(cut: Change, restore: Change) {
    with_process(async |process| {
        process.give_key().await;
        let mut network = Network::open(&process).await;
        let writer = process.writer();
        writer.write(&[add(1, &["10.99.0.1"]), add(2, &["10.99.0.2"])]).await.unwrap();
        let (mut cut_off, mut other) = (Device::start(1, &process).await, Device::start(2, &process).await);
        let mut arrived = Vec::new();
        for early in 1..=MANY {
            for device in [&mut cut_off, &mut other] {
                network.passes(device, early, &mut arrived).await;
                network.send(device.address, early).await;
                assert_eq!(device.arrives().await, early);
            }
        }
        let mut last = MANY;
        let changes = [cut];
        let mut writing = std::pin::pin!(writer.write(&changes));
        loop {
            // a packet that is being sent when the change returns was sent before
            last += 1;
            tokio::select! {
                biased;
                outcome = &mut writing => break outcome.unwrap(),
                () = cut_off.send(&network, last) => {}
            }
        }
        for late in (last + 1)..=(last + MANY) {
            cut_off.send(&network, late).await;
            network.send(cut_off.address, late).await;
            network.passes(&other, late, &mut arrived).await;
            network.send(other.address, late).await;
            assert_eq!(other.arrives().await, late);
        }
        // on the same path, behind those that were to be lost
        writer.write(&[restore]).await.unwrap();
        cut_off.tunnel.reconnect(&public(OWN)).await.unwrap();
        let end = u32::MAX;
        network.passes(&cut_off, end, &mut arrived).await;
        network.send(cut_off.address, end).await;
        assert_eq!(cut_off.arrives().await, end);
        let late = |(from, number): &&(SocketAddr, u32)| {
            *from == cut_off.address && *number > last && *number != end
        };
        assert_eq!(arrived.iter().find(late), None, "sent after {last}");
    });
}

#[test]
fn inv_v4_no_packet_of_a_removed_peer_passes() {
    nothing_passes_after(Change::Remove(public(1)), add(1, &["10.99.0.1"]));
}

#[test]
fn inv_v4_no_packet_from_a_prefix_that_was_taken_passes() {
    nothing_passes_after(take(1, &["10.99.0.1"]), allow(1, &["10.99.0.1"]));
}
