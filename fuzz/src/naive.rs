//! What holds of every desired state, by plain comparison of everything with everything.

use std::collections::BTreeMap;
use std::net::IpAddr;

use zt_core::desired::{Cell, Elements, Peer};
use zt_core::key::PublicKey;
use zt_core::net::{AddressRange, PortRange, Prefix};
use zt_core::site::{Resource, Site};

/// So many cells are compared with each other; inputs that make more are looked at in part.
const COMPARED: usize = 2_000;

/// G1: no two peers share a source address.
pub(crate) fn assert_peers_disjoint(peers: &BTreeMap<PublicKey, Peer>) {
    let all: Vec<&Prefix> = peers.values().flat_map(|peer| &peer.allowed_ips).collect();
    for (one, later) in heads(&all) {
        assert!(later.iter().all(|two| !meet(&one.range(), &two.range())), "{one} has two owners");
    }
}

/// No two cells share an address, protocol and port.
pub(crate) fn assert_cells_disjoint(elements: &Elements) {
    let all: Vec<&Cell> = elements.cells.keys().take(COMPARED).collect();
    for (one, later) in heads(&all) {
        let shares = |two: &&&Cell| {
            one.protocol == two.protocol
                && ports_meet(one.ports, two.ports)
                && meet(&one.addresses, &two.addresses)
        };
        let two = later.iter().find(shares);
        assert!(two.is_none(), "{one:?} and {two:?} overlap");
    }
}

/// Cells that reach into a protected range hold only addresses that a resource names exactly, with that service.
pub(crate) fn assert_protected(site: &Site, resources: &[&Resource], elements: &Elements) {
    let protected = site.protected();
    for cell in elements.cells.keys().take(COMPARED) {
        for range in protected.iter().filter(|range| meet(range, &cell.addresses)) {
            let first = range.first.max(cell.addresses.first);
            let last = range.last.min(cell.addresses.last);
            let named = |address: IpAddr| {
                resources.iter().any(|resource| {
                    resource.prefixes.contains(&Prefix::host(address)) && serves(resource, cell)
                })
            };
            let mut address = Some(first);
            while let Some(inside) = address.filter(|inside| *inside <= last) {
                assert!(named(inside), "{cell:?} covers {inside}, which is protected and which nobody names");
                address = next(inside);
            }
        }
    }
}

/// What a resource names is in a cell, unless it is protected and not named exactly.
pub(crate) fn assert_covered(site: &Site, resource: &Resource, elements: &Elements) {
    let protected = site.protected();
    for prefix in &resource.prefixes {
        let range = prefix.range();
        for address in [range.first, range.last] {
            if !prefix.is_host() && protected.iter().any(|range| range.contains(address)) {
                continue;
            }
            for service in &resource.services {
                for port in [service.ports.first, service.ports.last] {
                    let holds = |cell: &Cell| cell.contains(address, service.protocol, port);
                    let found = elements.cells.keys().any(holds);
                    assert!(found, "{address} {service} of {} is in no cell", resource.id);
                }
            }
        }
    }
}

/// Each element with those behind it.
fn heads<T>(all: &[T]) -> impl Iterator<Item = (&T, &[T])> {
    (0..all.len()).filter_map(|place| all.get(place..)?.split_first())
}

fn meet(one: &AddressRange, two: &AddressRange) -> bool {
    one.first.is_ipv4() == two.first.is_ipv4() && one.first <= two.last && two.first <= one.last
}

const fn ports_meet(one: PortRange, two: PortRange) -> bool {
    one.first <= two.last && two.first <= one.last
}

fn serves(resource: &Resource, cell: &Cell) -> bool {
    let mut services = resource.services.iter();
    services.any(|service| service.protocol == cell.protocol && ports_meet(service.ports, cell.ports))
}

/// The address after this one.
fn next(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(v4) => v4.to_bits().checked_add(1).map(|bits| IpAddr::V4(bits.into())),
        IpAddr::V6(v6) => v6.to_bits().checked_add(1).map(|bits| IpAddr::V6(bits.into())),
    }
}
