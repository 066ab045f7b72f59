//! What others do to a filter, and that it opens nothing.

use std::process::{Command, Stdio};
use std::time::Duration;

use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::rule::{RuleAttribute, RuleMessage};
use zt_core::desired::{Cell, Pair, PairEnd, Source};
use zt_core::id::{RegionId, SessionEpoch, SessionId};
use zt_core::net::{AddressRange, PortRange, Protocol};
use zt_core::plan::{Add, Cut, Gate};
use zt_core::testing::bytes::udp;
use zt_linux::testing::skip;
use zt_linux::{Healed, Tun};

use super::world::{World, anchor, arrives, install, is_same, now};
use crate::namespace::{Others, PATIENCE, alone};

const DEVICES: [&str; 2] = ["[fd99::2]:40000", "10.99.0.2:40000"];
const SERVERS: [&str; 2] = ["[fd10:100:5::10]:5000", "10.100.5.10:5000"];
/// A port of the same servers that is not granted.
const UNGRANTED: u16 = 22;

/// Runs `nft`, where there is one.
fn with_nft<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send) {
    match Command::new("nft").arg("--version").stdin(Stdio::null()).output() {
        Ok(_) => alone(test),
        Err(error) => skip("nft", format!("nft cannot be run ({error})")).unwrap(),
    }
}

fn nft(command: &str) {
    let ran = Command::new("nft").arg(command).output().unwrap();
    assert!(ran.status.success(), "{command}: {}", String::from_utf8_lossy(&ran.stderr));
}

fn granted() -> Vec<Add> {
    let until = now().after(Duration::from_secs(3_600));
    let mut additions = vec![Add::Gate(until)];
    for (region, (device, server)) in (1..).map(RegionId).zip(DEVICES.into_iter().zip(SERVERS)) {
        let (device, server): (std::net::SocketAddr, std::net::SocketAddr) =
            (device.parse().unwrap(), server.parse().unwrap());
        let addresses = AddressRange { first: server.ip(), last: server.ip() };
        let cell = Cell { addresses, protocol: Protocol::Udp, ports: PortRange::single(server.port()) };
        let source = Source { session: SessionId(1), epoch: SessionEpoch(0), until };
        additions.push(Add::Cell(cell, region));
        additions.push(Add::Pair(Pair { source: device.ip(), region }, PairEnd::WithSource));
        additions.push(Add::Source(device.ip(), source));
    }
    additions
}

async fn opened() -> World {
    let world = World::open().await;
    grant(&world).await;
    talk(&world, 0).await;
    world
}

async fn grant(world: &World) {
    world.filter.add(&granted().iter().collect::<Vec<_>>(), anchor(now())).await.unwrap();
}

fn packets(number: u8) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
    DEVICES.into_iter().zip(SERVERS).map(move |(device, server)| {
        let (device, server) = (device.parse().unwrap(), server.parse().unwrap());
        (udp(device, server, &[number]), udp(server, device, &[number]))
    })
}

/// Packets that must pass, both ways.
async fn talk(world: &World, number: u8) {
    for (up, down) in packets(number) {
        world.tunnel.send(&up).await.unwrap();
        arrives(&world.network, &up).await;
        world.network.send(&down).await.unwrap();
        arrives(&world.tunnel, &down).await;
    }
}

/// Packets that must not pass: of the granted flows, both ways, and to a port that is not granted.
async fn send_in_vain(world: &World) -> Vec<Vec<u8>> {
    let mut sent = Vec::new();
    for _ in 0..100 {
        for (up, down) in packets(200) {
            world.tunnel.send(&up).await.unwrap();
            world.network.send(&down).await.unwrap();
            sent.extend([up, down]);
        }
        sent.extend(send_ungranted(world).await);
    }
    sent
}

