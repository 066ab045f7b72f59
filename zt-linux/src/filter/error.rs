//! Why a filter does not do what it was asked to.

use std::io;

use crate::netlink::{NetlinkError, OpenError};

/// Why a filter was not installed.
///
/// Nothing is open in any case; what was installed before the error stays, and installing again goes on from there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstallError {
    /// There is no socket to the kernel.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// This process may not change firewalls and routing here.
    #[error("a filter needs CAP_NET_ADMIN in this network namespace")]
    NoPermission,
    /// The kernel has no nftables, or lacks a part of it.
    #[error(
        "this kernel lacks nf_tables, or its part for inet tables, connection tracking or sets of ranges"
    )]
    NoNftables(#[source] NetlinkError),
    /// There is a table of this name that somebody else made. It was left alone.
    #[error("there is a table `inet {0}` that is not ours")]
    Occupied(String),
    /// The kernel cannot say when all processors have left the old rules (`MEMBARRIER_CMD_GLOBAL`).
    #[error("this kernel cannot wait for packets that are under way; is it running with nohz_full?")]
    NoFence,
    /// A kernel setting could not be read or changed.
    #[error("the kernel's setting `{name}` could not be set")]
    Setting {
        /// Its path below `/proc/sys`.
        name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The kernel refused or did not answer.
    #[error("the filter could not be installed")]
    Netlink(#[source] NetlinkError),
}

impl From<NetlinkError> for InstallError {
    fn from(error: NetlinkError) -> Self {
        use rustix::io::Errno;
        if error.is(Errno::PERM) {
            Self::NoPermission
        } else if [Errno::OPNOTSUPP, Errno::AFNOSUPPORT, Errno::PROTONOSUPPORT].iter().any(|&no| error.is(no))
        {
            Self::NoNftables(error)
        } else {
            Self::Netlink(error)
        }
    }
}

/// Why a filter was not changed or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FilterError {
    /// An addition was refused. The cuts were made, and the additions before it.
    #[error("addition {at} is refused: {problem}")]
    Refused {
        /// Its place in the list.
        at: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// The kernel refused or did not answer. Nothing was added; if something was to be cut, the gate is closed as well,
    /// if the kernel lets us.
    #[error("the filter could not be changed or read")]
    Netlink(#[source] NetlinkError),
    /// It cannot be waited for that packets under way are through. What was cut is cut for packets that come later.
    #[error("packets that are under way cannot be waited for")]
    Fence(#[source] io::Error),
}

impl From<NetlinkError> for FilterError {
    fn from(error: NetlinkError) -> Self {
        Self::Netlink(error)
    }
}
