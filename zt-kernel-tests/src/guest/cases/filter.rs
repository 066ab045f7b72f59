//! The packet filter of zt-linux, on this kernel's nftables.

use std::net::IpAddr;

use zt_core::net::Prefix;
use zt_core::testing::bytes;
use zt_linux::{Filter, FilterConfig, Healed, LinkConfig, Mtu, Netlink};
use zt_linux::{Reason, Reserved, Route, Table, Tun, Underlay};

use crate::console::note;
use crate::namespace::link_name;

const DEVICE: [&str; 2] = ["10.99.0.2", "fd99::2"];
const SERVER: [&str; 2] = ["10.100.5.9", "fd10:100::9"];

/// A filter can be installed, is as it should be, and drops what a device sends as long as nothing is granted.
pub(super) async fn is_closed_at_first() {
    let netlink = Netlink::open().unwrap();
    let filter = Filter::install(config(), &netlink).await.unwrap();
    let tunnel = link(&netlink, "zt0", ["10.99.0.0/24", "fd99::/64"], Table::TUNNEL).await;
    let _network = link(&netlink, "lan0", ["10.100.0.0/16", "fd10:100::/32"], Table::MAIN).await;
    for (device, server) in DEVICE.into_iter().zip(SERVER) {
        let [device, server]: [IpAddr; 2] = [device, server].map(|text| text.parse().unwrap());
        tunnel.send(&bytes::udp((device, 1_000).into(), (server, 53).into(), b"question")).await.unwrap();
    }
    let counts = loop {
        let counts = filter.counts().await.unwrap();
        if counts.dropped.get(&Reason::Gate) == Some(&2) {
            break counts;
        }
    };
    assert_eq!(counts.passed, 0);
    note(&format!("{} transactions; {counts:?}", filter.transactions()));
    assert_eq!(filter.heal().await.unwrap(), Healed::default());
}

fn config() -> FilterConfig {
    FilterConfig {
        link: link_name("zt0"),
        pools: ["10.99.0.0/24", "fd99::/64"].iter().map(|text| text.parse().unwrap()).collect(),
        underlay: Underlay { wireguard_port: 51_820, ..Underlay::default() },
        reserved: Reserved::default(),
    }
}

async fn link(netlink: &Netlink, name: &str, prefixes: [&str; 2], table: Table) -> Tun {
    let tun = Tun::create(netlink, Some(&link_name(name)), Mtu::TUNNEL).await.unwrap();
    tun.link().set_up().await.unwrap();
    let routes = prefixes.map(|text| Route::new(text.parse::<Prefix>().unwrap()).in_table(table)).into();
    tun.link().apply(&LinkConfig { addresses: [].into(), routes }).await.unwrap();
    tun
}
