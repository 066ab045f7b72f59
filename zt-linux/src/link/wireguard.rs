//! Links of the kernel's WireGuard.

use rtnetlink::packet_route::link::{InfoKind, LinkAttribute, LinkInfo, LinkMessage};

use super::error::{CreateWireGuardError, DeleteWireGuardError, LinkError};
use super::{Link, messages};
use crate::name::LinkName;
use crate::netlink::Netlink;

impl Link {
    /// Makes a link of the kernel's WireGuard, which is down and has neither keys nor peers.
    ///
    /// A name that any link has, be it as an alternative one, is left to that link.
    ///
    /// # Errors
    /// No link was made, or it is gone again; see [`CreateWireGuardError`] for when that is not certain.
    pub async fn create_wireguard(netlink: &Netlink, name: &LinkName) -> Result<Self, CreateWireGuardError> {
        netlink
            .change(messages::new_wireguard(name.as_str()), messages::NEW)
            .await
            .map_err(|error| CreateWireGuardError::of(error, name))?;
        match Self::find(netlink, name).await {
            Ok(link) => Ok(link),
            Err(error) => {
                // it was made a moment ago, and its index is not known
                let _ = netlink.change(messages::del_link_by_name(name.as_str()), 0).await;
                Err(CreateWireGuardError::Lost(error))
            }
        }
    }

    /// Whether it is a link of the kernel's WireGuard.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub async fn is_wireguard(&self) -> Result<bool, LinkError> {
        Ok(is_wireguard(&self.message().await?))
    }

    /// Deletes the link, with its keys, its peers and all that it has, if it is one of the kernel's WireGuard.
    ///
    /// # Errors
    /// The link is as it was, unless it is gone already; see [`DeleteWireGuardError`].
    pub async fn delete_wireguard(&self) -> Result<(), DeleteWireGuardError> {
        if !is_wireguard(&self.message().await?) {
            return Err(DeleteWireGuardError::OtherKind(self.name.clone()));
        }
        self.change(messages::del_link_by_index(self.index), 0).await?;
        Ok(())
    }
}

fn is_wireguard(message: &LinkMessage) -> bool {
    let kind = LinkInfo::Kind(InfoKind::Wireguard);
    message
        .attributes
        .iter()
        .any(|attribute| matches!(attribute, LinkAttribute::LinkInfo(infos) if infos.contains(&kind)))
}

#[cfg(test)]
mod tests {
    use rtnetlink::packet_route::RouteNetlinkMessage;

    use super::*;

    #[test]
    fn only_a_link_of_this_kind_is_wireguard() {
        let RouteNetlinkMessage::NewLink(mut message) = messages::new_wireguard("wg0") else {
            panic!("another message");
        };
        assert!(is_wireguard(&message));
        message.attributes.retain(|attribute| !matches!(attribute, LinkAttribute::LinkInfo(_)));
        assert!(!is_wireguard(&message));
        message.attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Tun)]));
        assert!(!is_wireguard(&message));
    }
}
