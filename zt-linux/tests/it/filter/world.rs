//! A gateway's filter between two TUN devices: one for the tunnel, one for the network behind the gateway.

use std::sync::Arc;

use tokio::time::timeout;
use zt_core::testing::conformance::{NETWORK, POOL};
use zt_core::time::{Anchor, BootInstant, Timestamp};
use zt_linux::{Filter, FilterConfig, LinkConfig, Netlink, Reserved, Route, Table, Tun, Underlay};

use crate::namespace::{PATIENCE, name, tun};

pub(crate) struct World {
    pub(crate) netlink: Netlink,
    pub(crate) filter: Filter,
    /// Packets of devices go in and come out here.
    pub(crate) tunnel: Arc<Tun>,
    /// Packets of the network behind the gateway go in and come out here.
    pub(crate) network: Arc<Tun>,
}

impl World {
    pub(crate) async fn open() -> Self {
        let netlink = Netlink::open().unwrap();
        let filter = install(&netlink).await;
        let tunnel = Arc::new(tun(&netlink, "zt0").await);
        route(&tunnel, &POOL, Table::TUNNEL).await;
        let network = Arc::new(tun(&netlink, "lan0").await);
        route(&network, &NETWORK, Table::MAIN).await;
        Self { netlink, filter, tunnel, network }
    }
}

pub(crate) async fn install(netlink: &Netlink) -> Filter {
    Filter::install(config(), netlink).await.unwrap()
}

pub(crate) fn config() -> FilterConfig {
    FilterConfig {
        link: name("zt0"),
        pools: POOL.iter().map(|text| text.parse().unwrap()).collect(),
        underlay: Underlay { wireguard_port: 51_820, ..Underlay::default() },
        reserved: Reserved::default(),
    }
}

pub(crate) async fn route(tun: &Tun, prefixes: &[&str], table: Table) {
    let routes = prefixes.iter().map(|text| Route::new(text.parse().unwrap()).in_table(table)).collect();
    tun.link().apply(&LinkConfig { addresses: [].into(), routes }).await.unwrap();
}

/// Waits for a packet; others that come before are passed over.
pub(crate) async fn arrives(at: &Tun, packet: &[u8]) {
    let reading = async { while !is_same(&at.receive().await.unwrap(), packet) {} };
    timeout(PATIENCE, reading).await.unwrap();
}

/// Whether it is this packet, on the way from router to router.
pub(crate) fn is_same(packet: &[u8], sent: &[u8]) -> bool {
    let lasting = |packet: &[u8]| {
        let changes: &[usize] = if packet[0] >> 4 == 4 { &[8, 10, 11] } else { &[7] };
        let lasts = |(at, byte)| if changes.contains(&at) { 0 } else { byte };
        packet.iter().copied().enumerate().map(lasts).collect::<Vec<u8>>()
    };
    lasting(packet) == lasting(sent)
}

/// What the controller's clock is ahead of the boot clock, in milliseconds.
const AHEAD: i64 = 1_000_000_000;

/// The controller's time.
pub(crate) fn now() -> Timestamp {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Timestamp::from_millis(AHEAD + time.tv_sec * 1_000 + time.tv_nsec / 1_000_000)
}

/// What ends of a plan that was made at `at` count from.
pub(crate) fn anchor(at: Timestamp) -> Anchor {
    Anchor { at, boot: BootInstant::from_millis((now().as_millis() - AHEAD).try_into().unwrap()) }
}
