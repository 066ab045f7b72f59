//! The suite that every backend must pass, on a real wireguard-go with the kernel's filter.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Mutex;
use zt_backend_userspace::uapi::UapiPeers;
use zt_backend_userspace::{Tunnel, TunnelConfig};
use zt_core::desired::{DeviceRoutes, GatewayRoute};
use zt_core::id::GatewayId;
use zt_core::key::PrivateKey;
use zt_core::net::Prefix;
use zt_core::testing::conformance::{CASES, End};
use zt_linux::testing::{FilterLabs, Tunnels};
use zt_linux::{Link, LinkName, Netlink};

use super::super::OWN;
use super::process::{Process, with_program};
use crate::lab::{PATIENCE, key, loopback};

struct WireGuardGo {
    process: Process,
    port: u16,
    /// They live as long as the lab.
    devices: Mutex<Vec<Tunnel>>,
}

#[async_trait]
impl Tunnels for WireGuardGo {
    type Peers = UapiPeers;

    async fn start(netlink: &Netlink) -> Self {
        Link::find(netlink, &"lo".parse().unwrap()).await.unwrap().set_up().await.unwrap();
        let process = Process::start().await;
        process.give_key().await;
        let port = process.writer().observe().await.unwrap().listen_port.unwrap().get();
        Self { process, port, devices: Mutex::default() }
    }

    fn link(&self) -> LinkName {
        self.process.name.clone()
    }

    fn port(&self) -> u16 {
        self.port
    }

    async fn peers(&self) -> UapiPeers {
        UapiPeers::new(self.process.socket())
    }

    async fn device(&self, private_key: PrivateKey, addresses: &[IpAddr]) -> Arc<dyn End> {
        let config = TunnelConfig { private_key, underlay: loopback().into() };
        let (tunnel, port) = Tunnel::start(config).await.unwrap();
        let everything = |address: IpAddr| Prefix::new(address, 0).ok();
        let route = GatewayRoute {
            public_key: key(OWN).public_key(),
            endpoint: ([127, 0, 0, 1], self.port).into(),
            allowed_ips: [[0; 4].into(), [0; 16].into()].into_iter().filter_map(everything).collect(),
        };
        let gateways = [(GatewayId::new("gw").unwrap(), route)].into();
        let routes = DeviceRoutes { addresses: addresses.iter().copied().collect(), gateways };
        tunnel.apply_routes(&routes).await.unwrap();
        self.devices.lock().await.push(tunnel);
        Arc::new(PortEnd(port.sender, Mutex::new(port.receiver)))
    }
}

/// A device's port, as an end of paths.
struct PortEnd(tokio::sync::mpsc::Sender<Vec<u8>>, Mutex<tokio::sync::mpsc::Receiver<Vec<u8>>>);

#[async_trait]
impl End for PortEnd {
    async fn send(&self, packet: Vec<u8>) {
        self.0.send(packet).await.unwrap();
    }

    async fn receive(&self) -> Vec<u8> {
        self.1.lock().await.recv().await.unwrap()
    }
}

#[test]
fn wireguard_go_with_the_kernels_filter_conforms() {
    let (sender, cases) = std::sync::mpsc::channel();
    // those that take a minute first, and beside each other
    let (long, short): (Vec<_>, Vec<_>) = CASES.iter().partition(|case| case.name.contains("end"));
    let cases_of = |all: Vec<&'static zt_core::testing::conformance::Case>| {
        for case in all {
            let sender = sender.clone();
            with_program(|| async move {
                let failed = case.run(&FilterLabs::<WireGuardGo>::new(PATIENCE)).await.err();
                sender.send((case.name, failed)).unwrap();
            });
        }
    };
    std::thread::scope(|scope| {
        for case in long {
            scope.spawn({
                let cases_of = &cases_of;
                move || cases_of(vec![case])
            });
        }
        scope.spawn(|| cases_of(short));
    });
    drop(sender);
    let failures: Vec<_> = cases.iter().filter(|(_, failure)| failure.is_some()).collect();
    assert!(failures.is_empty(), "{failures:#?}");
}
