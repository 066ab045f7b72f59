//! A control plane for the gateways of this process: log, fold, apply.

mod gateway;
mod receipt;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;

use crate::backend::Backend;
use crate::controller::Controller;
use crate::decide::Decide;
use crate::event::{Entry, Event, IdentityEvent};
use crate::grant::{Outcome, Refusal};
use crate::id::{GatewayId, SessionId};
use crate::identity::Subject;
use crate::key::PublicKey;
use crate::log::{EventLog, LogError};
use crate::time::Timestamp;

use gateway::LocalGateway;
pub use receipt::{Ended, Receipt};

/// The controller's timeline, and waiting on it.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The present instant: wall time that was read once and is carried on by boot-time elapsed.
    fn now(&self) -> Timestamp;

    /// Returns when `span` has passed.
    async fn sleep(&self, span: Duration);
}

/// How long a gateway may take for one change before it counts as unreachable.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// How soon a log that failed is tried again, and a gateway that did.
const RETRY: Duration = Duration::from_millis(500);

const CATCH_UP: usize = 1024;

/// A log, a controller over it, and the gateways that run in this process.
///
/// It has no task of its own: whoever holds it calls [`advance`](Self::advance) when [`wake_at`](Self::wake_at) says so.
#[derive(Debug)]
pub struct ControlPlane<D, L, C> {
    controller: Controller<D>,
    log: L,
    clock: C,
    gateways: BTreeMap<GatewayId, LocalGateway>,
    /// Before then it is no use trying again, since the log has failed.
    pause_until: Timestamp,
}

/// What became of an event, at the controller and at the gateways.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Submission {
    /// What the fold made of it.
    pub outcome: Outcome,
    /// What the gateways made of it.
    pub receipt: Receipt,
}

/// Whose access is to end, and how far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revocation {
    /// The session stays, without access; restoring it takes no handshake.
    Suspend(SessionId),
    /// The session ends and its peer goes; a new session may use the key again.
    End(SessionId),
    /// All sessions of a person end.
    Subject(Subject),
    /// The key is never accepted again, and its session ends.
    Key(PublicKey),
}

impl From<Revocation> for Event {
    fn from(revocation: Revocation) -> Self {
        match revocation {
            Revocation::Suspend(session) => Self::SessionSuspended { session },
            Revocation::End(session) => Self::SessionEnded { session },
            Revocation::Subject(subject) => Self::Identity(IdentityEvent::SessionRevoked { subject }),
            Revocation::Key(public_key) => Self::KeyRevoked { public_key },
        }
    }
}

/// Why an event did not take effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The log did not take it; nothing has changed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The fold refused it; nothing has changed but the log and what was due by time.
    #[error("refused: {0}")]
    Refused(#[from] Refusal),
}

