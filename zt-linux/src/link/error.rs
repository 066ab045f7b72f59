//! Why something about a link was not done.

use std::net::IpAddr;

use rustix::io::Errno;

use super::config::Route;
use crate::name::LinkName;
use crate::netlink::NetlinkError;

/// Why a link was not found; nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FindError {
    /// No link has this name.
    #[error("there is no link `{0}`")]
    NotFound(LinkName),
    /// The kernel could not be asked.
    #[error("the link could not be looked up")]
    Netlink(#[from] NetlinkError),
}

/// Why a link was not read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The link was deleted, renamed or moved to another network namespace. What has its name or index by then, if
    /// anything, is another link: find it anew, and build up what it is to have.
    #[error("link {index} is no more `{name}`: it was deleted, renamed or moved")]
    Gone {
        /// The name it had.
        name: LinkName,
        /// The index it had.
        index: u32,
    },
    /// This thread may not change links here: the change was not made.
    #[error("changing links needs CAP_NET_ADMIN in this network namespace")]
    NoPermission,
    /// The kernel refused or did not answer; the inner error says what state that leaves.
    #[error("the link could not be read or changed")]
    Netlink(#[source] NetlinkError),
}

impl LinkError {
    /// Tells what an error means for the link of this name and index.
    pub(super) fn of(error: NetlinkError, name: &LinkName, index: u32) -> Self {
        if error.is(Errno::PERM) {
            Self::NoPermission
        } else if error.is(Errno::NODEV) || error.is(Errno::NXIO) {
            Self::Gone { name: name.clone(), index }
        } else {
            Self::Netlink(error)
        }
    }

    /// Whether the kernel refused with this error.
    pub(super) fn is(&self, errno: Errno) -> bool {
        matches!(self, Self::Netlink(error) if error.is(errno))
    }
}

/// Why there is no WireGuard link. None was made, unless a variant says otherwise.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateWireGuardError {
    /// The kernel has no WireGuard: its module is not there or may not be loaded here.
    #[error("the kernel has no WireGuard; `modprobe wireguard` says why")]
    NoModule,
    /// This thread may not make links here.
    #[error("a WireGuard link needs CAP_NET_ADMIN in this network namespace")]
    NoPermission,
    /// Another link has the name, and keeps it.
    #[error("there is another link `{0}`")]
    NameTaken(LinkName),
    /// The link was made but not found again: the kernel was asked to delete it, or somebody else did.
    #[error("the WireGuard link was made and not found again")]
    Lost(#[source] FindError),
    /// The kernel refused for another reason. After [`NetlinkError::Deadline`] and [`NetlinkError::Closed`] the link
    /// may have been made: it is not deleted, since it could be somebody else's by then.
    #[error("the WireGuard link could not be made")]
    Netlink(#[source] NetlinkError),
}

impl CreateWireGuardError {
    /// Tells what an error means when a link of this name was asked for.
    pub(super) fn of(error: NetlinkError, name: &LinkName) -> Self {
        if error.is(Errno::OPNOTSUPP) {
            Self::NoModule
        } else if error.is(Errno::PERM) {
            Self::NoPermission
        } else if error.is(Errno::EXIST) {
            Self::NameTaken(name.clone())
        } else {
            Self::Netlink(error)
        }
    }
}

/// Why a WireGuard link was not deleted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeleteWireGuardError {
    /// It is a link of another kind, and was left alone.
    #[error("`{0}` is no WireGuard link")]
    OtherKind(LinkName),
    /// The link is gone already, or could not be read or deleted.
    #[error(transparent)]
    Link(#[from] LinkError),
}

/// Why a link does not have what it is to have.
///
/// Changes made before the error stay. Removals of routes are the first of them, and applying the same again goes on
/// from there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// Unspecified, multicast, broadcast or IPv4-mapped. Nothing was changed.
    #[error("`{0}` is no address that a link can have or lead to")]
    Unusable(IpAddr),
    /// The link is down, and the kernel takes routes into links that are up only.
    #[error("routes need a link that is up")]
    Down,
    /// Another route that is not ours has the same destinations and table, and leads elsewhere. It was left alone.
    #[error("a route to `{}` in table {} is there and leads elsewhere", .0.destination, .0.table.number())]
    Taken(Route),
    /// The link could not be read or changed.
    #[error(transparent)]
    Link(#[from] LinkError),
}
