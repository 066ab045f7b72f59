//! Gateways with the kernel's filter, as labs for the conformance suite.
#![expect(clippy::expect_used, reason = "a lab that cannot be set up has nothing to say about a backend")]

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use zt_core::backend::Backend;
use zt_core::key::PrivateKey;
use zt_core::testing::conformance::{End, Lab, Labs, NETWORK, POOL};
use zt_core::time::Timestamp;

use crate::filter::boot_clock;
use crate::{
    Filter, FilterConfig, Gateway, Link, LinkConfig, LinkName, Mtu, Netlink, Peers, Reserved, Route, Table,
    Tun, Underlay,
};

/// What the controller's clock is ahead of the boot clock.
const AHEAD: Duration = Duration::from_secs(1_000_000);

/// WireGuard on one link, and devices with tunnels to it.
#[async_trait]
pub trait Tunnels: Sized + Send + Sync + 'static {
    /// Its peers.
    type Peers: Peers;

    /// Starts it, in the network namespace of the calling thread.
    async fn start(netlink: &Netlink) -> Self;

    /// The link that packets of devices come out of.
    fn link(&self) -> LinkName;

    /// The UDP port where it listens.
    fn port(&self) -> u16;

    /// Its peers, as whoever has just been started sees them.
    async fn peers(&self) -> Self::Peers;

    /// Brings a device into being, which sends all that it is given into its tunnel.
    async fn device(&self, key: PrivateKey, addresses: &[IpAddr]) -> Arc<dyn End>;
}

/// Labs whose gateways have this WireGuard, and the filter of the network namespace of the calling thread: one lab for a
/// namespace.
#[derive(Debug)]
pub struct FilterLabs<T> {
    /// What only a failure takes.
    pub patience: Duration,
    tunnels: std::marker::PhantomData<fn() -> T>,
}

impl<T> FilterLabs<T> {
    /// Labs with so much patience.
    #[must_use]
    pub const fn new(patience: Duration) -> Self {
        Self { patience, tunnels: std::marker::PhantomData }
    }
}

#[async_trait]
impl<T: Tunnels> Labs for FilterLabs<T> {
    async fn open(&self) -> Box<dyn Lab> {
        let netlink = Netlink::open().expect("netlink");
        let tunnels = T::start(&netlink).await;
        let filter = install(&netlink, &tunnels).await;
        let link = Link::find(&netlink, &tunnels.link()).await.expect("the link of the tunnels");
        link.set_up().await.expect("a link that can be set up");
        route(&link, &POOL, Table::TUNNEL).await;
        let tun = Tun::create(&netlink, Some(&"lan0".parse().expect("a name")), Mtu::TUNNEL).await;
        let tun = tun.expect("a TUN device");
        tun.link().set_up().await.expect("a link that can be set up");
        route(tun.link(), &NETWORK, Table::MAIN).await;
        let network = Arc::new(TunEnd(Arc::new(tun)));
        let gateway = Gateway::new(tunnels.peers().await, filter);
        Box::new(FilterLab { netlink, tunnels, gateway, network, patience: self.patience })
    }
}

async fn install<T: Tunnels>(netlink: &Netlink, tunnels: &T) -> Filter {
    let config = FilterConfig {
        link: tunnels.link(),
        pools: POOL.iter().map(|text| text.parse().expect("a prefix")).collect(),
        underlay: Underlay { wireguard_port: tunnels.port(), ..Underlay::default() },
        reserved: Reserved::default(),
    };
    Filter::install(config, netlink).await.expect("a filter")
}

async fn route(link: &Link, prefixes: &[&str], table: Table) {
    let route = |text: &&str| Route::new(text.parse().expect("a prefix")).in_table(table);
    let routes = prefixes.iter().map(route).collect();
    link.apply(&LinkConfig { addresses: [].into(), routes }).await.expect("routes");
}

struct FilterLab<T: Tunnels> {
    netlink: Netlink,
    tunnels: T,
    gateway: Gateway<T::Peers>,
    network: Arc<TunEnd>,
    patience: Duration,
}

#[async_trait]
impl<T: Tunnels> Lab for FilterLab<T> {
    fn backend(&self) -> &dyn Backend {
        &self.gateway
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(0).after(AHEAD.saturating_add(Duration::from_millis(boot_clock().as_millis())))
    }

    async fn advance(&mut self, by: Duration) {
        tokio::time::sleep(by).await;
    }

    async fn device(&mut self, key: PrivateKey, addresses: &[IpAddr]) -> Arc<dyn End> {
        self.tunnels.device(key, addresses).await
    }

    fn network(&self) -> Arc<dyn End> {
        Arc::<TunEnd>::clone(&self.network)
    }

    async fn dropped(&self) -> u64 {
        self.gateway.counts().await.expect("counters").dropped.values().sum()
    }

    async fn restart(&mut self) {
        let filter = install(&self.netlink, &self.tunnels).await;
        self.gateway = Gateway::new(self.tunnels.peers().await, filter);
    }

    async fn pause(&self) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    async fn patience(&self) {
        tokio::time::sleep(self.patience).await;
    }
}

/// A TUN device, as an end of paths: what is behind it sends and receives.
#[derive(Debug, Clone)]
pub struct TunEnd(pub Arc<Tun>);

#[async_trait]
impl End for TunEnd {
    async fn send(&self, packet: Vec<u8>) {
        // what is no packet is not taken
        let _ = self.0.send(&packet).await;
    }

    async fn receive(&self) -> Vec<u8> {
        self.0.receive().await.expect("a device that lives").to_vec()
    }
}
