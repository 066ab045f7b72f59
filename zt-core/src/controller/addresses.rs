//! Which addresses of the pools are given out.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use crate::device::DeviceAddresses;
use crate::net::{Prefix, bits, number, with_number};
use crate::site::Pools;
use crate::time::Timestamp;

/// How long an address is kept from others once its device is gone: longer than any lease.
pub(crate) const QUARANTINE: Duration = Duration::from_hours(2);

/// The addresses that were ever given out, and those of them that may be given out again.
#[derive(Debug, Clone, Default)]
pub(crate) struct Addresses {
    /// The first and the last of those that follow one another.
    known: BTreeMap<IpAddr, IpAddr>,
    free: BTreeSet<IpAddr>,
    quarantined: BTreeSet<(Timestamp, IpAddr)>,
    /// For each pool how many addresses from its start on are known.
    fresh: BTreeMap<Prefix, u128>,
}

impl Addresses {
    /// Gives out the lowest free address of each pool; `None`, and nothing given, if a pool has none left.
    pub(crate) fn allocate(&mut self, pools: &Pools, now: Timestamp) -> Option<DeviceAddresses> {
        while let Some((free_at, address)) =
            self.quarantined.first().copied().filter(|(free_at, _)| *free_at <= now)
        {
            self.quarantined.remove(&(free_at, address));
            self.free.insert(address);
        }
        let mut addresses = DeviceAddresses::default();
        for pool in pools.iter() {
            match self.lowest_free(pool)? {
                IpAddr::V4(v4) => addresses.v4 = Some(v4),
                IpAddr::V6(v6) => addresses.v6 = Some(v6),
            }
        }
        for address in addresses.iter() {
            self.note(address);
            self.free.remove(&address);
        }
        Some(addresses)
    }

    /// Takes addresses back, into quarantine.
    pub(crate) fn release(&mut self, addresses: DeviceAddresses, now: Timestamp) {
        self.quarantined.extend(addresses.iter().map(|address| (now.after(QUARANTINE), address)));
    }

    /// Notes that an address was given out, in one run with its neighbours.
    fn note(&mut self, address: IpAddr) {
        let neighbour = |number: Option<u128>| number.map(|number| with_number(address, number));
        let (mut first, mut last) = (address, address);
        let run = self.known.range(..=address).next_back().map(|(first, last)| (*first, *last));
        if let Some((start, end)) = run.filter(|(start, _)| start.is_ipv4() == address.is_ipv4()) {
            if address <= end {
                return;
            }
            if neighbour(number(end).checked_add(1)) == Some(address) {
                first = start;
            }
        }
        if let Some(after) = neighbour(number(address).checked_add(1)).filter(|after| *after > address)
            && let Some(end) = self.known.remove(&after)
        {
            last = end;
        }
        self.known.insert(first, last);
    }

    /// The network's own address and, for IPv4, the broadcast address are never given out.
    fn lowest_free(&mut self, pool: Prefix) -> Option<IpAddr> {
        let range = pool.range();
        let last = number(range.last).saturating_sub(u128::from(bits(range.last) == 32));
        let usable = |address: &IpAddr| *address != range.first && number(*address) <= last;
        if let Some(address) = self.free.range(range.first..=range.last).find(|address| usable(address)) {
            return Some(*address);
        }
        let fresh = self.fresh.entry(pool).or_default();
        loop {
            let candidate = number(range.first).checked_add(*fresh)?.checked_add(1)?;
            if candidate > last {
                return None;
            }
            let candidate = with_number(range.first, candidate);
            let run = self.known.range(..=candidate).next_back();
            let Some((_, end)) =
                run.filter(|(_, end)| candidate <= **end && end.is_ipv4() == candidate.is_ipv4())
            else {
                return Some(candidate);
            };
            *fresh = number(*end).saturating_sub(number(range.first));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pools(v4: &str) -> Pools {
        Pools { v4: Some(v4.parse().unwrap()), v6: None }
    }

    fn v4(addresses: DeviceAddresses) -> String {
        addresses.v4.unwrap().to_string()
    }

    /// The lowest free address is given; a released one comes back after its quarantine and not before.
    #[test]
    fn inv_g6_released_addresses_wait() {
        let (mut addresses, pools) = (Addresses::default(), pools("10.0.0.0/29"));
        let at = Timestamp::from_millis;
        let given: Vec<_> = (0..6).map(|_| addresses.allocate(&pools, at(0)).unwrap()).collect();
        let texts: Vec<_> = given.iter().map(|given| v4(*given)).collect();
        assert_eq!(texts, ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"]);
        assert_eq!(addresses.allocate(&pools, at(0)), None);
        addresses.release(given[3], at(10));
        let free_at = at(10).after(QUARANTINE);
        assert_eq!(addresses.allocate(&pools, at(free_at.as_millis() - 1)), None);
        assert_eq!(v4(addresses.allocate(&pools, free_at).unwrap()), "10.0.0.4");
        assert_eq!(addresses.allocate(&pools, free_at), None);
    }

    /// A wider pool never gives out what a narrower one has given already.
    #[test]
    fn widened_pool_skips_what_is_taken() {
        let mut addresses = Addresses::default();
        let first = addresses.allocate(&pools("10.0.0.0/30"), Timestamp::default()).unwrap();
        let second = addresses.allocate(&pools("10.0.0.0/24"), Timestamp::default()).unwrap();
        assert_eq!((v4(first), v4(second)), ("10.0.0.1".into(), "10.0.0.2".into()));
    }
}
