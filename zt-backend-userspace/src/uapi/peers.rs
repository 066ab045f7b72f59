//! Peers in another process, for a gateway whose filter is in this host's kernel.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU16;

use async_trait::async_trait;
use tokio::sync::Mutex;
use zt_core::backend::BackendError;
use zt_core::desired::Peer;
use zt_core::key::PublicKey;
use zt_core::net::Prefix;
use zt_core::plan::{Add, Step};
use zt_linux::{Endpoints, PeerAdditions, Peers};

use super::change::{Change, NewPeer, Refusal};
use super::socket::UapiSocket;
use super::writer::{PeerWriter, WriteError};

/// Peers of WireGuard in another process.
///
/// `zt_linux::Gateway` makes a backend of them and of the filter of the same host and link: what
/// [`UapiGateway`](super::UapiGateway) refuses for want of a filter, it grants.
///
/// A peer that comes back is told to the other process with the endpoint that it had, and a keepalive, so that the
/// handshake starts from here.
#[derive(Debug)]
pub struct UapiPeers {
    writer: PeerWriter,
    left: Mutex<Endpoints>,
}

/// What makes the other process start a handshake at once, in seconds.
const KEEPALIVE: Option<NonZeroU16> = NonZeroU16::new(25);

impl UapiPeers {
    /// The peers of the interface behind this socket. Nothing is sent yet.
    #[must_use]
    pub fn new(socket: UapiSocket) -> Self {
        Self { writer: PeerWriter::new(socket), left: Mutex::default() }
    }

    async fn write(&self, changes: &[Change]) -> Result<(), WriteError> {
        if changes.is_empty() { Ok(()) } else { self.writer.write(changes).await }
    }
}

#[async_trait]
impl Peers for UapiPeers {
    async fn observe(&self) -> Result<BTreeMap<PublicKey, Peer>, BackendError> {
        let interface = self.writer.observe().await;
        let interface = interface.map_err(|error| BackendError::Unreadable(error.to_string()))?;
        let peers = interface.peers.into_iter();
        Ok(peers.map(|(key, status)| (key, Peer { allowed_ips: status.allowed_ips })).collect())
    }

    async fn cut(&self, lost: &BTreeMap<PublicKey, BTreeSet<Prefix>>) -> Result<(), BackendError> {
        let changes: Vec<Change> = lost.iter().map(|(key, less)| Change::Take(*key, less.clone())).collect();
        self.write(&changes).await.map_err(unfinished)
    }

    /// Up to the first that is refused: all are looked at before any is sent.
    async fn add(&self, additions: &[&Add]) -> Result<(), BackendError> {
        let mut sound = additions;
        let mut refused = None;
        loop {
            let (at, problem) = match PeerAdditions::of(sound) {
                Err(at) => (at, "the peer is added twice".to_owned()),
                Ok(all) => {
                    let mut left = self.left.lock().await;
                    let new = all.new.iter().map(|(key, allowed_ips)| {
                        let endpoint = left.recall(key);
                        let keepalive = endpoint.and(KEEPALIVE);
                        Change::Add(*key, NewPeer { allowed_ips: allowed_ips.clone(), endpoint, keepalive })
                    });
                    let mut changes: Vec<Change> = new.collect();
                    changes.extend(all.more.into_iter().map(|(key, more)| Change::Allow(key, more)));
                    match self.write(&changes).await {
                        Ok(()) => break,
                        Err(WriteError::Refused(refusal)) => {
                            changes.iter().for_each(|change| remember(&mut left, change));
                            (place(&refusal, sound), refusal.to_string())
                        }
                        Err(error) => return Err(unfinished(error)),
                    }
                }
            };
            refused = sound
                .get(at)
                .map(|add| BackendError::Step { step: Box::new(Step::Add((*add).clone())), problem });
            sound = sound.get(..at).unwrap_or_default();
        }
        refused.map_or(Ok(()), Err)
    }

    async fn remove(&self, keys: &BTreeSet<PublicKey>) -> Result<(), BackendError> {
        let interface = self.writer.observe().await;
        let interface = interface.map_err(|error| BackendError::Unreadable(error.to_string()))?;
        let mut left = self.left.lock().await;
        for (key, peer) in interface.peers.iter().filter(|(key, _)| keys.contains(key)) {
            if let Some(endpoint) = peer.endpoint {
                left.remember(*key, endpoint);
            }
        }
        drop(left);
        let changes: Vec<Change> = keys.iter().copied().map(Change::Remove).collect();
        self.write(&changes).await.map_err(unfinished)
    }
}

fn remember(left: &mut Endpoints, change: &Change) {
    if let Change::Add(key, NewPeer { endpoint: Some(endpoint), .. }) = change {
        left.remember(*key, *endpoint);
    }
}

/// The first addition that a refusal is about.
fn place(refusal: &Refusal, additions: &[&Add]) -> usize {
    let is_it = |add: &&&Add| match (refusal, add) {
        (Refusal::OwnKey(key) | Refusal::Present(key), Add::Peer(other)) => key == other,
        (Refusal::Absent(key) | Refusal::Repeated(key), Add::AllowedIp(other, _)) => key == other,
        (Refusal::Overlap { prefix, .. }, Add::AllowedIp(_, other)) => prefix == other,
        _ => false,
    };
    additions.iter().position(|add| is_it(&add)).unwrap_or(0)
}

fn unfinished(error: WriteError) -> BackendError {
    BackendError::Gone(error.to_string())
}
