//! A backend of peers alone: it takes access away and gives none.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use zt_core::backend::{Backend, BackendError};
use zt_core::desired::{Elements, Peer};
use zt_core::key::PublicKey;
use zt_core::net::Prefix;
use zt_core::plan::{Cut, Destroy, Gate, ObservedState, Plan, Step};

use super::change::Change;
use super::socket::UapiSocket;
use super::writer::PeerWriter;

/// Why every addition is refused.
const NO_FILTER: &str = "this host has no packet filter and no lease: it cannot grant access, only end it";

/// WireGuard in another process, without a packet filter: peers can be cut off there, and nothing can be granted.
///
/// A backend is a peer writer and a filter that belong together. Here is no filter that would look at destinations, and
/// nothing that would end access when nobody renews it, so every addition is refused. What serves a host is to find out
/// what peers it has, and to take them away.
///
/// # Security
/// What the peers that are there may reach is up to the host. Packets that the other process has decrypted before a
/// cut may still come out of its queues after it.
#[derive(Debug)]
pub struct UapiGateway {
    peers: PeerWriter,
}

impl UapiGateway {
    /// A gateway for the interface behind this socket. Nothing is sent yet.
    #[must_use]
    pub fn new(socket: UapiSocket) -> Self {
        Self { peers: PeerWriter::new(socket) }
    }

    async fn cut(&self, steps: &[Step]) -> Result<(), BackendError> {
        let mut taken: BTreeMap<PublicKey, BTreeSet<Prefix>> = BTreeMap::new();
        for step in steps {
            if let Step::Cut(Cut::AllowedIp(key, prefix)) = step {
                taken.entry(*key).or_default().insert(*prefix);
            }
        }
        let changes: Vec<Change> = taken.into_iter().map(|(key, less)| Change::Take(key, less)).collect();
        let first = steps.iter().find(|step| matches!(step, Step::Cut(Cut::AllowedIp(..))));
        self.write(first, &changes).await
    }

    async fn destroy(&self, steps: &[Step]) -> Result<(), BackendError> {
        let keys: BTreeSet<PublicKey> = steps.iter().filter_map(destroyed).collect();
        let changes: Vec<Change> = keys.into_iter().map(Change::Remove).collect();
        self.write(steps.first(), &changes).await
    }

    /// Makes changes, the first of which is by the step `first`.
    async fn write(&self, first: Option<&Step>, changes: &[Change]) -> Result<(), BackendError> {
        let Some(first) = first else { return Ok(()) };
        self.peers.write(changes).await.map_err(|error| refused(first, error.to_string()))
    }
}

#[async_trait]
impl Backend for UapiGateway {
    /// Peers are read from the other process; there is nothing else.
    ///
    /// The gate reads [`Gate::Closed`]: no lease runs here. What the peers may reach all the same is up to the host.
    async fn observe(&self) -> Result<ObservedState, BackendError> {
        let interface = self.peers.observe().await;
        let interface = interface.map_err(|error| BackendError::Unreadable(error.to_string()))?;
        let peers = interface.peers.into_iter();
        let peers = peers.map(|(key, status)| (key, Peer { allowed_ips: status.allowed_ips })).collect();
        Ok(ObservedState { gate: Gate::Closed, elements: Elements { peers, ..Elements::default() } })
    }

    /// Cuts of allowed IPs and destructions of peers are carried out and read back. Other cuts are of what is not here.
    /// The first addition is refused, with the steps before it done and those after it not.
    ///
    /// If a step of several that are sent together fails, the error names the first of them. Any of them may have been
    /// carried out then, but none that gives access. A socket that is gone is such an error too, and never
    /// [`BackendError::Gone`]: not every process that closes its socket takes its interface with it.
    async fn apply(&self, plan: &Plan) -> Result<(), BackendError> {
        for steps in plan.steps.chunk_by(|one, next| is_cut(one) == is_cut(next) && !is_add(next)) {
            match steps.first() {
                Some(Step::Cut(_)) => self.cut(steps).await?,
                Some(Step::Destroy(_)) => self.destroy(steps).await?,
                Some(add @ Step::Add(_)) => return Err(refused(add, NO_FILTER.into())),
                None => {}
            }
        }
        Ok(())
    }
}

fn destroyed(step: &Step) -> Option<PublicKey> {
    match step {
        Step::Destroy(Destroy::Peer(key)) => Some(*key),
        Step::Cut(_) | Step::Add(_) => None,
    }
}

fn refused(step: &Step, problem: String) -> BackendError {
    BackendError::Step { step: Box::new(step.clone()), problem }
}

const fn is_cut(step: &Step) -> bool {
    matches!(step, Step::Cut(_))
}

const fn is_add(step: &Step) -> bool {
    matches!(step, Step::Add(_))
}