impl<D: Decide, L: EventLog, C: Clock> ControlPlane<D, L, C> {
    /// A control plane over what `log` holds already. No gateways are attached yet.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub async fn open(decide: D, log: L, clock: C) -> Result<Self, LogError> {
        let (controller, pause_until) = (Controller::new(decide), Timestamp::default());
        let mut opened = Self { controller, log, clock, gateways: BTreeMap::new(), pause_until };
        opened.catch_up().await?;
        Ok(opened)
    }

    /// Attaches a gateway of this process, brings it to its desired state and gives it a lease.
    ///
    /// A gateway that fails at first is tried again by [`advance`](Self::advance). One that was attached under the same
    /// id before is told to let nothing through.
    pub async fn attach(&mut self, gateway: GatewayId, backend: Arc<dyn Backend>) {
        let lease_end = self.controller.leases_end_by(self.clock.now());
        let attached = LocalGateway::new(gateway.clone(), backend, lease_end);
        if let Some(replaced) = self.gateways.insert(gateway, attached) {
            replaced.close(&self.clock).await;
        }
        self.advance().await.ok();
    }

    /// Takes an event in: logs it, folds it, and applies what follows at every gateway it concerns.
    ///
    /// Returns when the entry is durable and each of those gateways has acknowledged its cuts or has been given up on
    /// for now; the receipt says which.
    ///
    /// # Errors
    /// If the log does not take the event, or the fold refuses it.
    pub async fn submit(&mut self, event: Event) -> Result<Submission, SubmitError> {
        let outcome = self.append(event).await?;
        let receipt = self.enforce(&outcome).await;
        match outcome.refusal {
            Some(refusal) => Err(refusal.into()),
            None => Ok(Submission { outcome, receipt }),
        }
    }

    /// Ends access: [`submit`](Self::submit) of the event that does so.
    ///
    /// # Errors
    /// If the log does not take the event, or there is nothing to revoke.
    pub async fn revoke(&mut self, revocation: Revocation) -> Result<Receipt, SubmitError> {
        Ok(self.submit(revocation.into()).await?.receipt)
    }

    /// Does what time asks for: handles deadlines, folds what others have logged, retries gateways that failed, renews
    /// leases.
    ///
    /// # Errors
    /// If the log cannot be read, or a deadline is due and the log does not take the tick; leases are not renewed then.
    pub async fn advance(&mut self) -> Result<(), SubmitError> {
        let heard = self.hear().await;
        let (controller, clock, at) = (&self.controller, &self.clock, heard.as_ref().ok().copied());
        join_all(self.gateways.values_mut().map(|gateway| gateway.advance(controller, clock, at))).await;
        if heard.is_err() {
            self.pause_until = self.clock.now().after(RETRY);
        }
        heard.map(|_| ())
    }

    /// Folds what is due by time and what others have logged; returns the instant before it last looked.
    async fn hear(&mut self) -> Result<Timestamp, SubmitError> {
        if self.controller.next_deadline().is_some_and(|deadline| deadline.at <= self.clock.now()) {
            let _submission = self.submit(Event::Tick).await?;
        }
        let at = self.clock.now();
        self.catch_up().await?;
        Ok(at)
    }

    /// When [`advance`](Self::advance) is due next.
    #[must_use]
    pub fn wake_at(&self) -> Timestamp {
        let deadline = self.controller.next_deadline().map(|deadline| deadline.at);
        let renewals = self.gateways.values().map(LocalGateway::wake_at);
        let first = deadline.into_iter().chain(renewals).min();
        first.unwrap_or_else(|| self.clock.now().after(PATIENCE)).max(self.pause_until)
    }

    /// When each attached gateway drops everything, if it is not given another lease.
    pub fn access_ends(&self) -> impl Iterator<Item = (&GatewayId, Timestamp)> {
        self.gateways.iter().map(|(id, gateway)| (id, gateway.lease_end()))
    }

    /// The controller, to ask it things.
    #[must_use]
    pub const fn controller(&self) -> &Controller<D> {
        &self.controller
    }

    /// The log.
    #[must_use]
    pub const fn log(&self) -> &L {
        &self.log
    }

    /// The clock.
    #[must_use]
    pub const fn clock(&self) -> &C {
        &self.clock
    }

    /// Appends an event at the next free place and folds it; entries of others that came first are folded before it.
    async fn append(&mut self, event: Event) -> Result<Outcome, SubmitError> {
        let mut entry = Entry { seq: self.controller.next_seq(), at: self.clock.now(), event };
        loop {
            match self.log.append(&entry).await {
                Ok(()) => return Ok(self.controller.handle(&entry)),
                Err(LogError::Conflict { next }) if next > entry.seq => {
                    self.catch_up().await?;
                    if self.controller.next_seq() == entry.seq {
                        return Err(LogError::Conflict { next }.into());
                    }
                    entry.seq = self.controller.next_seq();
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Folds what the log has beyond what was folded; the gateways are told at their next turn.
    async fn catch_up(&mut self) -> Result<(), LogError> {
        loop {
            let entries = self.log.read(self.controller.next_seq(), CATCH_UP).await?;
            if entries.is_empty() {
                return Ok(());
            }
            for entry in &entries {
                let outcome = self.controller.handle(entry);
                if let Some(refusal @ Refusal::OutOfOrder { .. }) = outcome.refusal {
                    return Err(LogError::Storage(refusal.to_string()));
                }
            }
        }
    }

    /// Has the gateways carry out what changed. Those that owe something from before answer too; those of other
    /// processes cannot, and have what is left of their leases.
    async fn enforce(&mut self, outcome: &Outcome) -> Receipt {
        let (controller, clock) = (&self.controller, &self.clock);
        let elsewhere = controller.outdated_leases().filter(|(id, _)| !self.gateways.contains_key(*id));
        let mut ended: BTreeMap<GatewayId, Ended> = elsewhere
            .filter(|(_, access_ends_by)| *access_ends_by > clock.now())
            .map(|(id, access_ends_by)| (id.clone(), Ended::Unreachable { access_ends_by }))
            .collect();
        let answers = self.gateways.iter_mut().filter_map(|(id, gateway)| {
            let concerned = outcome.gateways.contains_key(id);
            (concerned || gateway.owes(controller, clock)).then(async move || {
                let answer = match concerned {
                    true => gateway.enforce(controller, clock).await,
                    false => gateway.settle(controller, clock).await,
                };
                (id.clone(), answer)
            })
        });
        ended.extend(join_all(answers).await);
        Receipt::new(ended)
    }
}
