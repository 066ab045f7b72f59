//! How long a decision holds.

use std::collections::BTreeSet;

use cedar_policy::pst::{EntityOrSlot, PrincipalConstraint, ResourceConstraint, Template};
use zt_core::decide::{SessionFacts, Validity};
use zt_core::site::Resource;
use zt_core::time::Timestamp;

use crate::entities::user_id;
use crate::time::{Instant, Threshold};

/// A policy that time can turn, and for whom and what it may apply.
#[derive(Debug)]
pub(crate) struct Scheduled {
    principal: Reach,
    resource: Reach,
    thresholds: BTreeSet<Threshold>,
}

/// Whom or what the head of a policy reaches.
#[derive(Debug)]
enum Reach {
    All,
    /// The one with this id, or those within it.
    Within {
        container: bool,
        id: String,
    },
}

impl Scheduled {
    pub(crate) fn new(policy: &Template, thresholds: BTreeSet<Threshold>) -> Self {
        let principal = match &policy.principal {
            PrincipalConstraint::Any | PrincipalConstraint::Is(_) => Reach::All,
            PrincipalConstraint::Eq(named) | PrincipalConstraint::In(named) => Reach::new(named),
            PrincipalConstraint::IsIn(_, named) => Reach::new(named),
        };
        let resource = match &policy.resource {
            ResourceConstraint::Any | ResourceConstraint::Is(_) => Reach::All,
            ResourceConstraint::Eq(named) | ResourceConstraint::In(named) => Reach::new(named),
            ResourceConstraint::IsIn(_, named) => Reach::new(named),
        };
        Self { principal, resource, thresholds }
    }

    /// The first instant after now at which the policy may turn for this session.
    fn turns_at(&self, facts: &SessionFacts<'_>) -> Option<Timestamp> {
        let turns = self.thresholds.iter().filter_map(|threshold| threshold.turns_at(facts));
        turns.filter(|at| *at > facts.now).min()
    }
}

impl Reach {
    fn new(named: &EntityOrSlot) -> Self {
        match named {
            EntityOrSlot::Slot(_) => Self::All,
            EntityOrSlot::Entity(named) => {
                let container = matches!(named.ty.0.id.as_str(), "Group" | "Segment");
                Self::Within { container, id: named.eid.to_string() }
            }
        }
    }

    fn takes(&self, own: &str, containers: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::All => true,
            Self::Within { container: true, id } => containers(id),
            Self::Within { container: false, id } => id == own,
        }
    }
}

/// The instants at which time may turn decisions on one session.
#[derive(Debug)]
pub(crate) struct Turns<'a> {
    any: Validity,
    policies: Vec<(&'a Reach, Timestamp)>,
}

impl<'a> Turns<'a> {
    /// Of the session that `facts` tell of.
    pub(crate) fn of(facts: &SessionFacts<'_>, scheduled: &'a [Scheduled]) -> Self {
        let user = user_id(&facts.identity.subject);
        let applies =
            |policy: &&Scheduled| policy.principal.takes(&user, |group| facts.groups().contains(group));
        let turns = |policy: &'a Scheduled| Some((&policy.resource, policy.turns_at(facts)?));
        Self { any: foreseen(facts), policies: scheduled.iter().filter(applies).filter_map(turns).collect() }
    }

    /// How long a decision on `resource` holds.
    pub(crate) fn validity(&self, resource: &Resource) -> Validity {
        let applies =
            |reach: &Reach| reach.takes(resource.id.as_str(), |segment| resource.segments.contains(segment));
        let turns =
            self.policies.iter().filter(|(reach, _)| applies(reach)).map(|(_, at)| Validity::Until(*at));
        turns.fold(self.any, Validity::min)
    }
}

/// A fact from the future is unknown until then.
fn foreseen(facts: &SessionFacts<'_>) -> Validity {
    let reported = facts.site.facts.keys().filter_map(|name| facts.observed_at(name));
    let future = reported.filter(|at| *at > facts.now);
    future.map(Validity::Until).fold(Validity::Unlimited, Validity::min)
}

/// Until when an instant of the session lies in the future; `None` if none does.
///
/// Cedar would take it for very recent: a span since then is negative, and so below any bound.
pub(crate) fn in_future(facts: &SessionFacts<'_>) -> Option<Timestamp> {
    Instant::ALL.iter().map(|instant| instant.of(facts)).max().filter(|latest| *latest > facts.now)
}
