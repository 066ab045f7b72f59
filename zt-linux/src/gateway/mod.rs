//! A backend of peers that are written elsewhere and of the filter that belongs to them.

mod additions;
mod endpoints;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Mutex;
use tokio::task::{JoinError, JoinHandle};
use zt_core::backend::{Backend, BackendError};
use zt_core::desired::Peer;
use zt_core::key::PublicKey;
use zt_core::net::Prefix;
use zt_core::plan::{Add, ObservedState, Phase, Plan, Step};
use zt_core::time::Anchor;

pub use additions::PeerAdditions;
pub use endpoints::Endpoints;

use crate::filter::{Counts, Filter, FilterError, Healed, InstallError, boot_clock};

/// Writes the peers of one WireGuard interface.
#[async_trait]
pub trait Peers: Send + Sync + 'static {
    /// Reads back the peers.
    ///
    /// # Errors
    /// If they cannot be read. Nothing has changed then.
    async fn observe(&self) -> Result<BTreeMap<PublicKey, Peer>, BackendError>;

    /// Takes allowed IPs from peers, as far as these have them, and returns when that is effective.
    ///
    /// # Errors
    /// If some may still be there. None was given to anybody.
    async fn cut(&self, lost: &BTreeMap<PublicKey, BTreeSet<Prefix>>) -> Result<(), BackendError>;

    /// Adds peers, and gives allowed IPs to peers; passes over additions of anything else.
    ///
    /// # Errors
    /// [`BackendError::Step`] for the first addition that is refused: a peer that is there or is the interface itself,
    /// a prefix that overlaps another peer's. Those before it are done then, and those after it not.
    async fn add(&self, additions: &[&Add]) -> Result<(), BackendError>;

    /// Removes peers with their WireGuard sessions, if they are there, and remembers where they were.
    ///
    /// # Errors
    /// If some may still be there.
    async fn remove(&self, keys: &BTreeSet<PublicKey>) -> Result<(), BackendError>;
}

/// A gateway whose WireGuard is outside of this process, with its filter in the kernel.
///
/// A cut costs one transaction of the filter, and one call of the peers' writer if allowed IPs are cut. Removed peers go
/// afterwards, in the background: they have no access by then.
pub struct Gateway<P> {
    peers: Arc<P>,
    filter: Filter,
    /// Held while a plan is carried out.
    applying: Mutex<()>,
    /// What is still being removed; additions and observations wait for it, cuts do not.
    removal: Mutex<Option<JoinHandle<Result<(), BackendError>>>>,
}

impl<P: Peers> Gateway<P> {
    /// Puts both together. They must be of the same link.
    #[must_use]
    pub fn new(peers: P, filter: Filter) -> Self {
        Self { peers: Arc::new(peers), filter, applying: Mutex::new(()), removal: Mutex::new(None) }
    }

    /// The peers.
    #[must_use]
    pub fn peers(&self) -> &P {
        &self.peers
    }

    /// See [`Filter::heal`].
    ///
    /// # Errors
    /// See [`InstallError`].
    pub async fn heal(&self) -> Result<Healed, InstallError> {
        self.filter.heal().await
    }

    /// See [`Filter::counts`].
    ///
    /// # Errors
    /// See [`FilterError`].
    pub async fn counts(&self) -> Result<Counts, FilterError> {
        self.filter.counts().await
    }

    /// The filter.
    #[must_use]
    pub const fn filter(&self) -> &Filter {
        &self.filter
    }

    async fn carry_out(&self, phase: &Phase<'_>, anchor: Anchor) -> Result<(), BackendError> {
        let lost = phase.lost_allowed_ips();
        let changes_peers = |add: &&Add| matches!(add, Add::Peer(_) | Add::AllowedIp(..));
        if lost.is_empty() && !phase.additions.iter().any(changes_peers) {
            // nothing that stays is interrupted
            let changed = self.filter.change(&phase.cuts, &phase.additions, anchor).await;
            changed.map_err(|error| problem_of(error, &phase.additions))?;
        } else {
            if !phase.cuts.is_empty() {
                self.filter.cut(&phase.cuts, anchor).await.map_err(|error| problem_of(error, &[]))?;
            }
            if !lost.is_empty() {
                self.peers.cut(&lost).await?;
            }
            self.add(&phase.additions, anchor).await?;
        }
        if !phase.destroyed.is_empty() {
            self.remove(phase.destroyed.clone()).await;
        }
        Ok(())
    }

