//! What a decision rests on, borrowed from the controller.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::device::{Device, FactStatus, FactValue, Tier};
use crate::id::{FactName, ResourceId, WindowId};
use crate::identity::{AttributeValue, Groups, Identity};
use crate::session::Session;
use crate::site::{FactDeclaration, Site};
use crate::time::Timestamp;

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
    /// The resources for which an approved request of the person is in force.
    pub approved: &'a BTreeSet<ResourceId>,
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
    pub value: Cow<'a, FactValue>,
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
    /// The declared groups that the person is in.
    #[must_use]
    pub fn groups(&self) -> &'a Groups {
        &self.identity.profile.groups
    }

    /// What else is known of the person.
    #[must_use]
    pub fn attributes(&self) -> &'a BTreeMap<String, AttributeValue> {
        &self.identity.profile.attributes
    }

    /// What holds of one fact; `None` if the site does not declare it.
    #[must_use]
    pub fn fact(&self, name: &FactName) -> Option<FactView<'a>> {
        let (name, declaration) = self.site.facts.get_key_value(name)?;
        Some(view(name, declaration, self.device, self.now))
    }

    /// When a fact that the site declares was found, however long ago; `None` if it was never reported.
    #[must_use]
    pub fn observed_at(&self, name: &FactName) -> Option<Timestamp> {
        self.device.facts.get(name).map(|fact| fact.observed_at)
    }

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
        value: Cow::Owned(declaration.kind.zero()),
        source,
        tier: Tier::SelfAsserted,
        age: FactView::AGE_UNKNOWN,
    };
    let Some(held) = device.facts.get(name) else { return unknown("never reported") };
    let fact = &*held.finding;
    if fact.value.kind() != declaration.kind {
        return unknown("value of the wrong kind");
    }
    if held.observed_at > now {
        return unknown("observed in the future");
    }
    if held.observed_at.after(declaration.max_age) <= now {
        return unknown("stale");
    }
    match fact.status {
        FactStatus::Unknown | FactStatus::Unsupported => {
            FactView { status: fact.status, ..unknown(&fact.source) }
        }
        FactStatus::Pass | FactStatus::Fail => FactView {
            name,
            status: fact.status,
            value: Cow::Borrowed(&fact.value),
            source: &fact.source,
            tier: fact.tier,
            age: now.since(held.observed_at),
        },
    }
}
