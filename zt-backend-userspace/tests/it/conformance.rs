//! The conformance suite on gateways in this process.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex, mpsc};
use zt_backend_userspace::clock::{BootClock as _, ManualClock};
use zt_backend_userspace::testing::MemoryNetwork;
use zt_backend_userspace::{Gateway, GatewayConfig, PacketPort, Tunnel, TunnelConfig, Underlay};
use zt_core::backend::Backend;
use zt_core::desired::{DeviceRoutes, GatewayRoute};
use zt_core::id::GatewayId;
use zt_core::key::PrivateKey;
use zt_core::testing::conformance::{CASES, End, Failure, Lab, Labs, revocations};
use zt_core::time::{BootInstant, Timestamp};

use crate::lab::{PATIENCE, key, loopback};
use crate::lan::Lan;

const GATEWAY: u8 = 200;

/// Labs with gateways in this process.
#[derive(Debug, Clone, Copy)]
struct InProcess {
    has_filter: bool,
    /// Whether tunnels go over a network in memory, instead of UDP on this host.
    in_memory: bool,
    /// Whether packets go on to the network by a TUN device and the kernel, in the namespace of the calling thread.
    has_tun: bool,
    patience: Duration,
}

const CONFORMING: InProcess =
    InProcess { has_filter: true, in_memory: false, has_tun: false, patience: PATIENCE };

#[async_trait]
impl Labs for InProcess {
    async fn open(&self) -> Box<dyn Lab> {
        let clock = Arc::new(ManualClock::new(BootInstant::from_millis(5_000)));
        let memory = self.in_memory.then(MemoryNetwork::default);
        let (gateway, port) = self.start(underlay(memory.as_ref(), GATEWAY), &clock).await;
        let network =
            if self.has_tun { Network::Lan(Lan::open(port).await) } else { Network::Port(Port::new(port)) };
        let gateway = Some(gateway);
        Box::new(UserspaceLab { kind: *self, clock, gateway, memory, network, devices: Vec::new() })
    }
}

impl InProcess {
    async fn start(&self, underlay: Underlay, clock: &Arc<ManualClock>) -> (Gateway, PacketPort) {
        let config = GatewayConfig { private_key: key(GATEWAY), underlay, clock: Arc::clone(clock) as _ };
        let started = if self.has_filter {
            Gateway::start(config).await
        } else {
            Gateway::dangerously_start_without_filter(config).await
        };
        started.unwrap()
    }
}

struct UserspaceLab {
    kind: InProcess,
    clock: Arc<ManualClock>,
    /// Always there but in the midst of a restart.
    gateway: Option<Gateway>,
    /// The network that tunnels go over, if not UDP on this host.
    memory: Option<MemoryNetwork>,
    network: Network,
    /// They live as long as the lab.
    devices: Vec<Arc<Tunnel>>,
}

impl UserspaceLab {
    fn gateway(&self) -> &Gateway {
        self.gateway.as_ref().unwrap()
    }
}

/// The network behind the gateway.
enum Network {
    Port(Arc<Port>),
    Lan(Arc<Lan>),
}

/// The packet port of a gateway or a device, which may be exchanged for that of another.
struct Port {
    sender: Mutex<mpsc::Sender<Vec<u8>>>,
    receiver: Mutex<mpsc::Receiver<Vec<u8>>>,
}

impl Port {
    fn new(PacketPort { sender, receiver, .. }: PacketPort) -> Arc<Self> {
        Arc::new(Self { sender: Mutex::new(sender), receiver: Mutex::new(receiver) })
    }

    async fn exchange(&self, PacketPort { sender, receiver, .. }: PacketPort) {
        *self.sender.lock().await = sender;
        *self.receiver.lock().await = receiver;
    }
}

#[async_trait]
impl End for Port {
    async fn send(&self, packet: Vec<u8>) {
        let sender = self.sender.lock().await.clone();
        sender.send(packet).await.unwrap();
    }

    async fn receive(&self) -> Vec<u8> {
        self.receiver.lock().await.recv().await.unwrap()
    }
}

#[async_trait]
impl Lab for UserspaceLab {
    fn backend(&self) -> &dyn Backend {
        self.gateway()
    }

