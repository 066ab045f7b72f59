//! What it costs to decide one session again on every resource, beside stock Cedar.

use cedar_policy::Authorizer;
use zt_core::device::FactValue;
use zt_core::event::Event;
use zt_policy::PolicyEngine;

use crate::Error;
use crate::clock::{Times, time};
use crate::report::Row;
use crate::world::fleet::{self, Fleet, accepted};
use crate::world::{GROUPS_OF_PERSON, policies, site, stock};

const RESOURCES: usize = 10_000;
const POLICIES: usize = 10_000;
const ROUNDS: i64 = 15;

/// Every how manieth resource stock Cedar is asked about: no divisor of the segments, so that each has its turn.
const ASKED: usize = 101;

/// The row: a report of a version of the operating system, which every permit reads, that nobody had before.
///
/// # Errors
/// If the world is refused, or the two engines differ.
pub fn row() -> Result<Row, Error> {
    let permits = policies::permits(POLICIES);
    let mut fleet = Fleet::new(PolicyEngine::new(), site::site(RESOURCES), policies::bundle(&permits))?;
    let session = fleet.bring_in(0, 0..GROUPS_OF_PERSON)?;
    let mut ours = Vec::new();
    for round in 0..ROUNDS {
        let version = fleet::fact("os_version", true, FactValue::Long(100 + round), fleet.controller.now())?;
        let event = Event::PostureReported { device: fleet::device(0)?, facts: vec![version] };
        let entry = fleet.entry(event);
        let (took, outcome) = time(|| fleet.controller.handle(&entry));
        if accepted(outcome)?.decisions == 0 {
            return Err(Error::Disagree("nothing was decided again".to_owned()));
        }
        ours.push(took);
    }
    let held: Vec<_> = fleet.controller.grants(session).map(|grant| grant.resource.clone()).collect();
    let (theirs, allowed) = stock_cedar(&fleet, &policies::text(&permits))?;
    for (name, is_allowed) in allowed {
        if held.iter().any(|resource| resource.as_str() == name) != is_allowed {
            return Err(Error::Disagree(format!("stock Cedar decides otherwise on {name}")));
        }
    }
    let millis = |time: std::time::Duration| time.as_secs_f64() * 1e3;
    let ours = Times::of(ours);
    let note = format!("median {:.3} ms; stock Cedar on 1 % of the resources, scaled", millis(ours.median));
    let metric = "session_reevaluation_10k_resources_10k_policies_ms";
    Ok(Row::speedup(metric, millis(ours.min), theirs.as_secs_f64() * 1e3, "ms").noted(note))
}

/// How long stock Cedar takes for all resources, from some of them, and what it decides on these.
fn stock_cedar(
    fleet: &Fleet<PolicyEngine>,
    text: &str,
) -> Result<(std::time::Duration, Vec<(String, bool)>), Error> {
    let site = fleet.controller.site().ok_or_else(|| Error::world("controller", "no site"))?;
    let (schema, set) = (stock::schema(site)?, stock::policy_set(text)?);
    let authorizer = Authorizer::new();
    let mut total = std::time::Duration::ZERO;
    let mut allowed = Vec::new();
    for index in (0..RESOURCES).step_by(ASKED) {
        let (request, entities) = (stock::request(index, &schema)?, stock::entities(index, &schema)?);
        let (took, response) = time(|| authorizer.is_authorized(&request, &set, &entities));
        total += took;
        allowed.push((crate::world::resource(index), response.decision() == cedar_policy::Decision::Allow));
    }
    let asked = u32::try_from(allowed.len()).unwrap_or(u32::MAX);
    let all = u32::try_from(RESOURCES).unwrap_or(u32::MAX);
    Ok((total.checked_div(asked).unwrap_or_default().saturating_mul(all), allowed))
}
