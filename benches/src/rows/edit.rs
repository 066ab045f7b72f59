//! What it costs to change one policy among a thousand, with a hundred thousand sessions.

use std::collections::BTreeMap;

use zt_core::decide::{Decide, PolicyIndex};
use zt_core::event::{Event, PolicySource};
use zt_core::grant::Outcome;
use zt_core::id::{ResourceId, SessionId};
use zt_policy::PolicyEngine;

use crate::Error;
use crate::clock::{processor_time, time};
use crate::report::{Bound, Row};
use crate::world::fleet::{Fleet, accepted};
use crate::world::policies::{self, Permit};
use crate::world::site;

const RESOURCES: usize = 1_000;
const POLICIES: usize = 1_000;

/// Every how manieth session is checked against a controller in which it is alone.
const CHECKED: usize = 100;

/// The rows, with so many sessions.
///
/// # Errors
/// If the world is refused, or a session holds other grants than it would alone.
pub fn rows(sessions: usize) -> Result<Vec<Row>, Error> {
    let before = policies::permits(POLICIES);
    let mut fleet = Fleet::new(PolicyEngine::new(), site::site(RESOURCES), policies::bundle(&before))?;
    let ids: Vec<_> = (0..sessions).map(|person| fleet.bring(person)).collect::<Result<_, _>>()?;

    let mut permits = before;
    if let Some(permit) = permits.iter_mut().find(|permit| is_edited(permit)) {
        permit.os_version = 35;
    }
    let scoped = policies::bundle(&permits);
    let text = policies::text(&permits);
    let forbid = policies::forbid("unverified-start", r#"context.posture.secure_boot.status == "pass""#);
    let global = policies::source(text + &forbid);
    let mut rows = Vec::new();
    for (name, source) in [("scoped_permit", scoped), ("global_forbid", global)] {
        let entry = fleet.entry(Event::PolicyLoaded(source.clone()));
        let before = processor_time();
        let (took, outcome) = time(|| fleet.controller.handle(&entry));
        let busy = before.and_then(|before| processor_time()?.checked_sub(before)).unwrap_or_default();
        let note =
            format!("{:.3} s of a processor, {}", busy.as_secs_f64(), describe(&accepted(outcome)?, &ids));
        check(&fleet, &ids, source)?;
        let row = Row::value(format!("policy_edit_{name}_s"), took.as_secs_f64(), "s");
        rows.push(row.bounded(Bound::LessThan(1.0)).noted(note));
    }
    Ok(rows)
}

/// The permit that is edited: one that some of the people need.
const fn is_edited(permit: &Permit) -> bool {
    permit.group % 20 == 7
}

fn describe(outcome: &Outcome, ids: &[SessionId]) -> String {
    let (issued, ended, decisions) = (outcome.issued.len(), outcome.ended.len(), outcome.decisions);
    format!("{} sessions, {decisions} decisions, {issued} grants issued, {ended} ended", ids.len())
}

type Held = BTreeMap<ResourceId, Vec<PolicyIndex>>;

/// Compares what some sessions hold with what each of them gets alone, with these policies from the start.
fn check(fleet: &Fleet<PolicyEngine>, ids: &[SessionId], source: PolicySource) -> Result<(), Error> {
    let mut alone = Fleet::new(PolicyEngine::new(), site::site(RESOURCES), source)?;
    alone.kinds = fleet.kinds;
    let mut grants = 0;
    for (person, id) in ids.iter().enumerate().step_by(CHECKED) {
        let single = alone.bring(person)?;
        let expected = held(&alone, single);
        if held(fleet, *id) != expected {
            return Err(Error::Disagree(format!("person {person} holds other grants than they would alone")));
        }
        grants += expected.len();
        alone.tell(Event::SessionEnded { session: single })?;
    }
    if grants == 0 {
        return Err(Error::Disagree("nobody holds a grant".to_owned()));
    }
    Ok(())
}

fn held<D: Decide>(fleet: &Fleet<D>, session: SessionId) -> Held {
    fleet.controller.grants(session).map(|grant| (grant.resource.clone(), grant.because.to_vec())).collect()
}
