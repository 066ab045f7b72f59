//! Why an operation was not done.

use std::num::NonZeroU16;

use rustix::io::Errno;
use zt_core::key::PublicKey;
use zt_linux::{CreateWireGuardError, DeleteWireGuardError, FindError, LinkError, LinkName};

use super::fault::{Fault, Recovery};
use super::peers::Refusal;

/// Why an interface was not started. No link was made, or it is gone again, unless a variant says otherwise.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The UDP port is taken by somebody else.
    #[error("UDP port {0} is taken")]
    PortTaken(NonZeroU16),
    /// The link could not be made; a missing module, a missing capability and a name that is taken are told apart.
    #[error(transparent)]
    Link(#[from] CreateWireGuardError),
    /// The link was made and could not be set up; it was deleted.
    #[error("the WireGuard device could not be set up")]
    Device(#[source] Fault),
    /// The link was made, could not be set up, and could not be deleted either: it is down and has no peers.
    #[error("the WireGuard device could not be set up ({fault}), nor deleted again")]
    Stuck {
        /// Why it could not be set up.
        fault: Fault,
        /// Why it could not be deleted.
        source: DeleteWireGuardError,
    },
}

/// Why an interface that was there was not adopted. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdoptError {
    /// There is no link of the name, or the kernel could not be asked for it.
    #[error(transparent)]
    Find(#[from] FindError),
    /// The link is none of the kernel's WireGuard.
    #[error("`{0}` is no WireGuard link")]
    OtherKind(LinkName),
    /// The device has another key, or none: it is somebody else's.
    #[error("`{0}` has another key")]
    OtherKey(LinkName),
    /// This thread may not look at WireGuard devices.
    #[error("reading a WireGuard device needs CAP_NET_ADMIN in this network namespace")]
    NoPermission,
    /// The device could not be read.
    #[error("the WireGuard device could not be read")]
    Device(#[source] Fault),
}

/// Why an interface was not set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetUpError {
    /// Somebody has taken the UDP port since the interface was started; the link stays down.
    #[error("the UDP port is taken")]
    PortTaken,
    /// The link is gone, or was not changed.
    #[error(transparent)]
    Link(#[from] LinkError),
}

/// Why a device was not read. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The link was deleted, renamed, made anew or moved to another network namespace, or the device was given another
    /// key: what is there, if anything, is not this interface.
    #[error("the interface is gone: its link or its key is another")]
    Gone,
    /// This thread may not look at WireGuard devices.
    #[error("reading a WireGuard device needs CAP_NET_ADMIN in this network namespace")]
    NoPermission,
    /// The device could not be read.
    #[error("the WireGuard device could not be read")]
    Device(#[source] Fault),
}

/// Why peers were not changed, or not for certain.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The change must not be made. Nothing was sent, nothing has changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The interface is gone, see [`ReadError::Gone`]: what was sent has changed nothing.
    #[error("the interface is gone: its link or its key is another")]
    Gone,
    /// This thread may not change WireGuard devices. The message at fault changed nothing; those before it are done.
    #[error("changing a WireGuard device needs CAP_NET_ADMIN in this network namespace")]
    NoPermission,
    /// What the peers are could not be read before. Nothing was sent, nothing has changed.
    #[error("the peers cannot be read")]
    Unread(#[source] Fault),
    /// A message failed. Each peer is as before, as it is to be, or in between: it has no allowed IPs but of both. Which
    /// of them is unknown after [`Recovery::Resync`] and is read before anything is given.
    #[error("the peers were not all changed")]
    Unfinished(#[source] Fault),
    /// A later cut named this peer, or others too, before it was their turn to be given something. The cut stands; what
    /// concerns other peers is done.
    #[error("{0} was cut meanwhile")]
    Overtaken(PublicKey),
}

impl ReadError {
    /// What is to be done.
    #[must_use]
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Gone | Self::NoPermission => Recovery::Fatal,
            Self::Device(fault) => fault.when_reading(),
        }
    }

    pub(super) fn of(fault: Fault) -> Self {
        match fault.errno() {
            Some(Errno::NODEV | Errno::OPNOTSUPP | Errno::NOENT) => Self::Gone,
            Some(Errno::PERM | Errno::ACCESS) => Self::NoPermission,
            _ => Self::Device(fault),
        }
    }
}

impl WriteError {
    /// What is to be done.
    #[must_use]
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Refused(_) | Self::Gone | Self::NoPermission | Self::Overtaken(_) => Recovery::Fatal,
            Self::Unread(fault) => fault.when_reading(),
            Self::Unfinished(fault) => fault.when_writing(),
        }
    }

    pub(super) fn of(fault: Fault) -> Self {
        match fault.errno() {
            Some(Errno::NODEV | Errno::OPNOTSUPP | Errno::NOENT) => Self::Gone,
            Some(Errno::PERM | Errno::ACCESS) => Self::NoPermission,
            _ => Self::Unfinished(fault),
        }
    }
}

impl From<ReadError> for WriteError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Gone => Self::Gone,
            ReadError::NoPermission => Self::NoPermission,
            ReadError::Device(fault) => Self::Unread(fault),
        }
    }
}
