//! What is installed: grants that overlap in all ways, to few devices, on few hosts.

use std::net::IpAddr;

use proptest::prelude::*;
use zt_backend_userspace::filter::Filter;
use zt_core::desired::{Cell, Elements, Pair, PairEnd, Source};
use zt_core::id::{RegionId, SessionEpoch, SessionId};
use zt_core::net::{AddressRange, PortRange, Protocol};
use zt_core::plan::{Add, Cut, Step, steps};
use zt_core::time::{Anchor, Timestamp};

use crate::lab::address;

const DEVICES: [[&str; 2]; 2] = [["10.0.0.3", "10.99.0.2"], ["fd00::3", "fd99::2"]];
const HOSTS: [[&str; 6]; 2] = [
    ["0.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "255.255.255.255"],
    ["::", "fd00::1", "fd00::2", "fd00::3", "fd00::4", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
];
const PORTS: [u16; 6] = [0, 1, 2, 3, 4, 65_535];

pub(super) fn device(v6: bool, which: usize) -> IpAddr {
    address(DEVICES[usize::from(v6)][which])
}

pub(super) fn devices() -> std::ops::Range<usize> {
    0..2
}

/// One of them is a device, too.
pub(super) fn host(v6: bool, which: usize) -> IpAddr {
    address(HOSTS[usize::from(v6)][which])
}

pub(super) fn hosts() -> std::ops::Range<usize> {
    0..6
}

pub(super) fn ports() -> impl Strategy<Value = u16> {
    prop::sample::select(PORTS.to_vec())
}

fn cells() -> impl Strategy<Value = Vec<(Cell, RegionId)>> {
    let bounds = || (0..6_usize, 0..6_usize).prop_map(|(one, two)| (one.min(two), one.max(two)));
    let protocol = prop::sample::select(vec![Protocol::Tcp, Protocol::Udp, Protocol::Echo]);
    let cell = (any::<bool>(), bounds(), bounds(), protocol, 1..5_u32);
    let cell = cell.prop_map(|(v6, hosts, ports, protocol, region)| {
        let addresses = AddressRange { first: host(v6, hosts.0), last: host(v6, hosts.1) };
        let ports = PortRange { first: PORTS[ports.0], last: PORTS[ports.1] };
        let ports = if protocol == Protocol::Echo { PortRange::single(0) } else { ports };
        (Cell { addresses, protocol, ports }, RegionId(region))
    });
    prop::collection::vec(cell, 0..24)
}

/// Ends count from the moment at which the elements are installed.
pub(super) fn elements() -> impl Strategy<Value = Elements> {
    let source =
        prop::option::weighted(0.9, (1..3_u64, 0..2_u32, prop_oneof![0..400_i64, 10_000..20_000_i64]));
    let end = prop_oneof![
        3 => Just(PairEnd::WithSource),
        1 => prop_oneof![0..400_i64, 10_000..20_000_i64]
            .prop_map(|seconds| PairEnd::At(Timestamp::from_millis(seconds * 1_000))),
    ];
    let pairs = prop::collection::vec(prop::option::weighted(0.7, end), 16);
    (cells(), prop::collection::vec(source, 4), pairs).prop_map(|(cells, sources, pairs)| {
        let mut elements = Elements::default();
        for (cell, region) in cells {
            let crosses = |other: &Cell| {
                other.protocol == cell.protocol
                    && other.addresses.overlaps(&cell.addresses)
                    && other.ports.first <= cell.ports.last
                    && cell.ports.first <= other.ports.last
            };
            if !elements.cells.keys().any(crosses) {
                elements.cells.insert(cell, region);
            }
        }
        let devices = DEVICES.as_flattened();
        for (device, source) in devices.iter().zip(sources) {
            if let Some((session, epoch, until)) = source {
                let until = Timestamp::from_millis(until * 1_000);
                let (session, epoch) = (SessionId(session), SessionEpoch(epoch));
                elements.sources.insert(address(device), Source { session, epoch, until });
            }
        }
        let places =
            devices.iter().flat_map(|device| (1..5).map(|region| (address(device), RegionId(region))));
        let granted = places.zip(pairs).filter_map(|(place, end)| Some((place, end?)));
        elements.pairs = granted.map(|((source, region), end)| (Pair { source, region }, end)).collect();
        elements
    })
}

/// The elements with ends that count from `now`, without what has ended.
pub(super) fn from(now: Timestamp, mut elements: Elements) -> Elements {
    let later = |at: Timestamp| Timestamp::from_millis(now.as_millis() + at.as_millis());
    for source in elements.sources.values_mut() {
        source.until = later(source.until);
    }
    elements.sources.retain(|_, source| source.until > now);
    let pairs = elements.pairs.iter().map(|(pair, end)| match end {
        PairEnd::At(at) => (pair, PairEnd::At(later(at))),
        PairEnd::WithSource => (pair, PairEnd::WithSource),
    });
    elements.pairs = pairs.filter(|(_, end)| *end > PairEnd::At(now)).collect();
    elements
}

/// Brings the filter to these elements.
pub(super) fn install(filter: &Filter, elements: &Elements, anchor: Anchor) {
    let (_, observed) = filter.observe();
    let steps = steps(&observed, elements, anchor.at);
    let cuts: Vec<&Cut> =
        steps.iter().filter_map(|step| if let Step::Cut(cut) = step { Some(cut) } else { None }).collect();
    let adds: Vec<&Add> =
        steps.iter().filter_map(|step| if let Step::Add(add) = step { Some(add) } else { None }).collect();
    filter.cut(&cuts, anchor);
    filter.add(&adds, anchor).unwrap();
}
