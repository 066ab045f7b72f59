//! A gateway's TUN device, and a network behind it that the kernel forwards to: both in one network namespace.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use zt_backend_userspace::testing::Network;
use zt_backend_userspace::{PacketPort, carry};
use zt_core::testing::conformance::{End, NETWORK, POOL};
use zt_linux::{Link, LinkConfig, LinkName, Mtu, Netlink, Route, Tun};

/// The far end of the network.
pub(crate) struct Lan {
    lan: Tun,
    gateway: Arc<Tun>,
    carrying: Mutex<JoinHandle<()>>,
}

impl Network for Lan {
    /// Makes both devices, with the routes that lead from one to the other.
    async fn open(port: PacketPort) -> Arc<Self> {
        for file in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
            std::fs::write(format!("/proc/sys/net/{file}"), "1").unwrap();
        }
        let netlink = Netlink::open().unwrap();
        Link::find(&netlink, &LinkName::new("lo").unwrap()).await.unwrap().set_up().await.unwrap();
        let gateway = Arc::new(tun(&netlink, POOL).await);
        let carrying = Mutex::new(start(port, &gateway));
        Arc::new(Self { lan: tun(&netlink, NETWORK).await, gateway, carrying })
    }

    async fn attach(&self, port: PacketPort) {
        let mut carrying = self.carrying.lock().await;
        carrying.abort();
        *carrying = start(port, &self.gateway);
    }
}

fn start(port: PacketPort, gateway: &Arc<Tun>) -> JoinHandle<()> {
    let gateway = Arc::clone(gateway);
    tokio::spawn(async move {
        carry(port, &gateway).await;
    })
}

async fn tun(netlink: &Netlink, routes: [&str; 2]) -> Tun {
    let tun = Tun::create(netlink, None, Mtu::TUNNEL).await.unwrap();
    tun.link().set_up().await.unwrap();
    let routes = routes.iter().map(|route| Route::new(route.parse().unwrap())).collect();
    tun.link().apply(&LinkConfig { routes, ..LinkConfig::default() }).await.unwrap();
    tun
}

#[async_trait]
impl End for Lan {
    /// What is no packet cannot be sent into a device.
    async fn send(&self, packet: Vec<u8>) {
        let _ = self.lan.send(&packet).await;
    }

    async fn receive(&self) -> Vec<u8> {
        self.lan.receive().await.unwrap()
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        self.carrying.get_mut().abort();
    }
}
