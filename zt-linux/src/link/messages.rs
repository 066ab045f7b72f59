//! Requests about a link, in netlink's words.

use std::net::IpAddr;

use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use rtnetlink::packet_route::address::{AddressAttribute, AddressFlags, AddressMessage};
use rtnetlink::packet_route::link::{InfoKind, LinkAttribute, LinkInfo, LinkMessage};
use rtnetlink::packet_route::route::{RouteAttribute, RouteMessage, RouteProtocol, RouteScope, RouteType};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use super::config::{PROTOCOL, Route, Table};
use super::observed::ObservedAddress;

/// Make it, and fail if it is there.
pub(super) const NEW: u16 = NLM_F_CREATE | NLM_F_EXCL;

pub(super) fn link_by_index(index: u32) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message
}

pub(super) fn link_by_name(name: &str) -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(name.to_owned()));
    RouteNetlinkMessage::GetLink(message)
}

/// A link of the kernel's WireGuard.
pub(super) fn new_wireguard(name: &str) -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    message.attributes = vec![
        LinkAttribute::IfName(name.to_owned()),
        LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Wireguard)]),
    ];
    RouteNetlinkMessage::NewLink(message)
}

pub(super) fn del_link_by_index(index: u32) -> RouteNetlinkMessage {
    RouteNetlinkMessage::DelLink(link_by_index(index))
}

pub(super) fn del_link_by_name(name: &str) -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(name.to_owned()));
    RouteNetlinkMessage::DelLink(message)
}

/// All addresses of a link, of both families.
pub(super) fn addresses_of(index: u32) -> RouteNetlinkMessage {
    let mut message = AddressMessage::default();
    message.header.index = index;
    RouteNetlinkMessage::GetAddress(message)
}

/// All routes of a family into a link, in all tables.
pub(super) fn routes_into(index: u32, family: AddressFamily) -> RouteNetlinkMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family;
    message.attributes.push(RouteAttribute::Oif(index));
    RouteNetlinkMessage::GetRoute(message)
}

pub(super) fn new_address(index: u32, address: IpAddr) -> RouteNetlinkMessage {
    let length = if address.is_ipv4() { 32 } else { 128 };
    let mut message = address_message(index, address, length);
    message.attributes.push(AddressAttribute::Protocol(PROTOCOL.into()));
    if address.is_ipv6() {
        // usable at once, since nobody else on the link can have it; and with no route that nobody asked for
        let flags = AddressFlags::Nodad | AddressFlags::Noprefixroute;
        message.attributes.push(AddressAttribute::Flags(flags));
    }
    RouteNetlinkMessage::NewAddress(message)
}

pub(super) fn del_address(index: u32, found: ObservedAddress) -> RouteNetlinkMessage {
    RouteNetlinkMessage::DelAddress(address_message(index, found.address, found.length))
}

fn address_message(index: u32, address: IpAddr, length: u8) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = family(address);
    message.header.prefix_len = length;
    message.header.index = index;
    message.attributes = vec![AddressAttribute::Local(address), AddressAttribute::Address(address)];
    message
}

pub(super) fn new_route(index: u32, route: Route) -> RouteNetlinkMessage {
    let destination = route.destination.address();
    let mut message = RouteMessage::default();
    message.header.address_family = family(destination);
    message.header.destination_prefix_length = route.destination.length();
    message.header.table = header_table(route.table);
    message.header.protocol = RouteProtocol::from(PROTOCOL);
    message.header.scope = if destination.is_ipv4() { RouteScope::Link } else { RouteScope::Universe };
    message.header.kind = RouteType::Unicast;
    message.attributes = vec![
        RouteAttribute::Destination(destination.into()),
        RouteAttribute::Oif(index),
        RouteAttribute::Table(route.table.number()),
    ];
    RouteNetlinkMessage::NewRoute(message)
}

/// Just the route that was listed: the kernel takes out the first that has all that is named here.
pub(super) fn del_route(listed: &RouteMessage) -> RouteNetlinkMessage {
    let mut message = listed.clone();
    message.header.flags = Default::default();
    message.attributes.retain(|attribute| {
        matches!(
            attribute,
            RouteAttribute::Destination(_)
                | RouteAttribute::Source(_)
                | RouteAttribute::Oif(_)
                | RouteAttribute::Table(_)
                | RouteAttribute::Priority(_)
                | RouteAttribute::Gateway(_)
                | RouteAttribute::Via(_)
                | RouteAttribute::PrefSource(_)
        )
    });
    RouteNetlinkMessage::DelRoute(message)
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

/// The header has one byte for the table; the attribute counts.
fn header_table(table: Table) -> u8 {
    u8::try_from(table.number()).unwrap_or(0)
}
