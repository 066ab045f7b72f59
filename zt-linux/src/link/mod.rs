//! Links: whether they are up, their addresses, and the routes into them.

mod apply;
mod config;
mod diff;
mod error;
mod messages;
mod observed;
mod wireguard;

use rtnetlink::packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use rtnetlink::packet_route::route::RouteMessage;
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use rustix::io::Errno;

pub use self::apply::Changes;
pub use self::config::{LinkConfig, PROTOCOL, Route, Table};
pub use self::error::{ApplyError, CreateWireGuardError, DeleteWireGuardError, FindError, LinkError};
pub use self::observed::{LinkState, Observed, ObservedAddress, ObservedRoute};
use crate::mtu::Mtu;
use crate::name::LinkName;
use crate::netlink::{Netlink, NetlinkError};

/// A link, by its index and its name together.
///
/// A link that was deleted and made again has another index, and one that was renamed another name: to each operation,
/// that is [`LinkError::Gone`], and the link that has taken the name or the index is left alone. Only a link that was
/// made with both the old name and the old index, which takes asking for that index, passes for the old one.
///
/// Dropping it does nothing to the link.
#[derive(Debug, Clone)]
pub struct Link {
    netlink: Netlink,
    index: u32,
    name: LinkName,
}

/// What a link has, with the messages that listed its routes.
struct Listed {
    addresses: Vec<ObservedAddress>,
    routes: Vec<ObservedRoute>,
    messages: Vec<RouteMessage>,
}

impl Link {
    /// Finds the link that has this name, in the network namespace of `netlink`.
    ///
    /// # Errors
    /// If there is none, or the kernel could not be asked.
    pub async fn find(netlink: &Netlink, name: &LinkName) -> Result<Self, FindError> {
        let message = look_up(netlink, messages::link_by_name(name.as_str())).await?;
        // the kernel also finds a link by another of its names
        match message.filter(|message| name_of(message) == Some(name.as_str())) {
            Some(LinkMessage { header, .. }) => {
                Ok(Self { netlink: netlink.clone(), index: header.index, name: name.clone() })
            }
            None => Err(FindError::NotFound(name.clone())),
        }
    }

    /// Whether any link has this name, be it as an alternative one.
    pub(crate) async fn exists(netlink: &Netlink, name: &LinkName) -> Result<bool, NetlinkError> {
        Ok(look_up(netlink, messages::link_by_name(name.as_str())).await?.is_some())
    }

    /// Its index: unique among the links of a network namespace, from 1.
    #[must_use]
    pub const fn index(&self) -> u32 {
        self.index
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &LinkName {
        &self.name
    }

    /// Sets it up, so that packets pass and routes into it can be added; nothing happens if it is.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub async fn set_up(&self) -> Result<(), LinkError> {
        self.set_flags(LinkFlags::Up).await
    }

    /// Sets it down, which takes away all routes into it and all its IPv6 addresses, whoever made them; its IPv4
    /// addresses stay. Nothing happens if it is down.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub async fn set_down(&self) -> Result<(), LinkError> {
        self.set_flags(LinkFlags::empty()).await
    }

    /// Sets the greatest packet that it carries.
    ///
    /// # Errors
    /// See [`LinkError`]; a link whose kind does not carry as much refuses.
    pub async fn set_mtu(&self, mtu: Mtu) -> Result<(), LinkError> {
        let mut message = messages::link_by_index(self.index);
        message.attributes.push(LinkAttribute::Mtu(mtu.bytes().into()));
        self.set(message).await
    }

    /// Observes whether it is up, and its MTU.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub async fn state(&self) -> Result<LinkState, LinkError> {
        let message = self.message().await?;
        let mtu = message
            .attributes
            .iter()
            .find_map(|attribute| if let LinkAttribute::Mtu(mtu) = attribute { Some(*mtu) } else { None });
        Ok(LinkState { up: message.header.flags.contains(LinkFlags::Up), mtu: mtu.unwrap_or(0) })
    }

    /// Observes its addresses and the routes into it.
    ///
    /// # Errors
    /// See [`LinkError`]. There is no partial list.
    pub async fn observe(&self) -> Result<Observed, LinkError> {
        let Listed { mut addresses, mut routes, .. } = self.list().await?;
        addresses.sort_unstable();
        routes.sort_unstable();
        Ok(Observed { addresses, routes })
    }

    async fn set_flags(&self, flags: LinkFlags) -> Result<(), LinkError> {
        let mut message = messages::link_by_index(self.index);
        message.header.flags = flags;
        message.header.change_mask = LinkFlags::Up;
        self.set(message).await
    }

    async fn set(&self, message: LinkMessage) -> Result<(), LinkError> {
        self.message().await?;
        self.change(RouteNetlinkMessage::SetLink(message), 0).await
    }

    /// The link as the kernel describes it, if it still is this one.
    pub(crate) async fn message(&self) -> Result<LinkMessage, LinkError> {
        let request = RouteNetlinkMessage::GetLink(messages::link_by_index(self.index));
        let message = look_up(&self.netlink, request).await.map_err(|error| self.error(error))?;
        let same = |message: &LinkMessage| name_of(message) == Some(self.name.as_str());
        let gone = || LinkError::Gone { name: self.name.clone(), index: self.index };
        message.filter(same).ok_or_else(gone)
    }

    /// Lists what it has. It is the same link before and after, so that the lists are of one link.
    async fn list(&self) -> Result<Listed, LinkError> {
        self.message().await?;
        let keep = |message| {
            let RouteNetlinkMessage::NewAddress(message) = message else { return None };
            ObservedAddress::read(&message, self.index)
        };
        let addresses = self.netlink.list(messages::addresses_of(self.index), keep).await;
        let addresses = addresses.map_err(|error| self.error(error))?;
        let mut routes = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let keep = |message| {
                let RouteNetlinkMessage::NewRoute(message) = message else { return None };
                // a kernel without IPv6 lists other families instead
                let of_family = message.header.address_family == family;
                let route = ObservedRoute::read(&message, self.index).filter(|_| of_family)?;
                Some((route, message))
            };
            let listed = self.netlink.list(messages::routes_into(self.index, family), keep).await;
            routes.extend(listed.map_err(|error| self.error(error))?);
        }
        self.message().await?;
        let (routes, messages) = routes.into_iter().unzip();
        Ok(Listed { addresses, routes, messages })
    }

    async fn change(&self, request: RouteNetlinkMessage, flags: u16) -> Result<(), LinkError> {
        self.netlink.change(request, flags).await.map_err(|error| self.error(error))
    }

    fn error(&self, error: NetlinkError) -> LinkError {
        LinkError::of(error, &self.name, self.index)
    }
}

/// The link that a request is for, if there is one.
async fn look_up(
    netlink: &Netlink,
    request: RouteNetlinkMessage,
) -> Result<Option<LinkMessage>, NetlinkError> {
    let keep = |message| if let RouteNetlinkMessage::NewLink(link) = message { Some(link) } else { None };
    match netlink.get(request, keep).await {
        Err(error) if error.is(Errno::NODEV) => Ok(None),
        found => found,
    }
}

fn name_of(message: &LinkMessage) -> Option<&str> {
    message.attributes.iter().find_map(|attribute| {
        if let LinkAttribute::IfName(name) = attribute { Some(name.as_str()) } else { None }
    })
}