async fn send_ungranted(world: &World) -> Vec<Vec<u8>> {
    let mut sent = Vec::new();
    for (device, server) in DEVICES.into_iter().zip(SERVERS) {
        let mut server: std::net::SocketAddr = server.parse().unwrap();
        server.set_port(UNGRANTED);
        let packet = udp(device.parse().unwrap(), server, b"ungranted");
        world.tunnel.send(&packet).await.unwrap();
        sent.push(packet);
    }
    sent
}

/// Reads what came up to a packet that must pass, and is sent behind the others: none of them is there.
async fn none_arrived(world: &World, number: u8, sent: &[Vec<u8>]) {
    for (up, down) in packets(number) {
        world.tunnel.send(&up).await.unwrap();
        arrives_without(&world.network, &up, sent).await;
        world.network.send(&down).await.unwrap();
        arrives_without(&world.tunnel, &down, sent).await;
    }
}

async fn arrives_without(at: &Tun, last: &[u8], sent: &[Vec<u8>]) {
    let reading = async {
        loop {
            let packet = at.receive().await.unwrap();
            if is_same(&packet, last) {
                return;
            }
            assert!(!sent.iter().any(|sent| is_same(&packet, sent)), "{packet:?}");
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.unwrap();
}

#[test]
fn nothing_passes_without_the_table_until_it_is_healed() {
    with_nft(|| async {
        let world = opened().await;
        for (number, command) in (1..).zip(["flush ruleset", "delete table inet zt", "flush table inet zt"]) {
            nft(command);
            let sent = send_in_vain(&world).await;
            let healed = world.filter.heal().await.unwrap();
            assert_eq!(healed, Healed { table: true, ..Healed::default() }, "{command}");
            none_arrived(&world, number, &sent).await;
            assert_eq!(world.filter.heal().await.unwrap(), Healed::default());
        }
    });
}

/// Whoever cuts need not know that somebody took the table away.
#[test]
fn a_cut_without_the_table_makes_it_anew_with_what_stays() {
    with_nft(|| async {
        let world = opened().await;
        nft("delete table inet zt");
        let gone = Pair { source: "10.99.0.2".parse().unwrap(), region: RegionId(2) };
        world.filter.cut(&[&Cut::Pair(gone)], anchor(now())).await.unwrap();
        let (_, elements) = world.filter.observe().await.unwrap();
        assert!(!elements.pairs.contains(&gone));
        assert_eq!(elements.pairs.len(), 1);
        let (v4, v6) = (packets(1).last().unwrap(), packets(1).next().unwrap());
        world.tunnel.send(&v4.0).await.unwrap();
        world.tunnel.send(&v6.0).await.unwrap();
        arrives_without(&world.network, &v6.0, &[v4.0]).await;
    });
}

#[test]
fn what_others_change_in_the_table_is_put_right() {
    with_nft(|| async {
        let world = opened().await;
        let changes = [
            "flush chain inet zt from_devices",
            "insert rule inet zt from_devices accept",
            "insert rule inet zt before_routing meta mark set 0x10000 accept",
            "delete element inet zt sources4 { 10.99.0.2 }",
            "flush set inet zt pairs6",
            "flush set inet zt gate",
            "add element inet zt sources4 { 10.99.0.77 timeout 1h }",
            "add chain inet zt another { type filter hook prerouting priority 301; }",
            "flush map inet zt regions4",
        ];
        let before = world.filter.observe().await.unwrap();
        for (number, command) in (1..).zip(changes) {
            nft(command);
            assert!(world.filter.heal().await.unwrap().table, "{command}");
            assert_eq!(world.filter.observe().await.unwrap(), before, "{command}");
            let sent = send_ungranted(&world).await;
            none_arrived(&world, number, &sent).await;
        }
    });
}

#[test]
fn an_element_that_nobody_noted_is_taken_away() {
    with_nft(|| async {
        let world = opened().await;
        nft("add element inet zt sources4 { 10.99.0.77 timeout 1h }");
        let (_, elements) = world.filter.observe().await.unwrap();
        assert_eq!(elements.sources.len(), 2);
        let listed = Command::new("nft").args(["list", "set", "inet", "zt", "sources4"]).output().unwrap();
        assert!(!String::from_utf8_lossy(&listed.stdout).contains("10.99.0.77"));
    });
}

#[test]
fn a_foreign_table_that_marks_every_packet_opens_nothing() {
    with_nft(|| async {
        let world = opened().await;
        for (number, (mark, priority)) in (1..).zip([("0x10000", -300), ("0xffffffff", 0), ("7", 299)]) {
            nft("add table inet foreign");
            nft(&format!(
                "add chain inet foreign marks {{ type filter hook prerouting priority {priority}; }}"
            ));
            nft(&format!("add rule inet foreign marks meta mark set {mark}"));
            let sent = send_ungranted(&world).await;
            none_arrived(&world, number, &sent).await;
            nft("delete table inet foreign");
        }
        let healed = world.filter.heal().await.unwrap();
        assert_eq!(healed, Healed::default(), "others may have tables");
    });
}

#[test]
fn routing_rules_that_are_gone_come_back() {
    alone(|| async {
        let world = opened().await;
        let mut others = Others::open();
        for number in [10, 11, 30, 31] {
            let mut rule = RuleMessage::default();
            rule.header.family = rtnetlink::packet_route::AddressFamily::Inet;
            rule.attributes = vec![RuleAttribute::Priority(number)];
            others.request(RouteNetlinkMessage::DelRule(rule), 0).await.unwrap();
            let sent = send_ungranted(&world).await;
            assert_eq!(world.filter.heal().await.unwrap(), Healed { routing: 1, ..Healed::default() });
            none_arrived(&world, u8::try_from(number).unwrap(), &sent).await;
        }
    });
}

#[test]
fn settings_that_are_changed_are_set_again() {
    alone(|| async {
        let world = opened().await;
        for name in ["net/ipv4/ip_early_demux", "net/ipv4/conf/all/src_valid_mark"] {
            let path = format!("/proc/sys/{name}");
            let other = if std::fs::read_to_string(&path).unwrap().trim() == "1" { "0" } else { "1" };
            std::fs::write(&path, other).unwrap();
            assert_eq!(world.filter.heal().await.unwrap(), Healed { settings: 1, ..Healed::default() });
        }
        assert_eq!(world.filter.heal().await.unwrap(), Healed::default());
    });
}

#[test]
fn a_renamed_link_is_closed_and_a_filter_left_behind_keeps_its_elements() {
    alone(|| async {
        let world = opened().await;
        let others = Others::open();
        let rename = |to: &str| {
            let link = rtnetlink::LinkUnspec::new_with_index(world.tunnel.link().index()).name(to.to_owned());
            others.handle().link().set(link.build()).execute()
        };
        rename("other0").await.unwrap();
        let mut sent = send_ungranted(&world).await;
        for (up, _) in packets(200) {
            world.tunnel.send(&up).await.unwrap();
            sent.push(up);
        }
        rename("zt0").await.unwrap();
        none_arrived(&world, 1, &sent).await;

        let again = install(&world.netlink).await;
        let (gate, elements) = again.observe().await.unwrap();
        assert!(matches!(gate, Gate::OpenUntil(_)));
        assert_eq!((elements.sources.len(), elements.pairs.len(), elements.cells.len()), (2, 2, 2));
        talk(&world, 2).await;
    });
}

#[test]
fn a_table_of_others_is_left_alone() {
    with_nft(|| async {
        nft("add table inet zt");
        let netlink = zt_linux::Netlink::open().unwrap();
        let refused = zt_linux::Filter::install(super::world::config(), &netlink).await;
        assert!(matches!(refused, Err(zt_linux::InstallError::Occupied(name)) if name == "zt"));
        let listed = Command::new("nft").args(["list", "table", "inet", "zt"]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&listed.stdout).lines().count(), 2);
    });
}
