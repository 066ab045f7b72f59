//! What would be known of a session whose needs were met.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use zt_core::decide::{FactTest, FactView, Need, SessionFacts};
use zt_core::device::{Device, FactStatus, Finding, HeldFact, Tier};
use zt_core::id::{FactName, ResourceId, WindowId};
use zt_core::identity::Mfa;
use zt_core::session::Session;

use super::needs::Needs;
use super::value::witness;
use crate::evaluator::{Facts, Outcome, Program, Scratch, Uid};
use crate::reads::Field;

/// The facts of a session with needs met: all is shown and found now.
pub(super) struct Supposed {
    session: Session,
    device: Device,
    open_windows: BTreeSet<WindowId>,
    approved: BTreeSet<ResourceId>,
    /// The facts that were not known and now are.
    found: BTreeSet<FactName>,
    /// What needs say something of.
    turned: BTreeSet<Part>,
}

/// A field of a fact; its age if there is none.
pub(super) type Part = (FactName, Option<Field>);

impl Supposed {
    /// Meets `needs`, an approval by approving `resources`; `None` if they cannot be met together.
    pub(super) fn new(facts: &SessionFacts<'_>, needs: &Needs, resources: &[ResourceId]) -> Option<Self> {
        let mut supposed = Self {
            session: facts.session.clone(),
            device: facts.device.clone(),
            open_windows: facts.open_windows.clone(),
            approved: facts.approved.clone(),
            found: BTreeSet::new(),
            turned: BTreeSet::new(),
        };
        let mut acr = None;
        let mut posture: BTreeMap<&FactName, Vec<&FactTest>> = BTreeMap::new();
        for need in needs.iter() {
            match need {
                Need::Acr(class) => {
                    if acr.replace(class).is_some() {
                        return None;
                    }
                    supposed.session.assurance.acr = class.as_str().into();
                }
                Need::SecondFactor | Need::SecondFactorWithin(_) => {
                    supposed.session.assurance.mfa = Mfa::At(facts.now);
                }
                Need::LoginWithin(_) => {
                    supposed.session.assurance.authenticated_at = facts.now;
                    supposed.session.started_at = facts.now;
                }
                Need::Fact { name, test } => posture.entry(name).or_default().push(test),
                Need::Approval => supposed.approved.extend(resources.iter().cloned()),
                Need::Window(window) => {
                    supposed.open_windows.insert(window.clone());
                }
            }
        }
        for (name, tests) in posture {
            let view = facts.fact(name)?;
            if is_unknown(&view) {
                supposed.found.insert(name.clone());
            }
            supposed.turned.extend(tests.iter().map(|test| (name.clone(), field(test))));
            let held = HeldFact { finding: Arc::new(finding(view, &tests)?), observed_at: facts.now };
            supposed.device.facts.insert(held);
        }
        Some(supposed)
    }

    /// The facts, with all else from `facts`.
    pub(super) fn facts<'a>(&'a self, facts: &SessionFacts<'a>) -> SessionFacts<'a> {
        SessionFacts {
            device: &self.device,
            session: &self.session,
            open_windows: &self.open_windows,
            approved: &self.approved,
            ..*facts
        }
    }
}

/// Facts of a session with needs met, against one resource, for tests to be run on.
pub(super) struct Situation<'a> {
    pub(super) needs: &'a Needs,
    pub(super) supposed: &'a Supposed,
    pub(super) facts: Facts<'a>,
    pub(super) resource: Uid,
    pub(super) scratch: Scratch,
}

impl Situation<'_> {
    /// Whether a part of a fact is no longer as it was found, so that nothing is sure of it but what needs say.
    pub(super) fn is_open(&self, part: &Part) -> bool {
        self.supposed.found.contains(&part.0) || self.supposed.turned.contains(part)
    }

    /// How a test comes out.
    pub(super) fn run(&mut self, test: &Program) -> Outcome {
        test.run(&self.facts, self.resource, &mut self.scratch)
    }
}

fn is_unknown(view: &FactView<'_>) -> bool {
    matches!(view.status, FactStatus::Unknown | FactStatus::Unsupported)
}

/// What a test looks at.
const fn field(test: &FactTest) -> Option<Field> {
    match test {
        FactTest::Status(_) => Some(Field::Status),
        FactTest::Tier(_) => Some(Field::Tier),
        FactTest::Source(_) => Some(Field::Source),
        FactTest::Value { .. } | FactTest::Like(_) => Some(Field::Value),
        FactTest::Age(_) => None,
    }
}

/// A finding that passes the tests, and is otherwise as it was; `None` if there is none.
fn finding(view: FactView<'_>, tests: &[&FactTest]) -> Option<Finding> {
    let mut statuses = BTreeSet::new();
    let mut sources = BTreeSet::new();
    let mut tiers = BTreeSet::from([view.tier]);
    for test in tests {
        match test {
            FactTest::Status(status) => drop(statuses.insert(*status)),
            FactTest::Source(source) => drop(sources.insert(source.as_str())),
            FactTest::Tier(tier) => drop(tiers.insert(*tier)),
            FactTest::Value { .. } | FactTest::Like(_) | FactTest::Age(_) => {}
        }
    }
    if statuses.len() > 1 || sources.len() > 1 {
        return None;
    }
    let current = if is_unknown(&view) { FactStatus::Pass } else { view.status };
    Some(Finding {
        name: view.name.clone(),
        status: statuses.pop_first().unwrap_or(current),
        value: witness(tests, view.value.into_owned())?,
        source: sources.pop_first().unwrap_or(view.source).into(),
        tier: tiers.pop_last().unwrap_or(Tier::SelfAsserted),
    })
}
