//! Leases: how long a gateway goes on without hearing from the controller.
//!
//! A gateway asks with a fresh nonce and the generation it has installed. The answer counts from the instant at which
//! the gateway *sent* the nonce, on its own boot clock; so an answer that was delayed, replayed or meant for another
//! generation prolongs nothing, and no wall clock takes part.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::{GatewayId, Generation, Nonce};
use crate::plan::{Add, Plan, Step};
use crate::time::{Anchor, BootInstant, Timestamp};

/// A gateway's question whether it may go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseRequest {
    /// Who asks.
    pub gateway: GatewayId,
    /// What it has installed.
    pub installed: Generation,
    /// A number it has never used before.
    pub nonce: Nonce,
}

/// The leave to go on for a while with what is installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// For whom.
    pub gateway: GatewayId,
    /// For which generation.
    pub generation: Generation,
    /// Which question it answers.
    pub nonce: Nonce,
    /// The controller's time when it answered.
    pub at: Timestamp,
    /// How long to go on, from when the question was sent.
    pub remaining: Duration,
}

/// Why the controller gives no lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LeaseRefusal {
    /// The site does not declare the gateway, or it never said which key it uses.
    #[error("no such gateway")]
    UnknownGateway,
    /// The gateway has not installed its latest generation.
    #[error("generation {installed} is installed, {current} is current")]
    Generation {
        /// What it has installed.
        installed: Generation,
        /// What it should have.
        current: Generation,
    },
    /// A deadline has come that the controller has not been told of: a tick must come first.
    #[error("a deadline is due")]
    Due,
    /// The given time lies before what the controller has already seen.
    #[error("the clock runs behind")]
    ClockBehind,
}

/// Why a gateway does not accept a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LeaseRejection {
    /// It is for another gateway.
    #[error("a lease for another gateway")]
    Gateway,
    /// It answers no question, or not the latest one.
    #[error("a lease for another question")]
    Nonce,
    /// It is for a generation that is not the installed one.
    #[error("a lease for another generation")]
    Generation,
    /// It was over when it came.
    #[error("a lease that is over")]
    Over,
}

/// The gateway's side: asks, accepts, and knows the controller's time from the answers.
#[derive(Debug, Clone)]
pub struct LeaseHolder {
    gateway: GatewayId,
    installed: Generation,
    question: Option<(Nonce, BootInstant)>,
}

impl LeaseHolder {
    /// A gateway that has nothing installed and no lease.
    #[must_use]
    pub fn new(gateway: GatewayId) -> Self {
        Self { gateway, installed: Generation::default(), question: None }
    }

    /// Notes that a generation was installed; a question asked before is void.
    pub fn installed(&mut self, generation: Generation) {
        if self.installed != generation {
            self.installed = generation;
            self.question = None;
        }
    }

    /// Asks for a lease with a `nonce` that was never used before; a question asked before is void.
    pub fn ask(&mut self, nonce: Nonce, sent_at: BootInstant) -> LeaseRequest {
        self.question = Some((nonce, sent_at));
        LeaseRequest { gateway: self.gateway.clone(), installed: self.installed, nonce }
    }

    /// Accepts the answer to the latest question when the boot clock reads `now`; a question has one answer.
    ///
    /// Returns the plan that opens the gateway until the lease's end, on the controller's timeline, and what ties that
    /// timeline to the boot clock.
    ///
    /// # Errors
    /// If the lease is not for this gateway, its latest question or what it has installed, or is over. Nothing has
    /// changed then.
    pub fn accept(&mut self, lease: &Lease, now: BootInstant) -> Result<(Plan, Anchor), LeaseRejection> {
        if lease.gateway != self.gateway {
            return Err(LeaseRejection::Gateway);
        }
        let (_, sent_at) =
            self.question.filter(|(nonce, _)| *nonce == lease.nonce).ok_or(LeaseRejection::Nonce)?;
        if lease.generation != self.installed {
            return Err(LeaseRejection::Generation);
        }
        if now.since(sent_at) >= lease.remaining {
            return Err(LeaseRejection::Over);
        }
        self.question = None;
        let anchor = Anchor { at: lease.at, boot: sent_at };
        let open = Step::Add(Add::Gate(lease.at.after(lease.remaining)));
        Ok((Plan { generation: lease.generation, now: anchor.time_at(now), steps: vec![open] }, anchor))
    }
}
