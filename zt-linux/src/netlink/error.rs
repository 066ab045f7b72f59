//! What can go wrong between this process and the kernel.

use std::io;
use std::time::Duration;

use rustix::io::Errno;

/// Why a netlink socket could not be opened; nothing is left of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It was not opened within a tokio runtime.
    #[error("netlink needs a tokio runtime")]
    NoRuntime,
    /// The kernel refused the socket.
    #[error("no netlink socket could be opened")]
    Socket(#[source] io::Error),
}

/// Why a request to the kernel has no answer that can be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetlinkError {
    /// No answer came in time: if the request was a change, it may have been made or may still be.
    #[error("netlink did not answer within {0:?}")]
    Deadline(Duration),
    /// What was to be read changed while it was read, each time: nothing is known, and nothing was changed.
    #[error("what netlink was to list changed during each of {attempts} attempts")]
    Interrupted {
        /// How often it was tried.
        attempts: u32,
    },
    /// The socket is closed, and the answer ended early if there was one: open another one, then observe.
    #[error("the netlink socket is closed")]
    Closed,
    /// The kernel said no: this request changed nothing.
    #[error("the kernel refused")]
    Refused(#[source] io::Error),
}

impl NetlinkError {
    /// Whether it is this refusal.
    pub(crate) fn is(&self, errno: Errno) -> bool {
        matches!(self, Self::Refused(error) if Errno::from_io_error(error) == Some(errno))
    }
}
