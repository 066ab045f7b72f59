//! A device, a gateway and a server, each in a namespace of its own, with routers between them.
//!
//! ```text
//!                       underlay                          network behind the gateway
//! programs ─ TUN ─ device ─1─ router ─2─ gateway ─ TUN     gateway ─3─ near ─4─ far ─5─ server
//! ```

use std::mem::replace;
use std::net::{IpAddr, SocketAddr};

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use zt_backend_userspace::filter::DropReason;
use zt_backend_userspace::{PacketPort, carry};
use zt_core::net::Protocol;
use zt_linux::{LinkConfig, Mtu, Netlink, Route, Tun};

use super::namespace::Namespace;
use super::transfer::{segments, serve};
use crate::lab::{Cell4, DNS, DNS6, Device, Lab, SERVER, SERVER6, WEB, address};

pub(super) const SERVERS: [&str; 2] = [SERVER, SERVER6];
pub(super) const ADDRESSES: [&str; 2] = ["10.99.0.2", "fd99::2"];
const POOLS: [&str; 2] = ["10.99.0.0/24", "fd99::/64"];
const WEB6: Cell4 = Cell4 { host: SERVER6, protocol: Protocol::Tcp, ports: (443, 443), region: 7 };
const REST: [Cell4; 2] = [
    Cell4 { ports: (UNGRANTED, UNGRANTED), region: 8, ..WEB },
    Cell4 { ports: (UNGRANTED, UNGRANTED), region: 9, ..WEB6 },
];
/// A port on which the server listens, and that is not granted.
pub(super) const UNGRANTED: u16 = 8443;

const ETHERNET: u32 = 1_500;

/// How large packets may be where.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    /// Of links 1 and 2.
    pub(super) underlay: [u32; 2],
    /// Of link 4.
    pub(super) behind: u32,
    /// What the device's TUN device is made with.
    pub(super) device: u32,
    /// What the gateway's TUN device is made with.
    pub(super) gateway: u32,
    /// What both kernels take for the MTU of those, if it is not the same.
    pub(super) links: Option<u32>,
    /// Whether WireGuard's datagrams go by IPv6.
    pub(super) over_v6: bool,
    /// Whether WireGuard listens on every address of both families.
    pub(super) everywhere: bool,
    /// Whether the router drops what is too big for a link without a word.
    pub(super) silent: bool,
}

impl Shape {
    /// Ethernet everywhere.
    pub(super) const USUAL: Self = Self {
        underlay: [ETHERNET; 2],
        behind: ETHERNET,
        device: 1_420,
        gateway: 1_420,
        links: None,
        over_v6: false,
        everywhere: false,
        silent: false,
    };
}

/// All of it, with the server listening, and its ports 443 and 5000 to 5099 granted.
pub(super) struct World {
    pub(super) lab: Lab,
    pub(super) device: Namespace,
    pub(super) gateway: Namespace,
    pub(super) server: Namespace,
    _routers: [Namespace; 3],
    tunnel: Device,
}

impl World {
    pub(super) async fn open(shape: Shape) -> Self {
        let spaces = [(); 6].map(|()| Namespace::new());
        let mtus = [shape.underlay[0], shape.underlay[1], ETHERNET, shape.behind, ETHERNET];
        for ((pair, mtu), number) in spaces.windows(2).zip(mtus).zip(1..) {
            pair[0].link(&pair[1], number, mtu);
        }
        let [device, router, gateway, near, far, server] = spaces;
        device.route(["10.2.0.0/24", "fd00:2::/64"], (1, 2));
        gateway.route(["10.1.0.0/24", "fd00:1::/64"], (2, 1));
        if shape.silent {
            // what it sends on its own behalf
            router.ip("rule add pref 1 iif lo blackhole");
        }
        for (namespace, link) in [(&gateway, 3), (&near, 4), (&far, 5)] {
            namespace.route(SERVERS, (link, 2));
        }
        for (namespace, link) in [(&near, 3), (&far, 4), (&server, 5)] {
            namespace.route(POOLS, (link, 1));
        }
        server.ip(&SERVERS.map(|host| format!("address add {host} dev lo\n")).concat());

        let [at_device, at_gateway] =
            if shape.over_v6 { ["fd00:1::1", "fd00:2::2"] } else { ["10.1.0.1", "10.2.0.2"] }.map(address);
        let listen = |host| (if shape.everywhere { address("::") } else { host }, 0).into();
        gateway.enter();
        let mut lab = Lab::open_at(listen(at_gateway)).await;
        start(&mut lab.network, (shape.gateway, shape.links), &[], &POOLS).await;
        device.enter();
        let mut tunnel = Device::start_at(7, &ADDRESSES, listen(at_device)).await;
        start(&mut tunnel.port, (shape.device, shape.links), &ADDRESSES, &SERVERS).await;
        tunnel.route_to(&lab.gateway, (at_gateway, lab.gateway.local_address().port()).into()).await;
        lab.admit(&tunnel, 7);
        lab.grant(&tunnel, &[WEB, WEB6, DNS, DNS6]);
        lab.converge().await;

        server.enter();
        for (host, port) in SERVERS.iter().flat_map(|host| [(host, 443), (host, UNGRANTED)]) {
            serve(TcpListener::bind((address(host), port)).await.unwrap());
        }
        let world = Self { lab, device, gateway, server, _routers: [router, near, far], tunnel };
        // packets are lost until all links are ready; TCP sends them again
        for (from, server) in ADDRESSES.into_iter().zip(SERVERS) {
            segments(&mut world.connect(from, server, 443).await).await;
        }
        world
    }

    /// Opens a connection from one of the device's addresses to the server.
    pub(super) async fn connect(&self, from: &str, server: &str, port: u16) -> TcpStream {
        self.device.enter();
        let from: IpAddr = address(from);
        let socket = if from.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.unwrap();
        socket.bind((from, 0).into()).unwrap();
        socket.connect(SocketAddr::new(address(server), port)).await.unwrap()
    }

    /// How many packets from the device were for something that is not granted.
    pub(super) fn refused(&self) -> u64 {
        self.lab.gateway.counts().from_devices.dropped.get(&DropReason::Cell).copied().unwrap_or(0)
    }

    /// Grants the port that is not.
    pub(super) async fn grant_the_rest(&mut self) {
        self.lab.grant(&self.tunnel, &REST);
        self.lab.converge().await;
    }
}

/// Carries a port's packets to a new TUN device in the present namespace.
async fn start(
    port: &mut PacketPort,
    (mtu, link_mtu): (u32, Option<u32>),
    addresses: &[&str],
    routes: &[&str],
) {
    let netlink = Netlink::open().unwrap();
    let tun = Tun::create(&netlink, None, Mtu::new(mtu).unwrap()).await.unwrap();
    if let Some(mtu) = link_mtu {
        tun.link().set_mtu(Mtu::new(mtu).unwrap()).await.unwrap();
    }
    tun.link().set_up().await.unwrap();
    let addresses = addresses.iter().map(|text| address(text)).collect();
    let routes = routes.iter().map(|text| Route::new(text.parse().unwrap())).collect();
    tun.link().apply(&LinkConfig { addresses, routes }).await.unwrap();
    let closed = PacketPort { sender: mpsc::channel(1).0, receiver: mpsc::channel(1).1 };
    let port = replace(port, closed);
    tokio::spawn(async move { carry(port, &tun).await });
}
