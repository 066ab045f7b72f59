//! One value that policies may read of a session.

use std::collections::BTreeSet;

use zt_core::decide::{FactView, SessionFacts, View};
use zt_core::device::FactValue;
use zt_core::id::{FactName, GroupId, ResourceId, WindowId};
use zt_core::identity::{AttributeValue, Mfa};
use zt_core::time::Timestamp;

use crate::person::Person;
use crate::time::{Instant, Threshold};

/// A value that policies may read of a session.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Slot {
    /// `principal in GROUP`, or in one of several, in a condition
    Member(BTreeSet<GroupId>),
    /// `principal == USER`, or in a list of people
    Is(BTreeSet<Person>),
    /// `principal`, in any other way
    Principal,
    /// `principal has ATTRIBUTE`
    HasAttribute(String),
    /// `principal.ATTRIBUTE`
    Attribute(String),
    /// An instant of the session other than in a comparison that time turns
    Instant(Instant),
    /// How a comparison with the time comes out
    Turned(Threshold),
    /// `context.session.mfa.present`
    MfaPresent,
    /// `context.session.acr`
    Acr,
    /// `context.device.id`
    Device,
    /// `context.windows.contains(WINDOW)`
    Window(WindowId),
    /// `context.posture.FACT.FIELD`
    Fact(FactName, Field),
    /// `context.approved.contains(RESOURCE)`
    Approved(ResourceId),
}

/// A part of a fact. Its age is read by way of [`Slot::Turned`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Field {
    Status,
    Value,
    Source,
    Tier,
}

impl Slot {
    /// Adds the value that holds for a session to its view.
    pub(crate) fn write(&self, facts: &SessionFacts<'_>, view: &mut View) {
        let assurance = &facts.session.assurance;
        match self {
            Self::Member(groups) => {
                flag(view, groups.iter().any(|group| facts.groups().contains(group.as_str())));
            }
            Self::Is(people) => flag(view, people.iter().any(|person| person.is(&facts.identity.subject))),
            Self::Principal => {
                let subject = &facts.identity.subject;
                view.push([subject.issuer().as_str().as_bytes(), b"\0", subject.name().as_bytes()]);
            }
            Self::HasAttribute(name) => flag(view, facts.attributes().contains_key(name)),
            Self::Attribute(name) => attribute(view, facts.attributes().get(name)),
            Self::Instant(instant) => number(view, instant.of(facts).as_millis()),
            Self::Turned(threshold) => flag(view, threshold.has_turned(facts)),
            Self::MfaPresent => flag(view, assurance.mfa != Mfa::Absent),
            Self::Acr => view.push([assurance.acr.as_bytes()]),
            Self::Device => view.push([facts.device.id.as_str().as_bytes()]),
            Self::Window(window) => flag(view, facts.open_windows.contains(window)),
            Self::Fact(name, field) => fact(view, facts.fact(name).as_ref(), *field),
            Self::Approved(resource) => flag(view, facts.approved.contains(resource)),
        }
    }

    /// The first instant after now at which time alone may change the value; `None` if it never does.
    pub(crate) fn turns_at(&self, facts: &SessionFacts<'_>) -> Option<Timestamp> {
        let turns = match self {
            Self::Turned(threshold) => {
                let fact = match threshold {
                    Threshold::Age(fact, _) => becomes_known_or_stale(fact, facts),
                    Threshold::After(..) | Threshold::At(_) => None,
                };
                let turns = threshold.turns_at(facts).filter(|at| *at > facts.now);
                [turns, fact].into_iter().flatten().min()
            }
            Self::Fact(name, _) => becomes_known_or_stale(name, facts),
            Self::Member(_)
            | Self::Is(_)
            | Self::Principal
            | Self::HasAttribute(_)
            | Self::Attribute(_)
            | Self::Instant(_)
            | Self::MfaPresent
            | Self::Acr
            | Self::Device
            | Self::Window(_)
            | Self::Approved(_) => None,
        };
        turns.filter(|at| *at > facts.now)
    }
}

/// A fact from the future is unknown until then, and unknown again once it is too old.
fn becomes_known_or_stale(name: &FactName, facts: &SessionFacts<'_>) -> Option<Timestamp> {
    let max_age = facts.site.facts.get(name)?.max_age;
    let observed_at = facts.observed_at(name)?;
    [observed_at, observed_at.after(max_age)].into_iter().find(|at| *at > facts.now)
}

fn fact(view: &mut View, fact: Option<&FactView<'_>>, field: Field) {
    let Some(fact) = fact else { return view.push([]) };
    match field {
        Field::Status => view.push([fact.status.as_str().as_bytes()]),
        Field::Source => view.push([fact.source.as_bytes()]),
        Field::Tier => number(view, fact.tier.number()),
        Field::Value => match &*fact.value {
            FactValue::Bool(value) => flag(view, *value),
            FactValue::Long(value) => number(view, *value),
            FactValue::String(value) => view.push([value.as_bytes()]),
        },
    }
}

/// With a letter for the kind before it, since the kind is up to the provider.
fn attribute(view: &mut View, value: Option<&AttributeValue>) {
    match value {
        None => view.push([]),
        Some(AttributeValue::Bool(value)) => view.push([b"b".as_slice(), &[u8::from(*value)]]),
        Some(AttributeValue::Long(value)) => view.push([b"l".as_slice(), &value.to_le_bytes()]),
        Some(AttributeValue::String(value)) => view.push([b"s".as_slice(), value.as_bytes()]),
        Some(AttributeValue::Strings(values)) => {
            let length = |text: &String| u64::try_from(text.len()).unwrap_or(u64::MAX).to_le_bytes();
            view.push_with(|out| {
                out.push(b't');
                for text in values {
                    out.extend_from_slice(&length(text));
                    out.extend_from_slice(text.as_bytes());
                }
            });
        }
    }
}

fn flag(view: &mut View, value: bool) {
    view.push([[u8::from(value)].as_slice()]);
}

fn number(view: &mut View, value: i64) {
    view.push([value.to_le_bytes().as_slice()]);
}
