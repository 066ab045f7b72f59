//! A gateway and two devices, each in a namespace of its own, with kernel WireGuard.

use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;

use tokio::net::UdpSocket;
use wireguard_uapi::set::{self, AllowedIp, WgPeerF};
use wireguard_uapi::{DeviceInterface, WgSocket, get};
use zt_core::key::{PrivateKey, PublicKey};
use zt_core::net::Prefix;

use crate::namespace::Namespace;

const LINK: &str = "wg0";
const PORT: u16 = 51_820;
/// The gateway's addresses in the tunnel.
const GATEWAY: [&str; 2] = ["10.98.0.1", "fd98::1"];
/// The pools of the devices' addresses.
const POOLS: [&str; 2] = ["10.99.0.0/24", "fd99::/64"];

/// All of them.
pub(super) struct Lab {
    pub(super) gateway: Node,
    pub(super) devices: [Node; 2],
}

/// A node, with a socket on each of its addresses in the tunnel, IPv4 first.
pub(super) struct Node {
    namespace: Namespace,
    pub(super) wireguard: Wireguard,
    pub(super) key: PublicKey,
    pub(super) sockets: [UdpSocket; 2],
}

impl Lab {
    /// A gateway with a peer for each of two devices, connected by cables.
    pub(super) async fn open() -> Self {
        let gateway = Node::new(1, GATEWAY.map(address), POOLS.map(prefix).to_vec()).await;
        let mut devices = Vec::new();
        for number in [2_u8, 3] {
            let inner = [format!("10.99.0.{number}"), format!("fd99::{number}")].map(|text| address(&text));
            let device = Node::new(number, inner, GATEWAY.map(address).map(Prefix::host).to_vec()).await;
            let underlay = [format!("192.0.2.{number}"), "192.0.2.1".to_owned()].map(|text| address(&text));
            let cable = format!("cable{number}");
            gateway.namespace.connect(&device.namespace, &cable).await;
            gateway.namespace.set_up(&cable, &[underlay[1]], &[Prefix::host(underlay[0])]).await;
            device.namespace.set_up(&cable, &[underlay[0]], &[Prefix::host(underlay[1])]).await;
            gateway.wireguard.add(&device.key, None, &inner);
            device.wireguard.add(
                &gateway.key,
                Some(SocketAddr::new(underlay[1], PORT)),
                &GATEWAY.map(address),
            );
            devices.push(device);
        }
        let Ok(devices) = devices.try_into() else { panic!("two devices") };
        Self { gateway, devices }
    }
}

impl Node {
    /// A node with a WireGuard link that has addresses, and routes into it.
    async fn new(number: u8, addresses: [IpAddr; 2], routes: Vec<Prefix>) -> Self {
        let namespace = Namespace::new().await;
        namespace.add_wireguard(LINK).await;
        let wireguard = Wireguard::open(&namespace);
        let key = PrivateKey::from_bytes([number; 32]);
        wireguard.set(|device| device.private_key(key.expose_bytes()).listen_port(PORT));
        namespace.set_up(LINK, &addresses, &routes).await;
        let sockets = addresses.map(|address| namespace.udp(SocketAddr::new(address, 7)));
        Self { namespace, wireguard, key: key.public_key(), sockets }
    }
}

/// The peers of a node's link.
pub(super) struct Wireguard(Mutex<WgSocket>);

impl Wireguard {
    fn open(namespace: &Namespace) -> Self {
        Self(Mutex::new(namespace.within(|| WgSocket::connect().unwrap())))
    }

    /// The peers, with what the kernel counts.
    pub(super) fn peers(&self) -> Vec<get::Peer> {
        self.0.lock().unwrap().get_device(DeviceInterface::from_name(LINK)).unwrap().peers
    }

    /// Removes a peer.
    pub(super) fn remove(&self, key: &PublicKey) {
        let peer = set::Peer::from_public_key(key.as_bytes()).flags(vec![WgPeerF::RemoveMe]);
        self.set(|device| device.peers(vec![peer]));
    }

    fn add(&self, key: &PublicKey, endpoint: Option<SocketAddr>, addresses: &[IpAddr]) {
        let allowed = addresses.iter().map(AllowedIp::from_ipaddr).collect();
        let mut peer = set::Peer::from_public_key(key.as_bytes()).allowed_ips(allowed);
        peer.endpoint = endpoint.as_ref();
        self.set(|device| device.peers(vec![peer]));
    }

    /// Blocks for as long as the kernel takes, which is a moment with this few peers.
    fn set<'d>(&self, change: impl FnOnce(set::Device<'d>) -> set::Device<'d>) {
        self.0.lock().unwrap().set_device(change(set::Device::from_ifname(LINK))).unwrap();
    }
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}
