//! Changes of peers, guarded before they are sent and read back afterwards.

use tokio::sync::Mutex;
use zt_core::key::PublicKey;

use super::change::{Change, Refusal, Wanted, check};
use super::decode::Names;
use super::encode::requests;
use super::interface::{Interface, PeerStatus};
use super::socket::{SocketError, UapiSocket};

/// Why peers were not changed, or not for certain.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The changes must not be made. Nothing was sent, nothing has changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The peers could not be read before. Nothing was sent, nothing has changed.
    #[error("the peers cannot be read: {0}")]
    Unread(#[source] SocketError),
    /// A request failed. What takes away precedes what gives, and each peer is as before, as it is to be, or has less
    /// than both; which of them is unknown: observe again. After [`SocketError::Hung`] it may still change, for as long as
    /// that process lives.
    #[error("the peers were not all changed: {0}")]
    Unfinished(#[source] SocketError),
    /// All requests were acknowledged, but the peers could not be read afterwards. All should be done: observe again.
    /// Peers that could not be read before either, and from which something was to be taken, should have nothing left.
    #[error("the peers were changed, but cannot be read back: {0}")]
    Unconfirmed(#[source] SocketError),
    /// All requests were acknowledged, but this peer is not as it should be: the other side did something else, or
    /// somebody else changes peers. The others may be or not: observe again.
    #[error("the change of {0} was acknowledged but is not there")]
    Ineffective(PublicKey),
}

/// Writes peers of an interface in another process.
///
/// It writes peers only. Who grants access with it needs a packet filter for the same host, and something that ends
/// access when nobody renews it.
#[derive(Debug)]
pub struct PeerWriter {
    socket: UapiSocket,
    /// Held while peers are changed: changes of one writer do not mix.
    names: Mutex<Names>,
}

impl PeerWriter {
    /// A writer for the interface behind this socket. Nothing is sent yet.
    #[must_use]
    pub fn new(socket: UapiSocket) -> Self {
        Self { socket, names: Mutex::new(Names::new()) }
    }

    /// Reads what the interface is like. Costs in proportion to its peers: the protocol knows no other question.
    ///
    /// # Errors
    /// If there is no good reply in time. Nothing has changed.
    pub async fn observe(&self) -> Result<Interface, SocketError> {
        let mut names = self.names.lock().await;
        self.read(&mut names).await
    }

    /// Makes changes, and reads back that they are there. What is as it is to be already is left alone.
    ///
    /// Whatever takes away is sent before whatever gives. All changes are looked at together: a prefix may go from one
    /// peer to another, but a peer is changed only once. Each request, with its reply, has the deadline of the socket;
    /// there is one for about 170 peers or 1,000 allowed IPs, and two more to read.
    ///
    /// A reply that cannot be used, breaks off or does not come keeps nothing from being taken away: if all changes are of
    /// that kind, they are made unseen, and a peer from which some allowed IPs are to be taken loses them all. The first
    /// request that has no reply in time is the last one: a process that hangs takes two deadlines.
    ///
    /// # Errors
    /// Each variant of the error says what state is left. If the future is dropped before it is done, the state is that
    /// of [`WriteError::Unfinished`].
    pub async fn write(&self, changes: &[Change]) -> Result<(), WriteError> {
        let mut names = self.names.lock().await;
        let present = match self.read(&mut names).await {
            Ok(present) => present,
            Err(error) if was_heard(&error) && changes.iter().all(|change| change.gained().is_none()) => {
                supposed(changes)
            }
            Err(error) => return Err(WriteError::Unread(error)),
        };
        let wanted = check(&present, changes)?;
        if wanted.is_empty() {
            return Ok(());
        }
        for request in requests(&present, changes) {
            self.socket.set(&request).await.map_err(WriteError::Unfinished)?;
        }
        let installed = self.read(&mut names).await.map_err(WriteError::Unconfirmed)?;
        let astray = changes.iter().find(|change| !is_there(&installed, &wanted, change));
        astray.map_or(Ok(()), |change| Err(WriteError::Ineffective(*change.key())))
    }

    async fn read(&self, names: &mut Names) -> Result<Interface, SocketError> {
        let interface = self.socket.get(names).await?;
        *names = interface.peers.keys().map(|key| (*key.as_bytes(), *key)).collect();
        Ok(interface)
    }
}

/// Whether somebody took the question, so that a request may reach them too.
const fn was_heard(error: &SocketError) -> bool {
    match error {
        SocketError::Hung { .. } | SocketError::Closed | SocketError::Read(_) | SocketError::Reply(_) => true,
        SocketError::Absent { .. }
        | SocketError::Refused { .. }
        | SocketError::Permission { .. }
        | SocketError::Busy { .. }
        | SocketError::Connect { .. } => false,
    }
}

/// An interface of which no more is known than that something is to be taken from it.
fn supposed(changes: &[Change]) -> Interface {
    let peer = |change: &Change| {
        let allowed_ips = change.lost().cloned().unwrap_or_default();
        (*change.key(), PeerStatus { allowed_ips, ..PeerStatus::default() })
    };
    Interface { peers: changes.iter().map(peer).collect(), ..Interface::default() }
}

/// Whether a change is to be seen in what was read back. What was to be taken from a peer that is gone is taken.
fn is_there(installed: &Interface, wanted: &Wanted, change: &Change) -> bool {
    let Some(wanted) = wanted.get(change.key()) else { return true };
    match (change, installed.peers.get(change.key())) {
        (Change::Add(_, new), Some(peer)) => {
            // where it is may have changed since
            let is_found = new.endpoint.is_none() || peer.endpoint.is_some();
            new.allowed_ips == peer.allowed_ips && new.keepalive == peer.keepalive && is_found
        }
        (_, Some(peer)) => wanted.as_ref() == Some(&peer.allowed_ips),
        (Change::Take(..), None) => true,
        (_, None) => wanted.is_none(),
    }
}
