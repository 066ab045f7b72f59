//! What an event costs that changes nothing: no evaluation, no message, no allocation.

use zt_core::device::FactValue;
use zt_core::event::Event;
use zt_core::time::Timestamp;
use zt_policy::PolicyEngine;

use crate::Error;
use crate::report::{Bound, Row};
use crate::world::fleet::{self, Fleet, Health, accepted};
use crate::world::{policies, site};

const SESSIONS: usize = 1_000;

/// What nobody in the fleet has reported before has to be kept, so it is not held to the bound on allocations.
const NEW_VALUE: &str = "unread_fact_of_new_value";

/// What an event cost.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    evaluations: u64,
    messages: usize,
    allocations: u64,
}

/// The rows.
///
/// # Errors
/// If the world is refused.
pub fn rows() -> Result<Vec<Row>, Error> {
    let permits = policies::permits(1_000);
    let mut fleet = Fleet::new(PolicyEngine::new(), site::site(1_000), policies::bundle(&permits))?;
    for person in 0..SESSIONS {
        fleet.bring(person)?;
    }
    let now = fleet.controller.now();
    let (health, later) = (Health::of(0, fleet.kinds), Timestamp::from_millis(now.as_millis() + 1));
    let kernel = |version: &str| fleet::fact("kernel", true, FactValue::String(version.to_owned()), now);
    let unread = |person: usize, version: &str| {
        Ok::<_, Error>(Event::PostureReported {
            device: fleet::device(person)?,
            facts: vec![kernel(version)?],
        })
    };
    // Of another device, so that it is not new in the fleet when it is measured.
    fleet.tell(unread(1, "6.12.58+deb13-amd64")?)?;
    let cases = [
        ("equal_report", fleet::report(0, health, now)?),
        ("unread_fact", unread(0, "6.12.58+deb13-amd64")?),
        (NEW_VALUE, unread(0, "6.12.59+deb13-amd64")?),
        ("equal_identity", fleet::identity(0, fleet::groups_of(0))?),
        // Last, because what was found before that is ignored from then on.
        ("equal_report_later", fleet::report(0, health, later)?),
    ];
    let mut worst = Cost::default();
    let mut rows = Vec::new();
    for (name, event) in cases {
        let cost = cost(&mut fleet, event, if name == "equal_report_later" { later } else { now })?;
        let note = format!("{} evaluations, {} messages", cost.evaluations, cost.messages);
        let metric = format!("noop_{name}_allocations");
        rows.push(Row::value(metric, number(cost.allocations), "").noted(note));
        worst = Cost {
            evaluations: worst.evaluations.max(cost.evaluations),
            messages: worst.messages.max(cost.messages),
            allocations: worst.allocations.max(if name == NEW_VALUE { 0 } else { cost.allocations }),
        };
    }
    let none = Bound::AtMost(0.0);
    rows.push(Row::value("noop_change_evaluations", number(worst.evaluations), "").bounded(none));
    let messages = u64::try_from(worst.messages).unwrap_or(u64::MAX);
    rows.push(Row::value("noop_change_messages", number(messages), "").bounded(none));
    rows.push(Row::value("noop_change_allocations", number(worst.allocations), "").bounded(none));
    Ok(rows)
}

fn cost(fleet: &mut Fleet<PolicyEngine>, event: Event, at: Timestamp) -> Result<Cost, Error> {
    let mut entry = fleet.entry(event);
    entry.at = at;
    let mut outcome = None;
    let info = allocation_counter::measure(|| outcome = Some(fleet.controller.handle(&entry)));
    let outcome = accepted(outcome.ok_or_else(|| Error::Disagree("nothing was handled".to_owned()))?)?;
    Ok(Cost {
        evaluations: outcome.decisions,
        messages: outcome.gateways.len() + outcome.issued.len() + outcome.ended.len(),
        allocations: info.count_total,
    })
}

fn number(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
