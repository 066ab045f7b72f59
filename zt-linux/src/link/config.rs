//! What a link is to have.

use std::collections::BTreeSet;
use std::net::IpAddr;

use zt_core::net::Prefix;

/// The number that marks addresses and routes as made by this crate (`IFA_PROTO`, `RTA_PROTOCOL`): 122.
///
/// [`Link::apply`](crate::Link::apply) removes what carries it and nothing else. `ip route show proto 122` lists
/// such routes.
pub const PROTOCOL: u8 = 122;

/// A routing table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Table(u32);

impl Table {
    /// The table that ordinary routes are in: 254.
    pub const MAIN: Self = Self(254);
    /// A table for routes to devices that only packets look at that were let through: 51820.
    pub const TUNNEL: Self = Self(51_820);
    const UNSPECIFIED: u32 = 0;
    const LOCAL: u32 = 255;

    /// The table of this number; none for 0, which is no table, and 255, which is the kernel's own.
    #[must_use]
    pub const fn new(number: u32) -> Option<Self> {
        match number {
            Self::UNSPECIFIED | Self::LOCAL => None,
            number => Some(Self(number)),
        }
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl Default for Table {
    /// [`Table::MAIN`].
    fn default() -> Self {
        Self::MAIN
    }
}

/// A route straight into a link, without a router behind it, at the kernel's usual metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Route {
    /// The destinations.
    pub destination: Prefix,
    /// The table that it is in.
    pub table: Table,
}

impl Route {
    /// The route to these destinations in the main table.
    #[must_use]
    pub const fn new(destination: Prefix) -> Self {
        Self { destination, table: Table::MAIN }
    }

    /// The same route in another table.
    #[must_use]
    pub const fn in_table(self, table: Table) -> Self {
        Self { table, ..self }
    }
}

/// All that a link is to have of ours. Empty sets mean nothing at all, and take away what there is of ours.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LinkConfig {
    /// Its addresses, each alone as /32 or /128: what lies behind the link is for routes to say.
    pub addresses: BTreeSet<IpAddr>,
    /// The routes into it.
    pub routes: BTreeSet<Route>,
}

impl LinkConfig {
    /// The first address that is none a link can have or lead to: unspecified, multicast, broadcast or IPv4-mapped.
    pub(crate) fn unusable(&self) -> Option<IpAddr> {
        let mapped = |address: &IpAddr| matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some());
        let unusable = |address: &IpAddr| {
            let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
            address.is_unspecified() || address.is_multicast() || broadcast || mapped(address)
        };
        let destinations = self.routes.iter().map(|route| route.destination.address());
        self.addresses.iter().copied().find(unusable).or_else(|| destinations.filter(mapped).min())
    }
}
