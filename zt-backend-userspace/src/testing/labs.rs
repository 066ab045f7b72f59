//! Gateways in this process, as labs for the conformance suite.
#![expect(clippy::expect_used, reason = "a lab that cannot be set up has nothing to say about a backend")]

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex, mpsc};
use zt_core::backend::Backend;
use zt_core::desired::{DeviceRoutes, GatewayRoute};
use zt_core::id::GatewayId;
use zt_core::key::PrivateKey;
use zt_core::net::Prefix;
use zt_core::testing::conformance::{End, Lab, Labs};
use zt_core::time::{BootInstant, Timestamp};

use super::memory::MemoryNetwork;
use crate::clock::{BootClock as _, ManualClock};
use crate::{Gateway, GatewayConfig, PacketPort, Tunnel, TunnelConfig, Underlay};

/// What the controller's clock is ahead of the boot clock.
const AHEAD: Duration = Duration::from_secs(1_000_000);

/// The network behind the gateway of a lab.
pub trait Network: End + 'static {
    /// A network behind the gateway with this port.
    fn open(port: PacketPort) -> impl Future<Output = Arc<Self>> + Send;

    /// Puts it behind another gateway.
    fn attach(&self, port: PacketPort) -> impl Future<Output = ()> + Send;
}

/// Labs with gateways in this process, and networks of one kind behind them.
pub struct InProcess<N = PortNetwork> {
    /// Whether the gateways have their filter.
    pub has_filter: bool,
    /// Whether tunnels go over a network in memory, instead of UDP on this host.
    pub in_memory: bool,
    /// What only a failure takes.
    pub patience: Duration,
    network: PhantomData<fn() -> N>,
}

impl<N> InProcess<N> {
    /// Labs whose gateways have their filter, and whose tunnels go over UDP.
    #[must_use]
    pub const fn new(patience: Duration) -> Self {
        Self { has_filter: true, in_memory: false, patience, network: PhantomData }
    }

    /// The same without the filter.
    #[must_use]
    pub fn without_filter(self) -> Self {
        Self { has_filter: false, ..self }
    }

    /// The same with tunnels that go over a network in memory.
    #[must_use]
    pub fn in_memory(self) -> Self {
        Self { in_memory: true, ..self }
    }

    async fn start(&self, underlay: Underlay, clock: &Arc<ManualClock>) -> (Gateway, PacketPort) {
        let config = GatewayConfig { private_key: gateway_key(), underlay, clock: Arc::clone(clock) as _ };
        let started = if self.has_filter {
            Gateway::start(config).await
        } else {
            Gateway::dangerously_start_without_filter(config).await
        };
        started.expect("a gateway")
    }
}

impl<N> Clone for InProcess<N> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<N> Copy for InProcess<N> {}

impl<N> fmt::Debug for InProcess<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { has_filter, in_memory, patience, network: _ } = self;
        f.debug_struct("InProcess")
            .field("has_filter", has_filter)
            .field("in_memory", in_memory)
            .field("patience", patience)
            .finish()
    }
}

#[async_trait]
impl<N: Network> Labs for InProcess<N> {
    async fn open(&self) -> Box<dyn Lab> {
        let clock = Arc::new(ManualClock::new(BootInstant::from_millis(5_000)));
        let memory = self.in_memory.then(MemoryNetwork::default);
        let (gateway, port) = self.start(underlay(memory.as_ref(), 0), &clock).await;
        let network = N::open(port).await;
        Box::new(InProcessLab { kind: *self, clock, gateway, memory, network, devices: Vec::new() })
    }
}

struct InProcessLab<N> {
    kind: InProcess<N>,
    clock: Arc<ManualClock>,
    gateway: Gateway,
    /// The network that tunnels go over, if not UDP on this host.
    memory: Option<MemoryNetwork>,
    network: Arc<N>,
    /// They live as long as the lab.
    devices: Vec<Arc<Tunnel>>,
}

