//! Which prefixes sum to a default route.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::Resource;
use crate::id::GatewayGroupId;
use crate::net::{AddressRange, Prefix, bits, number, with_number};

/// The prefixes that make up a default route: those of gateway groups whose prefixes sum to a whole address family,
/// without those that lie in another prefix of the same group.
///
/// The sum is taken with the protected addresses, which no resource gets anyway: leaving just them out is a default
/// route all the same.
pub(super) fn default_routes(
    resources: &[Resource],
    protected: &[AddressRange],
) -> BTreeSet<(GatewayGroupId, Prefix)> {
    let mut groups: BTreeMap<(&GatewayGroupId, bool), BTreeSet<Prefix>> = BTreeMap::new();
    for resource in resources {
        for prefix in &resource.prefixes {
            let family = (&resource.gateways, prefix.address().is_ipv4());
            groups.entry(family).or_default().insert(*prefix);
        }
    }
    let mut routes = BTreeSet::new();
    for ((gateways, is_ipv4), prefixes) in groups {
        let first =
            if is_ipv4 { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) };
        let outer = outer(&prefixes);
        let protected = protected.iter().filter(|range| range.first.is_ipv4() == is_ipv4).copied();
        if is_whole(outer.iter().map(Prefix::range).chain(protected).collect(), first) {
            routes.extend(outer.into_iter().map(|prefix| (gateways.clone(), prefix)));
        }
    }
    routes
}

/// The prefixes that do not lie in another one. The order of a set puts a prefix before those that lie in it.
fn outer(prefixes: &BTreeSet<Prefix>) -> Vec<Prefix> {
    let mut outer: Vec<Prefix> = Vec::new();
    for prefix in prefixes {
        if !outer.last().is_some_and(|last| last.contains(prefix.address())) {
            outer.push(*prefix);
        }
    }
    outer
}

/// Whether the ranges cover all addresses from `first`, the lowest of the family.
fn is_whole(mut ranges: Vec<AddressRange>, first: IpAddr) -> bool {
    ranges.sort_unstable();
    let highest = number(with_number(first, u128::MAX >> 128_u8.saturating_sub(bits(first))));
    let mut next = number(first);
    for range in ranges {
        let (start, end) = (number(range.first), number(range.last));
        if start > next {
            return false;
        }
        if end >= highest {
            return true;
        }
        next = next.max(end.saturating_add(1));
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(prefixes: &[&str]) -> bool {
        let ranges: Vec<_> = prefixes.iter().map(|text| text.parse::<Prefix>().unwrap().range()).collect();
        let first = if ranges[0].first.is_ipv4() { "0.0.0.0" } else { "::" };
        is_whole(ranges, first.parse().unwrap())
    }

    #[test]
    fn only_a_sum_without_holes_is_whole() {
        assert!(whole(&["0.0.0.0/0"]));
        assert!(whole(&["128.0.0.0/1", "0.0.0.0/1"]));
        assert!(whole(&["::/1", "8000::/1"]));
        assert!(whole(&["0.0.0.0/1", "10.0.0.0/8", "128.0.0.0/1"]));
        assert!(!whole(&["0.0.0.0/1"]));
        assert!(!whole(&["128.0.0.0/1"]));
        assert!(!whole(&["0.0.0.0/1", "128.0.0.0/2", "192.0.0.0/3", "224.0.0.0/4"]));
        assert!(!whole(&["::/1", "8000::/2"]));
    }
}
