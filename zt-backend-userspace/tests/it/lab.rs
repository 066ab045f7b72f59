//! A gateway, devices with tunnels to it, and what is installed.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use zt_backend_userspace::clock::{BootClock as _, ManualClock};
use zt_backend_userspace::{Gateway, GatewayConfig, PacketPort, Tunnel, TunnelConfig};
use zt_core::backend::Backend as _;
use zt_core::desired::{Cell, DeviceRoutes, Elements, GatewayRoute, Pair, PairEnd, Source};
use zt_core::id::{GatewayId, Generation, RegionId, SessionEpoch, SessionId};
use zt_core::key::PrivateKey;
use zt_core::net::{AddressRange, PortRange, Prefix, Protocol};
use zt_core::plan::{Add, Plan, Step, steps};
use zt_core::time::{BootInstant, Timestamp};

/// Long enough that only a failure takes it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const SERVER: &str = "10.100.5.10";
pub(crate) const SERVER6: &str = "fd10:100:5::10";
pub(crate) const WEB: Cell4 = Cell4 { host: SERVER, protocol: Protocol::Tcp, ports: (443, 443), region: 1 };
pub(crate) const DNS: Cell4 = Cell4 { host: SERVER, protocol: Protocol::Udp, ports: (5000, 5099), region: 2 };
pub(crate) const PING: Cell4 = Cell4 { host: SERVER, protocol: Protocol::Echo, ports: (0, 0), region: 3 };
pub(crate) const OTHER: Cell4 =
    Cell4 { host: SERVER, protocol: Protocol::Udp, ports: (7000, 7000), region: 4 };
pub(crate) const DNS6: Cell4 =
    Cell4 { host: SERVER6, protocol: Protocol::Udp, ports: (5000, 5099), region: 5 };
pub(crate) const PING6: Cell4 = Cell4 { host: SERVER6, protocol: Protocol::Echo, ports: (0, 0), region: 6 };

/// A cell of one host.
#[derive(Clone, Copy)]
pub(crate) struct Cell4 {
    pub(crate) host: &'static str,
    pub(crate) protocol: Protocol,
    pub(crate) ports: (u16, u16),
    pub(crate) region: u32,
}

impl Cell4 {
    pub(crate) fn cell(&self) -> Cell {
        let host = address(self.host);
        let (first, last) = self.ports;
        Cell {
            addresses: AddressRange { first: host, last: host },
            protocol: self.protocol,
            ports: PortRange { first, last },
        }
    }
}

pub(crate) fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn socket(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(crate) fn key(seed: u8) -> PrivateKey {
    PrivateKey::from_bytes([seed; 32])
}

pub(crate) fn loopback() -> SocketAddr {
    socket("127.0.0.1:0")
}

pub(crate) struct Lab {
    pub(crate) gateway: Gateway,
    pub(crate) network: PacketPort,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) elements: Elements,
    pub(crate) generation: Generation,
}

impl Lab {
    /// A gateway with its gate open for an hour and nothing else.
    pub(crate) async fn open() -> Self {
        Self::open_as(200).await
    }

    pub(crate) async fn closed() -> Self {
        Self::closed_as(200).await
    }

    /// Like [`Lab::open`], with another key.
    pub(crate) async fn open_as(seed: u8) -> Self {
        let lab = Self::closed_as(seed).await;
        lab.gate(Duration::from_secs(3_600)).await;
        lab
    }

    /// Like [`Lab::open`], at another address of the underlay.
    pub(crate) async fn open_at(listen: SocketAddr) -> Self {
        let lab = Self::closed_at(200, listen).await;
        lab.gate(Duration::from_secs(3_600)).await;
        lab
    }

    async fn closed_as(seed: u8) -> Self {
        Self::closed_at(seed, loopback()).await
    }

    async fn closed_at(seed: u8, listen: SocketAddr) -> Self {
        let clock = Arc::new(ManualClock::new(BootInstant::from_millis(5_000)));
        let config = GatewayConfig { private_key: key(seed), underlay: listen.into(), clock: clock.clone() };
        let (gateway, network) = Gateway::start(config).await.unwrap();
        Self { gateway, network, clock, elements: Elements::default(), generation: Generation(0) }
    }

    /// The controller's time: the boot clock's, a million seconds on.
    pub(crate) fn now(&self) -> Timestamp {
        let boot = i64::try_from(self.clock.now().as_millis()).unwrap();
        Timestamp::from_millis(1_000_000_000 + boot)
    }

    pub(crate) async fn gate(&self, remaining: Duration) {
        self.steps(vec![Step::Add(Add::Gate(self.now().after(remaining)))]).await;
    }

    pub(crate) async fn steps(&self, steps: Vec<Step>) {
        self.gateway.apply(&Plan { generation: self.generation, now: self.now(), steps }).await.unwrap();
    }

