//! What a link has, as the kernel lists it.

use std::net::IpAddr;

use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage};
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteType};
use zt_core::net::Prefix;

use super::config::{PROTOCOL, Route, Table};

/// The metric of IPv6 routes that were given none; IPv4 routes have none then.
const USUAL_METRIC_V6: u32 = 1_024;

/// Whether a link is up, and what it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkState {
    /// Whether it was set up.
    pub up: bool,
    /// The greatest packet, in bytes; links that others made may have less or more than an [`Mtu`](crate::Mtu) may.
    pub mtu: u32,
}

/// All addresses of a link and all unicast routes into it, whoever made them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Observed {
    /// The addresses, ascending.
    pub addresses: Vec<ObservedAddress>,
    /// The routes, ascending; not those of the kernel's own table of local addresses, and none over several links.
    pub routes: Vec<ObservedRoute>,
}

/// An address of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObservedAddress {
    /// The address.
    pub address: IpAddr,
    /// How many leading bits the addresses behind the link have in common with it.
    pub length: u8,
    /// Who made it, as a number of `IFA_PROTO`: [`PROTOCOL`] is us, 0 is unknown.
    pub protocol: u8,
}

impl ObservedAddress {
    /// Whether we made it.
    #[must_use]
    pub const fn is_ours(&self) -> bool {
        self.protocol == PROTOCOL
    }

    /// Reads a message; none if it is about another link or no address.
    pub(crate) fn read(message: &AddressMessage, index: u32) -> Option<Self> {
        if message.header.index != index {
            return None;
        }
        let (mut local, mut other, mut protocol) = (None, None, 0);
        for attribute in &message.attributes {
            if let AddressAttribute::Local(address) = attribute {
                local = Some(*address);
            } else if let AddressAttribute::Address(address) = attribute {
                other = Some(*address);
            } else if let AddressAttribute::Protocol(number) = attribute {
                protocol = (*number).into();
            }
        }
        // between two points, the other address is that of the far end
        Some(Self { address: local.or(other)?, length: message.header.prefix_len, protocol })
    }
}

/// A route into a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObservedRoute {
    /// Destinations and table.
    pub route: Route,
    /// Which route goes first if several have the same destinations: the lowest. 0 is none given.
    pub metric: u32,
    /// Whether it is just what [`Link::apply`](crate::Link::apply) makes: straight into the link, for all packets, at
    /// the usual metric.
    pub plain: bool,
    /// Who made it, as a number of `rtm_protocol`: [`PROTOCOL`] is us, 2 is the kernel.
    pub protocol: u8,
}

impl ObservedRoute {
    /// Whether we made it.
    #[must_use]
    pub const fn is_ours(&self) -> bool {
        self.protocol == PROTOCOL
    }

    /// Reads a message; none if it is about another link or no unicast route.
    pub(crate) fn read(message: &RouteMessage, index: u32) -> Option<Self> {
        let header = &message.header;
        if header.kind != RouteType::Unicast || header.flags.contains(RouteFlags::Cloned) {
            return None;
        }
        let (mut destination, mut oif, mut metric) = (None, None, 0);
        let (mut table, mut direct) = (u32::from(header.table), true);
        for attribute in &message.attributes {
            if let RouteAttribute::Destination(address) = attribute {
                destination = Some(ip(address)?);
            } else if let RouteAttribute::Oif(number) = attribute {
                oif = Some(*number);
            } else if let RouteAttribute::Priority(number) = attribute {
                metric = *number;
            } else if let RouteAttribute::Table(number) = attribute {
                table = *number;
            } else {
                direct &= !is_detour(attribute);
            }
        }
        let all: IpAddr = if header.address_family == AddressFamily::Inet {
            [0; 4].into()
        } else if header.address_family == AddressFamily::Inet6 {
            [0; 16].into()
        } else {
            return None;
        };
        let destination = Prefix::new(destination.unwrap_or(all), header.destination_prefix_length).ok()?;
        let usual = if all.is_ipv4() { 0 } else { USUAL_METRIC_V6 };
        let plain = direct && metric == usual && header.tos == 0 && header.source_prefix_length == 0;
        let route = Route { destination, table: Table::new(table)? };
        (oif == Some(index)).then(|| Self { route, metric, plain, protocol: header.protocol.into() })
    }
}

/// Whether a route with this attribute leads elsewhere than straight into its link.
fn is_detour(attribute: &RouteAttribute) -> bool {
    matches!(
        attribute,
        RouteAttribute::Gateway(_)
            | RouteAttribute::Via(_)
            | RouteAttribute::Source(_)
            | RouteAttribute::Encap(_)
            | RouteAttribute::MultiPath(_)
    )
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    if let RouteAddress::Inet(v4) = address {
        Some((*v4).into())
    } else if let RouteAddress::Inet6(v6) = address {
        Some((*v6).into())
    } else {
        None
    }
}