    /// The boot clock's time, a million seconds on.
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_000_000_000).after(Duration::from_millis(self.clock.now().as_millis()))
    }

    async fn advance(&mut self, by: Duration) {
        self.clock.advance(by);
    }

    async fn device(&mut self, private_key: PrivateKey, addresses: &[IpAddr]) -> Arc<dyn End> {
        let place = u8::try_from(self.devices.len()).unwrap();
        let underlay = underlay(self.memory.as_ref(), place);
        let (tunnel, port) = Tunnel::start(TunnelConfig { private_key, underlay }).await.unwrap();
        let route = GatewayRoute {
            public_key: self.gateway().public_key(),
            endpoint: self.gateway().local_address(),
            allowed_ips: ["0.0.0.0/0", "::/0"].iter().map(|text| text.parse().unwrap()).collect(),
        };
        let gateways = [(GatewayId::new("gw").unwrap(), route)].into();
        let routes = DeviceRoutes { addresses: addresses.iter().copied().collect(), gateways };
        tunnel.apply_routes(&routes).await.unwrap();
        self.devices.push(Arc::new(tunnel));
        Port::new(port)
    }

    fn network(&self) -> Arc<dyn End> {
        match &self.network {
            Network::Port(port) => Arc::<Port>::clone(port),
            Network::Lan(lan) => Arc::<Lan>::clone(lan),
        }
    }

    async fn dropped(&self) -> u64 {
        let counts = self.gateway().counts();
        [counts.from_devices, counts.to_devices].iter().flat_map(|counts| counts.dropped.values()).sum()
    }

    async fn restart(&mut self) {
        let listen = self.gateway().local_address();
        self.gateway().stop().await;
        self.gateway = None;
        let memory = self.memory.as_ref();
        let underlay = memory.map_or(Underlay::Udp(listen), |memory| memory.attach(listen).into());
        let (gateway, port) = self.kind.start(underlay, &self.clock).await;
        match &self.network {
            Network::Port(network) => network.exchange(port).await,
            Network::Lan(lan) => lan.carry(port).await,
        }
        for device in self.devices.iter().map(Arc::clone) {
            let gateway = gateway.public_key();
            tokio::spawn(async move { device.reconnect(&gateway).await });
        }
        self.gateway = Some(gateway);
    }

    async fn pause(&self) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    async fn patience(&self) {
        tokio::time::sleep(self.kind.patience).await;
    }
}

/// Where the gateway or a device is: in memory at an address of its own, else at a free port of this host.
fn underlay(memory: Option<&MemoryNetwork>, place: u8) -> Underlay {
    memory.map_or_else(
        || loopback().into(),
        |memory| memory.attach(SocketAddr::from(([192, 0, 2, place], 51_820))).into(),
    )
}

async fn failures(labs: &dyn Labs) -> Vec<(&'static str, Failure)> {
    let mut failures = Vec::new();
    for case in CASES {
        failures.extend(case.run(labs).await.err().map(|failure| (case.name, failure)));
    }
    failures
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_over_loopback_conform() {
    let failures = failures(&CONFORMING).await;
    assert!(failures.is_empty(), "{failures:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_in_memory_conform() {
    let failures = failures(&InProcess { in_memory: true, ..CONFORMING }).await;
    assert!(failures.is_empty(), "{failures:#?}");
}

/// The peers alone are enough for a few of the cases.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_without_a_filter_does_not_conform() {
    let failures = failures(&InProcess { has_filter: false, patience: PATIENCE / 4, ..CONFORMING }).await;
    let failed: Vec<_> = failures.iter().map(|(name, _)| *name).collect();
    let passed: Vec<_> = CASES.iter().map(|case| case.name).filter(|name| !failed.contains(name)).collect();
    let peers_suffice = [
        "a_device_has_its_own_addresses_only",
        "a_prefix_has_one_owner",
        "a_revoked_key_reaches_nothing",
        "another_generation_leaves_what_stays_alone",
        "a_failed_step_leaves_nothing_foreign",
        "nothing_passes_after_an_allowed_ip_is_cut",
    ];
    assert_eq!(passed, peers_suffice, "{failures:#?}");
}

#[test]
fn gateways_on_tun_devices_conform() {
    let test = || async {
        let failures = failures(&InProcess { has_tun: true, ..CONFORMING }).await;
        assert!(failures.is_empty(), "{failures:#?}");
    };
    zt_linux::testing::alone(20 * PATIENCE, test).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inv_v4_nothing_is_delivered_after_a_revocation_of_one_peer() {
    nothing_is_delivered_after_revocations(0, 100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inv_v4_nothing_is_delivered_after_a_revocation_beside_10_000_peers() {
    nothing_is_delivered_after_revocations(10_000, 20).await;
}

async fn nothing_is_delivered_after_revocations(idle: u32, runs: u8) {
    let done = revocations(&InProcess { patience: 6 * PATIENCE, ..CONFORMING }, idle, runs).await.unwrap();
    assert_eq!((done.runs, done.delivered_after), (runs.into(), 0), "{done:?}");
    assert!(done.delivered_before.min(done.sent_after) >= 12 * 100 * done.runs, "{done:?}");
}
