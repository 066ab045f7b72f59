//! The cut of the address space into regions.
//!
//! Resources may overlap in addresses and ports. The cut divides what they cover into disjoint cells; all cells that
//! the same resources cover make up one region. A resource is thus a set of whole regions, and a packet falls into one
//! region at most.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::desired::Cell;
use crate::id::{GatewayGroupId, RegionId, ResourceId};
use crate::net::{AddressRange, PortRange, Prefix, Protocol, Service, number, with_number};
use crate::site::{Resource, Site};

/// The most cells that the resources of one gateway group may be cut into.
pub const MAX_CELLS: usize = 65_536;

/// The resources of a gateway group overlap in too many ways.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the resources behind `{group}` overlap in more than {MAX_CELLS} cells")]
pub struct TooManyCells {
    /// The gateway group.
    pub group: GatewayGroupId,
}

/// The parts of resources that cover a cell.
pub(crate) type Cover = BTreeSet<Part>;

/// What is granted as one: a resource, or one of its services if requests can be made for it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Part {
    resource: ResourceId,
    service: Option<Service>,
}

impl Part {
    /// Requests name services, so that each of them has to be a set of whole regions.
    fn of(resource: &Resource, service: &Service) -> Self {
        Self { resource: resource.id.clone(), service: resource.approval.as_ref().map(|_| *service) }
    }
}

/// Cuts what the resources of a gateway group cover into disjoint cells, each with the resources that cover it.
///
/// Protected addresses belong only to resources that name them exactly. Costs time in proportion to the number of
/// elementary address intervals times the services that overlap in them, and to the size of the covers.
pub(crate) fn cut(site: &Site, group: &GatewayGroupId) -> Result<BTreeMap<Cell, Cover>, TooManyCells> {
    let protected = site.protected();
    let members = site.resources().iter().filter(|resource| resource.gateways == *group);
    let parts =
        |resource: &Resource| resource.services.iter().map(|one| (*one, Part::of(resource, one))).collect();
    let members: Vec<Member<'_>> = members.map(|resource| (resource, parts(resource))).collect();
    let mut cells = BTreeMap::new();
    for protocol in [Protocol::Tcp, Protocol::Udp, Protocol::Echo] {
        for family in [IpAddr::from([0; 4]), IpAddr::from([0; 16])] {
            let plane = Plane::new(&members, &protected, protocol, family);
            let slabs = plane.slabs(MAX_CELLS.saturating_sub(cells.len()));
            for (addresses, ports) in slabs.ok_or_else(|| TooManyCells { group: group.clone() })? {
                let slab =
                    ports.into_iter().map(|(ports, cover)| (Cell { addresses, protocol, ports }, cover));
                cells.extend(slab);
            }
        }
    }
    Ok(cells)
}

/// A resource with its services, each with the part of the resource that it belongs to.
type Member<'a> = (&'a Resource, Vec<(Service, Part)>);

/// One protocol in one address family: boxes of addresses and ports.
struct Plane<'a> {
    family: IpAddr,
    boxes: Vec<(Prefix, PortRange, &'a Part)>,
    protected: Vec<AddressRange>,
}

/// The ports of one slab of addresses, cut, with the resources that cover each part.
type Ports = Vec<(PortRange, Cover)>;

