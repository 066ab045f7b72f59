//! What a transaction does to elements.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroU64;
use std::time::Duration;

use zt_core::desired::{Cell, Pair, PairEnd, Source};
use zt_core::id::RegionId;
use zt_core::net::Protocol;
use zt_core::time::{BootInstant, Timestamp};

use super::layout::{Family, GATE};
use super::note;
use crate::nftables::{Batch, Element};

/// What is to become of elements; of two changes of one element the later one holds.
#[derive(Debug, Default)]
pub(super) struct Changes {
    timed: BTreeMap<(&'static str, Vec<u8>), Option<Element>>,
    cells_gone: BTreeMap<Cell, RegionId>,
    cells_new: BTreeMap<Cell, RegionId>,
}

/// An end, as the controller and as the boot clock tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End<T> {
    /// What the controller calls it.
    pub(super) until: T,
    /// The boot clock's reading then.
    pub(super) ends: BootInstant,
}

impl<T> End<T> {
    /// What is left of it; none if it has come.
    fn timeout(&self, now: BootInstant) -> Option<NonZeroU64> {
        NonZeroU64::new(u64::try_from(self.ends.since(now).as_millis()).unwrap_or(u64::MAX))
    }
}

/// How long the kernel keeps pairs that end with their source, which ends sooner.
pub(super) const WITH_SOURCE: Duration = Duration::from_secs(400 * 24 * 60 * 60);

impl Changes {
    /// Opens the gate, or closes it.
    pub(super) fn set_gate(&mut self, end: Option<End<Timestamp>>, now: BootInstant) {
        for family in Family::BOTH {
            let element = end.and_then(|end| {
                let note = note::of_gate(end);
                Some(Element {
                    timeout: Some(end.timeout(now)?),
                    note,
                    ..key(vec![family.number(), 0, 0, 0])
                })
            });
            self.timed.insert((GATE, vec![family.number(), 0, 0, 0]), element);
        }
    }

    /// Gives an address its session, or none.
    pub(super) fn set_source(&mut self, address: IpAddr, end: Option<End<Source>>, now: BootInstant) {
        let bytes = octets(address);
        let element = end.and_then(|end| {
            let note = note::of_source(end);
            Some(Element { timeout: Some(end.timeout(now)?), note, ..key(bytes.clone()) })
        });
        self.timed.insert((Family::of(address).names().sources, bytes), element);
    }

    /// Joins an address to a region, or parts them.
    pub(super) fn set_pair(&mut self, pair: Pair, end: Option<End<PairEnd>>, now: BootInstant) {
        let bytes = pair_key(pair);
        let element = end.and_then(|end| {
            let note = note::of_pair(end);
            Some(Element { timeout: Some(end.timeout(now)?), note, ..key(bytes.clone()) })
        });
        self.timed.insert((Family::of(pair.source).names().pairs, bytes), element);
    }

    /// Takes a cell out of its region.
    pub(super) fn remove_cell(&mut self, cell: Cell, region: RegionId) {
        if self.cells_new.remove(&cell).is_none() {
            self.cells_gone.insert(cell, region);
        }
    }

    /// Puts a cell into a region.
    pub(super) fn add_cell(&mut self, cell: Cell, region: RegionId) {
        self.cells_new.insert(cell, region);
    }

    /// The same as messages. Whatever was there of an element, and whether it has ended, is as if it never was: each is
    /// added, so that it is there, removed, and added as it is to be.
    pub(super) fn write(&self, table: &str, batch: &mut Batch) {
        for (set, (all, new)) in self.by_set() {
            batch.add_elements(table, set, &all);
            batch.delete_elements(table, set, &all);
            batch.add_elements(table, set, &new);
        }
        for family in Family::BOTH {
            let of = |cells: &BTreeMap<Cell, RegionId>| -> Vec<Element> {
                let cells = cells.iter().filter(|(cell, _)| Family::of(cell.addresses.first) == family);
                cells.map(|(cell, region)| cell_element(cell, *region)).collect()
            };
            let (map, gone) = (family.names().regions, of(&self.cells_gone));
            batch.add_elements(table, map, &gone);
            batch.delete_elements(table, map, &gone);
            batch.add_elements(table, map, &of(&self.cells_new));
        }
    }

    /// For each set the elements that change, as they can be removed, and as they are to be.
    fn by_set(&self) -> BTreeMap<&'static str, (Vec<Element>, Vec<Element>)> {
        let mut sets = BTreeMap::<&'static str, (Vec<Element>, Vec<Element>)>::new();
        for ((set, bytes), element) in &self.timed {
            let (all, new) = sets.entry(set).or_default();
            // dead soon, in case that nothing else were to remove it
            all.push(Element { timeout: NonZeroU64::new(1), ..key(bytes.clone()) });
            new.extend(element.clone());
        }
        sets
    }
}

fn key(key: Vec<u8>) -> Element {
    Element { key, ..Element::default() }
}

/// An address as a key has it.
pub(super) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn pair_key(pair: Pair) -> Vec<u8> {
    [octets(pair.source), pair.region.0.to_ne_bytes().to_vec()].concat()
}

/// A cell as an element of a map of regions.
fn cell_element(cell: &Cell, region: RegionId) -> Element {
    let bound = |address: IpAddr, port: u16| {
        let (icmp, echo) = Family::of(address).icmp();
        let (number, port) = match cell.protocol {
            Protocol::Tcp => (6, port),
            Protocol::Udp => (17, port),
            // type and code, where others have a port
            Protocol::Echo => (icmp, u16::from_be_bytes([echo, 0])),
        };
        let [high, low] = port.to_be_bytes();
        [octets(address), vec![number, 0, 0, 0, high, low, 0, 0]].concat()
    };
    Element {
        key: bound(cell.addresses.first, cell.ports.first),
        key_end: Some(bound(cell.addresses.last, cell.ports.last)),
        value: Some(region.0.to_ne_bytes().to_vec()),
        ..Element::default()
    }
}
