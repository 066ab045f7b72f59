//! What stands between what a link has and what it is to have.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::config::{LinkConfig, Route};
use super::observed::{ObservedAddress, ObservedRoute};

/// What is to be changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Diff {
    /// Routes of ours that are not wanted, by their places among those observed.
    pub(super) remove_routes: Vec<usize>,
    /// Addresses that are not there.
    pub(super) add_addresses: Vec<IpAddr>,
    /// Addresses of ours that are not wanted.
    pub(super) remove_addresses: Vec<ObservedAddress>,
    /// Routes that are not there.
    pub(super) add_routes: Vec<Route>,
}

impl Diff {
    /// Compares. What is there is taken as it is, whoever made it; what others made is never removed.
    pub(super) fn new(wanted: &LinkConfig, addresses: &[ObservedAddress], routes: &[ObservedRoute]) -> Self {
        let serves = |found: &ObservedRoute| found.plain && wanted.routes.contains(&found.route);
        let present: BTreeSet<Route> =
            routes.iter().filter(|found| serves(found)).map(|found| found.route).collect();
        let unwanted = |found: &ObservedRoute| found.is_ours() && !serves(found);
        let remove_routes = routes.iter().enumerate().filter(|(_, found)| unwanted(found));
        let assigned: BTreeSet<IpAddr> = addresses.iter().map(|found| found.address).collect();
        let remove_addresses =
            addresses.iter().filter(|found| found.is_ours() && !wanted.addresses.contains(&found.address));
        Self {
            remove_routes: remove_routes.map(|(place, _)| place).collect(),
            add_addresses: wanted.addresses.difference(&assigned).copied().collect(),
            remove_addresses: remove_addresses.copied().collect(),
            add_routes: wanted.routes.difference(&present).copied().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zt_core::net::Prefix;

    use super::*;
    use crate::link::config::{PROTOCOL, Table};

    /// Few values, so that sets meet.
    fn address() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            (0..6_u8).prop_map(|last| IpAddr::from([10, 9, 0, last])),
            (0..6_u16).prop_map(|last| IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, last])),
        ]
    }

    fn route() -> impl Strategy<Value = Route> {
        (address(), 1..4_u32).prop_map(|(address, table)| {
            let table = Table::new(table).expect("a table");
            Route::new(Prefix::host(address)).in_table(table)
        })
    }

    fn wanted() -> impl Strategy<Value = LinkConfig> {
        let addresses = prop::collection::btree_set(address(), 0..6);
        let routes = prop::collection::btree_set(route(), 0..12);
        (addresses, routes).prop_map(|(addresses, routes)| LinkConfig { addresses, routes })
    }

    fn protocol() -> impl Strategy<Value = u8> {
        prop_oneof![Just(PROTOCOL), Just(0), Just(2)]
    }

    fn found_address() -> impl Strategy<Value = ObservedAddress> {
        let parts = (address(), prop_oneof![Just(24), Just(32)], protocol());
        parts.prop_map(|(address, length, protocol)| ObservedAddress { address, length, protocol })
    }

    fn found_route() -> impl Strategy<Value = ObservedRoute> {
        let parts = (route(), 0..2_u32, any::<bool>(), protocol());
        parts.prop_map(|(route, metric, plain, protocol)| ObservedRoute { route, metric, plain, protocol })
    }

    proptest! {
        /// Carried out on a model of the kernel, a diff leads to what is wanted, keeps what is not ours, and a second
        /// one is empty.
        #[test]
        fn a_diff_leads_to_what_is_wanted(
            wanted in wanted(),
            mut addresses in prop::collection::vec(found_address(), 0..12),
            mut routes in prop::collection::vec(found_route(), 0..16),
        ) {
            let foreign = |addresses: &[ObservedAddress], routes: &[ObservedRoute]| {
                let mut all: Vec<String> = Vec::new();
                all.extend(addresses.iter().filter(|found| !found.is_ours()).map(|found| format!("{found:?}")));
                all.extend(routes.iter().filter(|found| !found.is_ours()).map(|found| format!("{found:?}")));
                all
            };
            let before = foreign(&addresses, &routes);
            let diff = Diff::new(&wanted, &addresses, &routes);
            for &place in diff.remove_routes.iter().rev() {
                routes.remove(place);
            }
            addresses.retain(|found| !diff.remove_addresses.contains(found));
            addresses.extend(diff.add_addresses.iter().map(|&address| ObservedAddress {
                address,
                length: 32,
                protocol: PROTOCOL,
            }));
            routes.extend(diff.add_routes.iter().map(|&route| ObservedRoute {
                route,
                metric: 0,
                plain: true,
                protocol: PROTOCOL,
            }));
            prop_assert_eq!(foreign(&addresses, &routes), before);
            for address in &wanted.addresses {
                prop_assert!(addresses.iter().any(|found| found.address == *address));
            }
            for route in &wanted.routes {
                prop_assert!(routes.iter().any(|found| found.route == *route && found.plain));
            }
            for found in addresses.iter().filter(|found| found.is_ours()) {
                prop_assert!(wanted.addresses.contains(&found.address));
            }
            for found in routes.iter().filter(|found| found.is_ours()) {
                prop_assert!(wanted.routes.contains(&found.route));
            }
            prop_assert_eq!(Diff::new(&wanted, &addresses, &routes), Diff::default());
        }
    }
}
