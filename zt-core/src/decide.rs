//! The seam between the fold and a policy engine.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::device::{Device, FactStatus, FactValue, Tier};
use crate::event::PolicySource;
use crate::id::{FactName, WindowId};
use crate::identity::Identity;
use crate::session::Session;
use crate::site::{FactDeclaration, Site};
use crate::time::Timestamp;

/// A policy engine: set-valued, synchronous, and without facts of its own.
///
/// [`load`](Decide::load) compiles policies; [`decide`](Decide::decide) evaluates one session's facts against classes
/// of resources. The same calls in the same order give the same answers: no clock, no randomness, no I/O.
pub trait Decide {
    /// Compiles `source` for `site` and puts it in force in place of what was in force.
    ///
    /// # Errors
    /// If anything in `source` is invalid. What was in force before stays so.
    fn load(&mut self, source: &PolicySource, site: &Site) -> Result<PolicyVersion, PolicyError>;

    /// How the resources of the site fall into classes that no policy in force tells apart.
    ///
    /// Empty before the first load, which denies everything.
    fn classes(&self) -> &ResourceClasses;

    /// Decides whether the session may reach the resources of each class, in the order given.
    ///
    /// Calls `sink` once for each class. Nothing is returned: what cannot be decided is denied.
    fn decide(&self, facts: &SessionFacts<'_>, classes: &[ClassId], sink: &mut dyn DecisionSink);

    /// The name of a policy of the version in force, from its `@id`.
    fn policy_name(&self, policy: PolicyIndex) -> &str;
}

/// Why policies were refused, in words for their author: file, line, policy and value as far as they are known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct PolicyError {
    /// The file and, where known, the line: `policy/access.cedar:12`.
    pub place: String,
    /// What is wrong there.
    pub problem: String,
}

/// The hash over everything that decisions depend on besides facts: schema, policies and site extensions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PolicyVersion(pub [u8; 32]);

impl fmt::Display for PolicyVersion {
    /// The first 8 bytes in hexadecimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(8).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PolicyVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A policy of the version in force, by its place in the order of policy names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PolicyIndex(pub u32);

/// A resource, by its place in [`Site::resources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResourceIndex(pub u32);

/// A class of resources that no policy in force tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClassId(pub u32);

/// A partition of a site's resources.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResourceClasses {
    members: Vec<Vec<ResourceIndex>>,
}

impl ResourceClasses {
    /// Takes the members of each class; the class at place `n` is `ClassId(n)`.
    #[must_use]
    pub const fn new(members: Vec<Vec<ResourceIndex>>) -> Self {
        Self { members }
    }

    /// All classes with their members, in order.
    pub fn iter(&self) -> impl Iterator<Item = (ClassId, &[ResourceIndex])> {
        (0..).map(ClassId).zip(self.members.iter().map(Vec::as_slice))
    }

    /// The members of a class; none for a class that does not exist.
    #[must_use]
    pub fn members(&self, class: ClassId) -> &[ResourceIndex] {
        usize::try_from(class.0).ok().and_then(|index| self.members.get(index)).map_or(&[], Vec::as_slice)
    }
}

/// Where decisions go, one call for each class.
pub trait DecisionSink {
    /// Takes the decision on one class of resources.
    fn decided(&mut self, class: ClassId, decision: Decision<'_>);
}

/// The answer for one session and one class of resources, with its cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision<'a> {
    /// May it?
    pub effect: Effect,
    /// The policies that led to the answer, in ascending order: for an allow the permits that held; for a deny the
    /// forbids that held, or the policies whose evaluation failed.
    pub because: &'a [PolicyIndex],
    /// How long the answer holds if no fact changes.
    pub valid: Validity,
}

/// May the session reach the resources?
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Effect {
    /// Yes.
    Allow,
    /// No, for this cause.
    Deny(DenyCause),
}

/// Why access is denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum DenyCause {
    /// No permit held.
    NotPermitted,
    /// A forbid held.
    Forbidden,
    /// A policy could not be evaluated.
    EvaluationError,
    /// The facts do not fit the schema, or are not complete.
    InvalidFacts,
}

/// How long an answer holds if no fact changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Validity {
    /// The passing of time alone cannot change it.
    Unlimited,
    /// At this instant, and not before, time may change it; it is to be decided again then.
    Until(Timestamp),
}

impl Validity {
    /// The shorter of the two.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unlimited, validity) | (validity, Self::Unlimited) => validity,
            (Self::Until(one), Self::Until(two)) => Self::Until(one.min(two)),
        }
    }
}

/// What is known about a session at the instant of a decision, borrowed from the controller.
#[derive(Debug, Clone, Copy)]
pub struct SessionFacts<'a> {
    /// The instant.
    pub now: Timestamp,
    /// The person.
    pub identity: &'a Identity,
    /// The device, with the facts last reported.
    pub device: &'a Device,
    /// The session.
    pub session: &'a Session,
    /// The windows that are open.
    pub open_windows: &'a BTreeSet<WindowId>,
    /// The site in force.
    pub site: &'a Site,
}

/// What holds of one declared fact at the instant of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactView<'a> {
    /// Which fact.
    pub name: &'a FactName,
    /// Its status; [`FactStatus::Unknown`] if it is absent, stale, from the future or of the wrong kind.
    pub status: FactStatus,
    /// Its value; the kind's zero value if the status is unknown.
    pub value: FactValue,
    /// Where it was found, or why there is none.
    pub source: &'a str,
    /// How hard it would be to fake; [`Tier::SelfAsserted`] if unknown.
    pub tier: Tier,
    /// How old it is; [`FactView::AGE_UNKNOWN`] if unknown.
    pub age: Duration,
}

impl FactView<'_> {
    /// The age of a fact that is not known: a hundred years, more than any policy allows.
    pub const AGE_UNKNOWN: Duration = Duration::from_hours(100 * 365 * 24);
}

impl<'a> SessionFacts<'a> {
    /// What holds of every fact that the site declares, in the order of their names.
    pub fn posture(&self) -> impl Iterator<Item = FactView<'a>> {
        let (device, now) = (self.device, self.now);
        self.site.facts.iter().map(move |(name, declaration)| view(name, declaration, device, now))
    }
}

fn view<'a>(
    name: &'a FactName,
    declaration: &FactDeclaration,
    device: &'a Device,
    now: Timestamp,
) -> FactView<'a> {
    let unknown = |source| FactView {
        name,
        status: FactStatus::Unknown,
        value: declaration.kind.zero(),
        source,
        tier: Tier::SelfAsserted,
        age: FactView::AGE_UNKNOWN,
    };
    let Some(fact) = device.facts.get(name) else { return unknown("never reported") };
    if fact.value.kind() != declaration.kind {
        return unknown("value of the wrong kind");
    }
    if fact.observed_at > now {
        return unknown("observed in the future");
    }
    if fact.observed_at.after(declaration.max_age) <= now {
        return unknown("stale");
    }
    match fact.status {
        FactStatus::Unknown | FactStatus::Unsupported => {
            FactView { status: fact.status, ..unknown(&fact.source) }
        }
        FactStatus::Pass | FactStatus::Fail => FactView {
            name,
            status: fact.status,
            value: fact.value.clone(),
            source: &fact.source,
            tier: fact.tier,
            age: now.since(fact.observed_at),
        },
    }
}