    /// The plan from what is observed to `self.elements`.
    pub(crate) async fn plan(&self) -> Plan {
        let observed = self.gateway.observe().await.unwrap();
        let steps = steps(&observed.elements, &self.elements, self.now());
        Plan { generation: self.generation, now: self.now(), steps }
    }

    /// Plans from what is observed to `self.elements`, and applies that.
    pub(crate) async fn converge(&mut self) {
        self.generation = self.generation.next();
        self.gateway.apply(&self.plan().await).await.unwrap();
    }

    /// Gives a device's addresses a session of a day, and its key its addresses.
    pub(crate) fn admit(&mut self, device: &Device, session: u64) {
        let until = self.now().after(Duration::from_secs(86_400));
        let source = Source { session: SessionId(session), epoch: SessionEpoch(0), until };
        for address in &device.addresses {
            self.elements.sources.insert(*address, source);
            let peer = self.elements.peers.entry(device.tunnel.public_key()).or_default();
            peer.allowed_ips.insert(Prefix::host(*address));
        }
    }

    pub(crate) fn grant(&mut self, device: &Device, cells: &[Cell4]) {
        for cell in cells {
            self.elements.cells.insert(cell.cell(), RegionId(cell.region));
            for source in &device.addresses {
                let pair = Pair { source: *source, region: RegionId(cell.region) };
                self.elements.pairs.insert(pair, PairEnd::WithSource);
            }
        }
    }

    /// A device with these addresses and a route for everything behind the gateway, admitted and granted.
    pub(crate) async fn device(&mut self, seed: u8, addresses: &[&str], cells: &[Cell4]) -> Device {
        let device = Device::start(seed, addresses).await;
        device.route(&self.gateway).await;
        self.admit(&device, seed.into());
        self.grant(&device, cells);
        self.converge().await;
        device
    }

    /// An admitted device on a local address that reaches the gateway at a certain host.
    pub(crate) async fn device_at(
        &mut self,
        seed: u8,
        addresses: &[&str],
        (local, host): (&str, &str),
    ) -> Device {
        let device = Device::start_at(seed, addresses, socket(local)).await;
        let endpoint = (address(host), self.gateway.local_address().port()).into();
        device.route_to(&self.gateway, endpoint).await;
        self.admit(&device, seed.into());
        device
    }

    /// The next packet behind the gateway.
    pub(crate) async fn arrives(&mut self) -> Vec<u8> {
        next(&mut self.network.receiver).await
    }

    pub(crate) async fn reply(&self, packet: Vec<u8>) {
        self.network.sender.send(packet).await.unwrap();
    }
}

pub(crate) struct Device {
    pub(crate) tunnel: Tunnel,
    pub(crate) port: PacketPort,
    pub(crate) addresses: Vec<IpAddr>,
}

impl Device {
    pub(crate) async fn start(seed: u8, addresses: &[&str]) -> Self {
        Self::start_at(seed, addresses, loopback()).await
    }

    pub(crate) async fn start_at(seed: u8, addresses: &[&str], listen: SocketAddr) -> Self {
        let config = TunnelConfig { private_key: key(seed), underlay: listen.into() };
        let (tunnel, port) = Tunnel::start(config).await.unwrap();
        Self { tunnel, port, addresses: addresses.iter().map(|text| address(text)).collect() }
    }

    pub(crate) async fn route(&self, gateway: &Gateway) {
        self.route_to(gateway, gateway.local_address()).await;
    }

    pub(crate) async fn route_to(&self, gateway: &Gateway, endpoint: SocketAddr) {
        let route = GatewayRoute {
            public_key: gateway.public_key(),
            endpoint,
            allowed_ips: ["0.0.0.0/0", "::/0"].iter().map(|text| text.parse().unwrap()).collect(),
        };
        let gateways = BTreeMap::from([(GatewayId::new("gw").unwrap(), route)]);
        let addresses = self.addresses.iter().copied().collect();
        self.tunnel.apply_routes(&DeviceRoutes { addresses, gateways }).await.unwrap();
    }

    pub(crate) async fn send(&self, packet: Vec<u8>) {
        self.port.sender.send(packet).await.unwrap();
    }

    /// The next packet at the device.
    pub(crate) async fn arrives(&mut self) -> Vec<u8> {
        next(&mut self.port.receiver).await
    }
}

/// Waits until `happened`.
pub(crate) async fn eventually(happened: impl Fn() -> bool) {
    let waiting = async {
        while !happened() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, waiting).await.expect("it should have happened");
}

pub(crate) async fn next(receiver: &mut mpsc::Receiver<Vec<u8>>) -> Vec<u8> {
    timeout(PATIENCE, receiver.recv()).await.expect("a packet should have come").expect("a live port")
}
