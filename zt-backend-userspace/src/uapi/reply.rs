//! What may be wrong with a reply.

use super::errno::Errno;
use super::lines::{MAX_LINE, MAX_REPLY};

/// Why a reply cannot be used. Lines count from 1; secret values are never shown.
///
/// After a question nothing has changed. After a request to change something it is not known what was done: observe
/// again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// The other side says that it failed. Of a request, what precedes the line that it did not like is done.
    #[error("the other side answers {0}")]
    Errno(Errno),
    /// A line has no `=`, nothing before it, or is no UTF-8.
    #[error("line {line} is no `key=value`")]
    Syntax {
        /// The line.
        line: usize,
    },
    /// A value that its key cannot have.
    #[error("line {line}: `{value}` is no {key}")]
    Value {
        /// The line.
        line: usize,
        /// The key.
        key: &'static str,
        /// The value, escaped and cut to 80 characters; `..` if it is secret.
        value: String,
    },
    /// A key that may be given once was given twice, or two peers have the same key.
    #[error("line {line}: {key} is given a second time")]
    Repeated {
        /// The line.
        line: usize,
        /// The key.
        key: &'static str,
    },
    /// A key of a peer before the first peer, one of the interface behind it, anything behind the error number, or
    /// anything but the error number in an acknowledgement.
    #[error("line {line}: {key} does not belong there")]
    Misplaced {
        /// The line.
        line: usize,
        /// The key; of one that is not understood, `another key`.
        key: &'static str,
    },
    /// The reply ends without the error number.
    #[error("line {line}: the reply ends without an errno")]
    NoErrno {
        /// The empty line.
        line: usize,
    },
    /// A line of more than [`MAX_LINE`] bytes.
    #[error("line {line} has more than {MAX_LINE} bytes")]
    LongLine {
        /// The line.
        line: usize,
    },
    /// More than [`MAX_REPLY`] bytes.
    #[error("the reply has more than {MAX_REPLY} bytes")]
    TooLong,
    /// It breaks off before the empty line at its end.
    #[error("the reply breaks off behind line {line}")]
    Torn {
        /// The last whole line; 0 if there is none.
        line: usize,
    },
}
