//! What can go wrong with a TUN device.

use std::io;

use rustix::io::Errno;

use crate::link::{FindError, LinkError};
use crate::mtu::Mtu;
use crate::name::LinkName;
use crate::netlink::NetlinkError;

/// Why there is no TUN device. None was made, or it is gone again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// This thread may not make links here.
    #[error("a TUN device needs CAP_NET_ADMIN in this network namespace and access to /dev/net/tun")]
    NoPermission,
    /// `/dev/net/tun` is not there, or nothing is behind it: the kernel has no TUN, or a container hides it.
    #[error("there is no /dev/net/tun, or no TUN behind it")]
    NoTun,
    /// Another link has the name.
    #[error("there is another link `{0}`")]
    NameTaken(LinkName),
    /// Neither of these: the device was made and could not be found again or set up.
    #[error("the TUN device could not be set up")]
    Link(#[source] LinkError),
    /// The kernel could not be asked.
    #[error("the kernel could not be asked for links")]
    Netlink(#[from] NetlinkError),
    /// The kernel refused for another reason.
    #[error("the kernel made no TUN device")]
    Refused(#[source] io::Error),
}

impl CreateError {
    /// Tells what an error of the system means when a device with this name was asked for.
    pub(super) fn of(error: io::Error, name: Option<&LinkName>) -> Self {
        match (Errno::from_io_error(&error), name) {
            (Some(Errno::PERM | Errno::ACCESS), _) => Self::NoPermission,
            (Some(Errno::NOENT | Errno::NODEV | Errno::NXIO), _) => Self::NoTun,
            // in use, or no TUN device
            (Some(Errno::BUSY | Errno::INVAL | Errno::EXIST), Some(name)) => Self::NameTaken(name.clone()),
            _ => Self::Refused(error),
        }
    }
}

impl From<LinkError> for CreateError {
    fn from(error: LinkError) -> Self {
        if matches!(error, LinkError::NoPermission) { Self::NoPermission } else { Self::Link(error) }
    }
}

impl From<FindError> for CreateError {
    fn from(error: FindError) -> Self {
        match error {
            FindError::NotFound(name) => Self::Link(LinkError::Gone { name, index: 0 }),
            FindError::Netlink(error) => Self::Netlink(error),
        }
    }
}

/// Why a packet did not pass. All but [`PacketError::Gone`] are about this packet only: the device goes on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PacketError {
    /// The device was deleted: nothing will pass any more.
    #[error("the TUN device is gone")]
    Gone,
    /// The link is down; the packet is lost.
    #[error("the TUN device is down")]
    Down,
    /// It is neither an IPv4 nor an IPv6 packet; it was not sent.
    #[error("not an IP packet")]
    NotIp,
    /// It is longer than the MTU that the device was made with. It was not sent; or it was received in part, because
    /// somebody has raised the MTU, and is lost.
    #[error("a packet is longer than the MTU of {0} bytes")]
    TooLong(Mtu),
    /// The system refused the packet for another reason; it is lost.
    #[error("the system did not take or give the packet")]
    Refused(#[source] io::Error),
}

impl PacketError {
    pub(super) fn of(error: io::Error) -> Self {
        match Errno::from_io_error(&error) {
            Some(Errno::BADFD) => Self::Gone,
            Some(Errno::IO) => Self::Down,
            _ => Self::Refused(error),
        }
    }
}