impl<'a> Plane<'a> {
    fn new(
        members: &'a [Member<'a>],
        protected: &[AddressRange],
        protocol: Protocol,
        family: IpAddr,
    ) -> Self {
        let same_family = |address: IpAddr| address.is_ipv4() == family.is_ipv4();
        let mut boxes = Vec::new();
        for (resource, parts) in members {
            for prefix in resource.prefixes.iter().filter(|prefix| same_family(prefix.address())) {
                let services = parts.iter().filter(|(service, _)| service.protocol == protocol);
                boxes.extend(services.map(|(service, part)| (*prefix, service.ports, part)));
            }
        }
        let protected = protected.iter().filter(|range| same_family(range.first)).copied().collect();
        Self { family, boxes, protected }
    }

    /// Disjoint slabs of addresses in ascending order, neighbours with equal ports joined; `None` as soon as they have
    /// more than `most` cells.
    fn slabs(&self, most: usize) -> Option<Vec<(AddressRange, Ports)>> {
        let mut slabs: Vec<(u128, u128, Ports)> = Vec::new();
        let mut left = most;
        let mut open: BTreeSet<usize> = BTreeSet::new();
        let events = self.events();
        let mut starts = events.iter().peekable();
        while let Some((start, changes)) = starts.next() {
            for change in changes {
                match change {
                    Change::Open(index) => open.insert(*index),
                    Change::Close(index) => open.remove(index),
                    Change::Boundary => continue,
                };
            }
            let last = starts.peek().map_or(u128::MAX, |(next, _)| next.saturating_sub(1));
            let ports = self.ports(&open, *start);
            match slabs.last_mut() {
                _ if ports.is_empty() => {}
                Some((_, end, same)) if end.checked_add(1) == Some(*start) && *same == ports => *end = last,
                Some(_) | None => {
                    left = left.checked_sub(ports.len())?;
                    slabs.push((*start, last, ports));
                }
            }
        }
        let range = |first, last| AddressRange {
            first: with_number(self.family, first),
            last: with_number(self.family, last),
        };
        Some(slabs.into_iter().map(|(first, last, ports)| (range(first, last), ports)).collect())
    }

    /// What changes at which address.
    fn events(&self) -> BTreeMap<u128, Vec<Change>> {
        let mut events: BTreeMap<u128, Vec<Change>> = BTreeMap::new();
        for (index, (prefix, _, _)) in self.boxes.iter().enumerate() {
            let range = prefix.range();
            events.entry(number(range.first)).or_default().push(Change::Open(index));
            if let Some(after) = number(range.last).checked_add(1) {
                events.entry(after).or_default().push(Change::Close(index));
            }
        }
        for range in &self.protected {
            events.entry(number(range.first)).or_default().push(Change::Boundary);
            if let Some(after) = number(range.last).checked_add(1) {
                events.entry(after).or_default().push(Change::Boundary);
            }
        }
        events
    }

    /// Cuts the ports of the open boxes, as they stand at `address`.
    fn ports(&self, open: &BTreeSet<usize>, address: u128) -> Ports {
        let address = with_number(self.family, address);
        let protected = self.protected.iter().any(|range| range.contains(address));
        let boxes = open.iter().filter_map(|index| self.boxes.get(*index));
        let boxes = boxes.filter(|(prefix, _, _)| !protected || prefix.is_host());
        let mut turns: BTreeMap<u32, Vec<(&Part, bool)>> = BTreeMap::new();
        for (_, ports, resource) in boxes {
            turns.entry(ports.first.into()).or_default().push((*resource, true));
            turns.entry(u32::from(ports.last).saturating_add(1)).or_default().push((*resource, false));
        }
        let (mut cut, mut covering) = (Ports::new(), Covering::default());
        let mut turns = turns.into_iter().peekable();
        while let Some((first, turned)) = turns.next() {
            let mut is_same = true;
            for (resource, begins) in turned {
                is_same &= !covering.turn(resource, begins);
            }
            let last = turns.peek().map(|(next, _)| next.saturating_sub(1));
            let (Ok(first), Some(Ok(last))) = (u16::try_from(first), last.map(u16::try_from)) else { break };
            if let Some((ports, _)) = cut.last_mut()
                && is_same
                && ports.last.checked_add(1) == Some(first)
            {
                ports.last = last;
                continue;
            }
            let cover = covering.cover();
            match cut.last_mut() {
                _ if cover.is_empty() => {}
                Some((ports, same)) if ports.last.checked_add(1) == Some(first) && *same == cover => {
                    ports.last = last;
                }
                Some(_) | None => cut.push((PortRange { first, last }, cover)),
            }
        }
        cut
    }
}

/// The resources that cover a port, each with how many of its services do.
#[derive(Default)]
struct Covering<'a>(BTreeMap<&'a Part, u32>);

impl<'a> Covering<'a> {
    /// One service of a resource begins or ends here; whether the resource does.
    fn turn(&mut self, resource: &'a Part, begins: bool) -> bool {
        let count = self.0.entry(resource).or_default();
        *count = if begins { count.saturating_add(1) } else { count.saturating_sub(1) };
        match *count {
            0 => self.0.remove(resource).is_some(),
            1 => begins,
            _ => false,
        }
    }

    fn cover(&self) -> Cover {
        self.0.keys().map(|resource| (*resource).clone()).collect()
    }
}

/// What happens at an address of a plane.
enum Change {
    Open(usize),
    Close(usize),
    Boundary,
}

/// The regions of a gateway group, with ids that stay the same as long as the same resources cover them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Regions {
    ids: BTreeMap<Cover, RegionId>,
    last: RegionId,
    of_parts: BTreeMap<ResourceId, BTreeMap<Option<Service>, Vec<RegionId>>>,
}

impl Regions {
    /// Takes over a new cut; returns the region of each cell. Ids of covers that are gone are never given again.
    pub(crate) fn recut(&mut self, cells: &BTreeMap<Cell, Cover>) -> BTreeMap<Cell, RegionId> {
        let mut ids = BTreeMap::new();
        for cover in cells.values() {
            if !ids.contains_key(cover) {
                let id = self.ids.get(cover).copied().unwrap_or_else(|| {
                    self.last = self.last.next();
                    self.last
                });
                ids.insert(cover.clone(), id);
            }
        }
        self.of_parts.clear();
        for (cover, id) in &ids {
            for Part { resource, service } in cover {
                let parts = self.of_parts.entry(resource.clone()).or_default();
                parts.entry(*service).or_default().push(*id);
            }
        }
        let regions =
            cells.iter().filter_map(|(cell, cover)| ids.get(cover).map(|id| (*cell, *id))).collect();
        self.ids = ids;
        regions
    }

    /// The regions that a resource consists of.
    pub(crate) fn of(&self, resource: &ResourceId) -> impl Iterator<Item = RegionId> {
        self.of_parts.get(resource).into_iter().flat_map(BTreeMap::values).flatten().copied()
    }

    /// The regions that a service consists of, of a resource for which requests can be made.
    pub(crate) fn of_service(&self, resource: &ResourceId, service: Service) -> &[RegionId] {
        let part = self.of_parts.get(resource).and_then(|parts| parts.get(&Some(service)));
        part.map_or(&[], Vec::as_slice)
    }
}