    async fn add(&self, additions: &[&Add], anchor: Anchor) -> Result<(), BackendError> {
        if additions.is_empty() {
            return Ok(());
        }
        self.removed().await?;
        let added = self.peers.add(additions).await;
        let sound = match &added {
            Ok(()) => additions,
            Err(BackendError::Step { step, .. }) => {
                let at = additions.iter().position(|add| **step == Step::Add((*add).clone())).unwrap_or(0);
                additions.get(..at).unwrap_or_default()
            }
            Err(_) => return added,
        };
        self.filter.add(sound, anchor).await.map_err(|error| problem_of(error, sound))?;
        added
    }

    /// Starts to remove peers, after those that are being removed.
    async fn remove(&self, keys: BTreeSet<PublicKey>) {
        let mut removal = self.removal.lock().await;
        let (peers, before) = (Arc::clone(&self.peers), removal.take());
        *removal = Some(tokio::spawn(async move {
            let before = match before {
                Some(before) => outcome(before.await),
                None => Ok(()),
            };
            peers.remove(&keys).await.and(before)
        }));
    }

    /// Waits until nothing is being removed any more.
    async fn removed(&self) -> Result<(), BackendError> {
        let mut removal = self.removal.lock().await;
        let Some(running) = removal.as_mut() else { return Ok(()) };
        let done = outcome(running.await);
        *removal = None;
        done
    }
}

#[async_trait]
impl<P: Peers> Backend for Gateway<P> {
    async fn observe(&self) -> Result<ObservedState, BackendError> {
        // what was not removed is found again
        let _ = self.removed().await;
        let peers = self.peers.observe().await?;
        let (gate, mut elements) =
            self.filter.observe().await.map_err(|error| BackendError::Unreadable(text(&error)))?;
        elements.peers = peers;
        Ok(ObservedState { gate, elements })
    }

    /// Ends count from the moment of the call: what the plan says is left at its `now` is left then. Plans are carried out
    /// one after the other, but the first cuts of one that has to wait take effect in the filter at once.
    ///
    /// Peers are removed in the background. That this failed is told by the next call that adds.
    async fn apply(&self, plan: &Plan) -> Result<(), BackendError> {
        let anchor = Anchor { at: plan.now, boot: boot_clock() };
        let _applying = match self.applying.try_lock() {
            Ok(held) => held,
            Err(_) => {
                // cuts do not wait; they are made again behind the other plan, which may add what they cut
                if let Some(Phase { cuts, .. }) = plan.phases().next().filter(|first| !first.cuts.is_empty())
                {
                    self.filter.cut(&cuts, anchor).await.map_err(|error| problem_of(error, &[]))?;
                }
                self.applying.lock().await
            }
        };
        for phase in plan.phases() {
            self.carry_out(&phase, anchor).await?;
        }
        Ok(())
    }
}

impl<P> fmt::Debug for Gateway<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("filter", &self.filter).finish_non_exhaustive()
    }
}

fn problem_of(error: FilterError, additions: &[&Add]) -> BackendError {
    match &error {
        FilterError::Refused { at, problem } => match additions.get(*at) {
            Some(add) => {
                BackendError::Step { step: Box::new(Step::Add((*add).clone())), problem: problem.clone() }
            }
            None => BackendError::Gone(text(&error)),
        },
        FilterError::Netlink(_) | FilterError::Fence(_) => BackendError::Gone(text(&error)),
    }
}

fn outcome(removal: Result<Result<(), BackendError>, JoinError>) -> Result<(), BackendError> {
    removal.unwrap_or_else(|error| Err(BackendError::Gone(format!("peers were not removed: {error}"))))
}

/// An error with what caused it.
fn text(error: &FilterError) -> String {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