#[async_trait]
impl<N: Network> Lab for InProcessLab<N> {
    fn backend(&self) -> &dyn Backend {
        &self.gateway
    }

    fn now(&self) -> Timestamp {
        let ahead = Timestamp::from_millis(0).after(AHEAD);
        ahead.after(Duration::from_millis(self.clock.now().as_millis()))
    }

    async fn advance(&mut self, by: Duration) {
        self.clock.advance(by);
    }

    async fn device(&mut self, private_key: PrivateKey, addresses: &[IpAddr]) -> Arc<dyn End> {
        let place = self.devices.len().saturating_add(1);
        let underlay = underlay(self.memory.as_ref(), u8::try_from(place).unwrap_or(u8::MAX));
        let (tunnel, port) = Tunnel::start(TunnelConfig { private_key, underlay }).await.expect("a tunnel");
        let everything = |address: IpAddr| Prefix::new(address, 0).ok();
        let route = GatewayRoute {
            public_key: self.gateway.public_key(),
            endpoint: self.gateway.local_address(),
            allowed_ips: [[0; 4].into(), [0; 16].into()].into_iter().filter_map(everything).collect(),
        };
        let gateways = [(GatewayId::new("gw").expect("a name"), route)].into();
        let routes = DeviceRoutes { addresses: addresses.iter().copied().collect(), gateways };
        tunnel.apply_routes(&routes).await.expect("routes that fit each other");
        self.devices.push(Arc::new(tunnel));
        PortNetwork::open(port).await
    }

    fn network(&self) -> Arc<dyn End> {
        Arc::<N>::clone(&self.network)
    }

    async fn dropped(&self) -> u64 {
        let counts = self.gateway.counts();
        [counts.from_devices, counts.to_devices].iter().flat_map(|counts| counts.dropped.values()).sum()
    }

    async fn restart(&mut self) {
        let listen = self.gateway.local_address();
        self.gateway.stop().await;
        let memory = self.memory.as_ref();
        let underlay = memory.map_or(Underlay::Udp(listen), |memory| memory.attach(listen).into());
        let (gateway, port) = self.kind.start(underlay, &self.clock).await;
        self.network.attach(port).await;
        for device in self.devices.iter().map(Arc::clone) {
            let gateway = gateway.public_key();
            tokio::spawn(async move { device.reconnect(&gateway).await });
        }
        self.gateway = gateway;
    }

    async fn pause(&self) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    async fn patience(&self) {
        tokio::time::sleep(self.kind.patience).await;
    }
}

/// A packet port, as it is.
#[derive(Debug)]
pub struct PortNetwork {
    sender: Mutex<mpsc::Sender<Vec<u8>>>,
    receiver: Mutex<mpsc::Receiver<Vec<u8>>>,
}

impl Network for PortNetwork {
    async fn open(PacketPort { sender, receiver, .. }: PacketPort) -> Arc<Self> {
        Arc::new(Self { sender: Mutex::new(sender), receiver: Mutex::new(receiver) })
    }

    async fn attach(&self, PacketPort { sender, receiver, .. }: PacketPort) {
        *self.sender.lock().await = sender;
        *self.receiver.lock().await = receiver;
    }
}

#[async_trait]
impl End for PortNetwork {
    async fn send(&self, packet: Vec<u8>) {
        let sender = self.sender.lock().await.clone();
        sender.send(packet).await.expect("a port that lives");
    }

    async fn receive(&self) -> Vec<u8> {
        self.receiver.lock().await.recv().await.expect("a port that lives")
    }
}

fn gateway_key() -> PrivateKey {
    PrivateKey::from_bytes([200; 32])
}

/// Where the gateway, which is at place 0, or a device is: in memory at an address of its own, else at a free port of
/// this host.
fn underlay(memory: Option<&MemoryNetwork>, place: u8) -> Underlay {
    memory.map_or_else(
        || Underlay::Udp(SocketAddr::from(([127, 0, 0, 1], 0))),
        |memory| memory.attach(SocketAddr::from(([192, 0, 2, place], 51_820))).into(),
    )
}
