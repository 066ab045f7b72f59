//! What can go wrong between this process and the kernel's WireGuard, and what is to be done then.

use std::io;
use std::time::Duration;

use rustix::io::Errno;

use super::dump::DumpError;
use super::malformed::Malformed;

/// Why a call has no answer, or a bad one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The kernel said no, or the system did when the message was to be sent or received.
    #[error("the kernel refused")]
    Refused(#[source] io::Error),
    /// No answer came in time.
    #[error("no answer within {0:?}")]
    Deadline(Duration),
    /// What was to be listed changed meanwhile, each time.
    #[error("the device changed during each of {attempts} attempts to read it")]
    Interrupted {
        /// How often it was tried.
        attempts: u32,
    },
    /// The answer ends before its end.
    #[error("the answer is cut short")]
    Incomplete,
    /// The answer is none that the kernel gives: torn, with impossible values, or to another request.
    #[error("the answer is not to be understood")]
    Malformed(#[from] Malformed),
    /// `wireguard-uapi` could not send the message, or not read the answer.
    #[error("the message was not sent, or the answer not read: {0}")]
    Transport(String),
    /// The thread that talks to the kernel has ended.
    #[error("the thread that talks to the kernel has ended")]
    Ended,
}

/// What is to be done about a failed call.
///
/// | what happened | reading | changing peers | why |
/// |---|---|---|---|
/// | list changed meanwhile (`NLM_F_DUMP_INTR`), `EBUSY`, `EAGAIN`, `EINTR` | retry | resync | of a change, part may be done |
/// | `ENOBUFS`, `ENOMEM` | retry | resync | a change is no transaction: what precedes the peer at fault is done |
/// | answer cut short, torn, or to another request | retry | resync | each request has a socket of its own, so nothing lasts |
/// | no answer in time | retry | resync | a change may yet be made |
/// | `ENODEV` | fatal | fatal | no such index: the link was deleted or moved, see [`WriteError::Gone`](super::WriteError::Gone) |
/// | `EPERM`, `EACCES` | fatal | fatal | the kernel looks at capabilities first: nothing was changed |
/// | `EOPNOTSUPP` | fatal | fatal | the link is of another kind: nothing was changed |
/// | `ENOENT` | fatal | fatal | the kernel has no WireGuard |
/// | `EMSGSIZE` | fatal | fatal | longer than the socket takes: nothing was sent |
/// | `EADDRINUSE` | fatal | fatal | the port is taken |
/// | `EINVAL`, any other | fatal | resync | of a change, part may be done |
/// | our thread has ended | fatal | fatal | nothing will be sent any more |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Recovery {
    /// Nothing has changed, and the same call may succeed if it is made again.
    Retry,
    /// It is not known what has changed: observe before anything that gives. The same call may succeed then.
    Resync,
    /// Nothing has changed by the call that failed, and the same call will not succeed.
    Fatal,
}

/// Errors that mean the same whether something was read or changed, and those of which a reading is retried.
const ERRNOS: [(Errno, Recovery, Recovery); 14] = [
    (Errno::BUSY, Recovery::Retry, Recovery::Resync),
    (Errno::AGAIN, Recovery::Retry, Recovery::Resync),
    (Errno::INTR, Recovery::Retry, Recovery::Resync),
    (Errno::NOBUFS, Recovery::Retry, Recovery::Resync),
    (Errno::NOMEM, Recovery::Retry, Recovery::Resync),
    (Errno::NODEV, Recovery::Fatal, Recovery::Fatal),
    (Errno::PERM, Recovery::Fatal, Recovery::Fatal),
    (Errno::ACCESS, Recovery::Fatal, Recovery::Fatal),
    (Errno::OPNOTSUPP, Recovery::Fatal, Recovery::Fatal),
    (Errno::NOENT, Recovery::Fatal, Recovery::Fatal),
    (Errno::MSGSIZE, Recovery::Fatal, Recovery::Fatal),
    (Errno::ADDRINUSE, Recovery::Fatal, Recovery::Fatal),
    (Errno::INVAL, Recovery::Fatal, Recovery::Resync),
    (Errno::IO, Recovery::Fatal, Recovery::Resync),
];

impl Fault {
    /// What is to be done if something was only read.
    #[must_use]
    pub fn when_reading(&self) -> Recovery {
        self.recovery().0
    }

    /// What is to be done if peers were to be changed.
    #[must_use]
    pub fn when_writing(&self) -> Recovery {
        self.recovery().1
    }

    fn recovery(&self) -> (Recovery, Recovery) {
        match self {
            Self::Refused(_) => {
                let found = self.errno().and_then(|errno| ERRNOS.iter().find(|(other, ..)| *other == errno));
                found.map_or((Recovery::Fatal, Recovery::Resync), |(_, read, write)| (*read, *write))
            }
            Self::Deadline(_)
            | Self::Interrupted { .. }
            | Self::Incomplete
            | Self::Malformed(_)
            | Self::Transport(_) => (Recovery::Retry, Recovery::Resync),
            Self::Ended => (Recovery::Fatal, Recovery::Fatal),
        }
    }

    /// The kernel's error, if it is one.
    pub(super) fn errno(&self) -> Option<Errno> {
        match self {
            Self::Refused(error) => Errno::from_io_error(error),
            Self::Deadline(_)
            | Self::Interrupted { .. }
            | Self::Incomplete
            | Self::Malformed(_)
            | Self::Transport(_)
            | Self::Ended => None,
        }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Refused(error)
    }
}

impl From<DumpError> for Fault {
    fn from(error: DumpError) -> Self {
        match error {
            DumpError::Interrupted => Self::Interrupted { attempts: 1 },
            DumpError::Incomplete => Self::Incomplete,
            DumpError::Refused(error) => Self::Refused(error),
            DumpError::Malformed(malformed) => Self::Malformed(malformed),
        }
    }
}
