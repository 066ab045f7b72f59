//! Reading back what is installed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use zt_core::desired::{Cell, Pair};
use zt_core::id::RegionId;
use zt_core::net::{AddressRange, PortRange, Protocol};
use zt_core::time::BootInstant;

use super::books::Books;
use super::change::End;
use super::layout::{Family, GATE};
use super::note;
use crate::netlink::NetlinkError;
use crate::nftables::{Attributes, Batch, Element, Nftables, asked, attributes, kind};

/// What was found in the sets.
#[derive(Debug, Default)]
pub(super) struct Installed {
    pub(super) books: Books,
    /// Elements that nobody wrote who knows what they mean, or that live longer than their notes say.
    strange: Vec<(&'static str, Element)>,
}

/// How much longer than its note says the kernel may keep an element: it counts in ticks, and is told a moment later.
const SLACK: Duration = Duration::from_secs(1);

impl Installed {
    /// Reads the sets of a table.
    pub(super) async fn read(
        nftables: &Nftables,
        table: &str,
        now: BootInstant,
    ) -> Result<Self, NetlinkError> {
        let mut installed = Self::default();
        for element in elements(nftables, table, GATE).await? {
            let end = note::gate(&element.note).filter(|end| lives_as_noted(&element, *end, now));
            match end {
                Some(end) => installed.books.gate = Some(end),
                None => installed.strange.push((GATE, element)),
            }
        }
        for family in Family::BOTH {
            let names = family.names();
            for element in elements(nftables, table, names.sources).await? {
                let end = note::source(&element.note).filter(|end| lives_as_noted(&element, *end, now));
                match address(&element.key).zip(end) {
                    Some((address, end)) => drop(installed.books.sources.insert(address, end)),
                    None => installed.strange.push((names.sources, element)),
                }
            }
            for element in elements(nftables, table, names.pairs).await? {
                let end = note::pair(&element.note).filter(|end| lives_as_noted(&element, *end, now));
                match pair(&element.key).zip(end) {
                    Some((pair, end)) => drop(installed.books.pairs.insert(pair, end)),
                    None => installed.strange.push((names.pairs, element)),
                }
            }
            for element in elements(nftables, table, names.regions).await? {
                match cell(family, &element).zip(element.value.as_deref().and_then(region)) {
                    Some((cell, region)) => drop(installed.books.cells.insert(cell, region)),
                    None => installed.strange.push((names.regions, element)),
                }
            }
        }
        Ok(installed)
    }

    /// Takes the strange ones away. One that ends meanwhile fails the transaction.
    pub(super) fn purge(&self, table: &str, batch: &mut Batch) {
        for (set, element) in &self.strange {
            batch.delete_elements(table, set, std::slice::from_ref(element));
        }
    }

    pub(super) fn is_strange(&self) -> bool {
        !self.strange.is_empty()
    }
}

async fn elements(nftables: &Nftables, table: &str, set: &str) -> Result<Vec<Element>, NetlinkError> {
    const ELEMENTS: u16 = 3;
    let body = Attributes::new().text(1, table).text(2, set);
    let keep = |message: &[u8]| {
        let lists = attributes(message).filter(|(kind, _)| *kind == ELEMENTS);
        Some(
            lists.flat_map(|(_, list)| attributes(list)).map(|(_, element)| Element::read(element)).collect(),
        )
    };
    let lists: Vec<Vec<Option<Element>>> = nftables.list(asked(kind::GET_ELEMENTS), &body, keep).await?;
    // an element that cannot be read is none that can be named, let alone removed
    lists.into_iter().flatten().map(|element| element.ok_or(NetlinkError::Closed)).collect()
}

fn lives_as_noted<T>(element: &Element, end: End<T>, now: BootInstant) -> bool {
    let noted = end.ends.since(now).saturating_add(SLACK);
    element.remaining.is_some_and(|millis| Duration::from_millis(millis) <= noted)
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(bytes).ok().map(|octets| Ipv4Addr::from(octets).into());
    <[u8; 16]>::try_from(bytes).ok().map(|octets| Ipv6Addr::from(octets).into()).or_else(v4)
}

fn region(bytes: &[u8]) -> Option<RegionId> {
    bytes.try_into().ok().map(u32::from_ne_bytes).map(RegionId)
}

fn pair(key: &[u8]) -> Option<Pair> {
    let (source, bytes) = key.split_last_chunk::<4>()?;
    Some(Pair { source: address(source)?, region: region(bytes)? })
}

fn cell(family: Family, element: &Element) -> Option<Cell> {
    let (first, protocol, low) = bound(&element.key)?;
    let (last, same, high) = bound(element.key_end.as_deref()?)?;
    if protocol != same || Family::of(first) != family {
        return None;
    }
    let (icmp, echo) = family.icmp();
    let echo = u16::from_be_bytes([echo, 0]);
    let (protocol, ports) = match protocol {
        6 => (Protocol::Tcp, PortRange { first: low, last: high }),
        17 => (Protocol::Udp, PortRange { first: low, last: high }),
        number if number == icmp && (low, high) == (echo, echo) => (Protocol::Echo, PortRange::single(0)),
        _ => return None,
    };
    Some(Cell { addresses: AddressRange { first, last }, protocol, ports })
}

/// Address, protocol and port of one end of a range.
fn bound(key: &[u8]) -> Option<(IpAddr, u8, u16)> {
    let (rest, &[high, low, _, _]) = key.split_last_chunk()?;
    let (bytes, &[protocol, _, _, _]) = rest.split_last_chunk()?;
    Some((address(bytes)?, protocol, u16::from_be_bytes([high, low])))
}
