//! The UNIX socket of an interface: one request, one reply, one connection, within a deadline.

use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::decode::{Decoder, Names, Question};
use super::interface::Interface;
use super::reply::ReplyError;

/// How long a request and its reply may take, unless something else is set.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(5);

/// How much is read at once.
const CHUNK: usize = 64 * 1024;

/// Why a request had no good reply.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// There is no socket of this name. Nothing was sent. wireguard-go ends, and its interface with it, when its socket
    /// is deleted; others go on.
    #[error("there is no socket {path:?}")]
    Absent {
        /// Where it should be.
        path: PathBuf,
    },
    /// Nobody listens there: the process that opened the socket is gone, or it is no socket. Nothing was sent.
    #[error("nobody listens at {path:?}")]
    Refused {
        /// Where it is.
        path: PathBuf,
    },
    /// This process may not use the socket. Nothing was sent, and nothing is known about the interface.
    #[error("no permission to use {path:?}")]
    Permission {
        /// Where it is.
        path: PathBuf,
    },
    /// The other side takes no more connections, as if it hung. Nothing was sent.
    #[error("{path:?} takes no more connections")]
    Busy {
        /// Where it is.
        path: PathBuf,
    },
    /// The socket cannot be used for another reason. Nothing was sent.
    #[error("{path:?} cannot be used: {source}")]
    Connect {
        /// Where it is.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// There was no whole reply in time. What was asked may have been done, in part or in full, or may be done later:
    /// observe again.
    #[error("no whole reply within {deadline:?}")]
    Hung {
        /// How long was waited.
        deadline: Duration,
    },
    /// The other side closed the connection before its reply was whole. What was asked may have been done, in part or
    /// in full: observe again.
    #[error("closed before the reply was whole")]
    Closed,
    /// Reading failed. What was asked may have been done, in part or in full: observe again.
    #[error("the reply cannot be read: {0}")]
    Read(io::Error),
    /// The reply cannot be used, or says that the request failed. What was asked may have been done, in part or in
    /// full: observe again.
    #[error("bad reply: {0}")]
    Reply(#[from] ReplyError),
}

/// The socket of one interface, such as `/var/run/wireguard/wg0.sock`.
///
/// Nothing is held open between requests, so that the other process may be started again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UapiSocket {
    path: PathBuf,
    deadline: Duration,
}

impl UapiSocket {
    /// The socket at this path, whether it is there yet or not.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), deadline: DEFAULT_DEADLINE }
    }

    /// Sets how long each request and its reply may take, from connecting to the last byte.
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Asks what the interface is like. Nothing changes, whatever the outcome.
    pub(super) async fn get(&self, names: &Names) -> Result<Interface, SocketError> {
        self.exchange("get=1\n\n", Decoder::new(Question::Get, names)).await
    }

    /// Sends a request to change something.
    pub(super) async fn set(&self, request: &str) -> Result<(), SocketError> {
        let names = Names::new();
        self.exchange(request, Decoder::new(Question::Set, &names)).await.map(|_| ())
    }

    async fn exchange(&self, request: &str, decoder: Decoder<'_>) -> Result<Interface, SocketError> {
        let outcome = timeout(self.deadline, self.converse(request, decoder)).await;
        outcome.unwrap_or(Err(SocketError::Hung { deadline: self.deadline }))
    }

    async fn converse(&self, request: &str, mut decoder: Decoder<'_>) -> Result<Interface, SocketError> {
        let connected = UnixStream::connect(&self.path).await;
        let mut stream = connected.map_err(|error| self.cannot_connect(error))?;
        // a reply that something is wrong may come, and the connection be closed, before everything is written
        let _ = stream.write_all(request.as_bytes()).await;
        let mut chunk = Zeroizing::new(vec![0; CHUNK]);
        loop {
            let count = match stream.read(&mut chunk).await {
                Ok(0) => return Err(SocketError::Closed),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Err(SocketError::Closed),
                Err(error) => return Err(SocketError::Read(error)),
            };
            if decoder.push(chunk.get(..count).unwrap_or_default())? {
                return Ok(decoder.finish()?);
            }
        }
    }

    fn cannot_connect(&self, source: io::Error) -> SocketError {
        let path = self.path.clone();
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "there are more kinds of I/O errors than matter here"
        )]
        match source.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => SocketError::Absent { path },
            ErrorKind::ConnectionRefused => SocketError::Refused { path },
            ErrorKind::PermissionDenied => SocketError::Permission { path },
            ErrorKind::WouldBlock => SocketError::Busy { path },
            _ => SocketError::Connect { path, source },
        }
    }
}
