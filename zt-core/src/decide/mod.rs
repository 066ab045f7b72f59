//! The seam between the fold and a policy engine.

mod facts;
mod remedy;
mod view;

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};

use crate::event::PolicySource;
use crate::printable::Printable;
use crate::site::{ResourceIndex, Site};
use crate::time::Timestamp;

pub use facts::{FactView, SessionFacts};
pub use remedy::{Comparison, FactTest, MAX_REMEDIES, Need, Remedy};
pub use view::View;

/// A policy engine: set-valued, synchronous, and without facts of its own.
///
/// [`load`](Decide::load) compiles policies; [`decide`](Decide::decide) evaluates one session's facts against classes
/// of resources. The same calls in the same order give the same answers: no clock, no randomness, no I/O.
///
/// What makes it incremental is [`view`](Decide::view): sessions that the policies cannot tell apart have equal views,
/// so that decisions can be shared between them, and a change that leaves the view as it was needs no decision.
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

    /// Puts into `view`, in place of what it held, what the policies in force read of a session, and says until when
    /// that stays the same if no fact changes.
    ///
    /// Sessions with equal views get decisions with equal effect and cause on every class. Costs what the policies
    /// read, whatever the number of sessions and resources, and does not allocate once `view` has the room.
    fn view(&self, facts: &SessionFacts<'_>, view: &mut View) -> Validity;

    /// Adds to `classes`, in ascending order, those to which a policy applies that reads a value in which two views
    /// differ: on no other class can decisions on sessions with these views differ.
    ///
    /// Both views are to be of the version in force.
    fn affected(&self, before: &View, after: &View, classes: &mut Vec<ClassId>);

    /// Decides whether the session may reach the resources of each class, in the order given.
    ///
    /// Calls `sink` once for each class. Nothing is returned: what cannot be decided is denied.
    fn decide(&self, facts: &SessionFacts<'_>, classes: &[ClassId], sink: &mut dyn DecisionSink);

    /// What would turn the denial of a class into an allow, each on its own: at most [`MAX_REMEDIES`], those with the
    /// fewest needs first, then in the order of their needs.
    ///
    /// None for what is allowed or cannot be decided, or where nothing would help that the person can see to: nobody
    /// joins a group so as to be let in. Each is decided upon before it is told, so that it works. That there is none is
    /// no proof that nothing helps. It is for explanations and takes far longer than a decision.
    fn remedies(&self, facts: &SessionFacts<'_>, class: ClassId) -> Vec<Remedy>;

    /// The name of a policy of the version in force, from its `@id`.
    fn policy_name(&self, policy: PolicyIndex) -> &str;
}

/// Why policies were refused, in words for their author: file, line, policy and value as far as they are known.
///
/// Several problems stand on a line each; whatever else could garble a terminal is escaped when it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyError {
    /// The file and, where known, the line: `policy/access.cedar:12`.
    pub place: String,
    /// What is wrong there.
    pub problem: String,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Printable::lines(f), "{}: {}", self.place, self.problem)
    }
}

impl std::error::Error for PolicyError {}

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

/// A class of resources that no policy in force tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClassId(pub u32);

/// A partition of a site's resources.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResourceClasses {
    members: Vec<Vec<ResourceIndex>>,
    /// The class of each resource, by its index.
    of: BTreeMap<ResourceIndex, ClassId>,
}

impl ResourceClasses {
    /// Takes the members of each class; the class at place `n` is `ClassId(n)`.
    #[must_use]
    pub fn new(members: Vec<Vec<ResourceIndex>>) -> Self {
        let classes = (0..).map(ClassId).zip(&members);
        let of = classes.flat_map(|(class, members)| members.iter().map(move |index| (*index, class)));
        Self { of: of.collect(), members }
    }

    /// The class of a resource; `None` if no class has it.
    #[must_use]
    pub fn class_of(&self, resource: ResourceIndex) -> Option<ClassId> {
        self.of.get(&resource).copied()
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
    /// A lock is in force on the person, a group of theirs, the device, its key or the resource.
    Locked,
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
