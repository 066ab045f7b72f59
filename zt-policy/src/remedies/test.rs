//! A single test in a condition: how it comes out, and what would turn it.

use std::collections::BTreeSet;
use std::sync::Arc;

use cedar_policy::pst::{
    ActionConstraint, Clause, Effect, Expr, PrincipalConstraint, ResourceConstraint, Template,
};
use zt_core::decide::Need;
use zt_core::site::Site;

use super::needs::{Needs, Ways};
use super::situation::{Part, Situation};
use super::turn::{Turns, turns};
use crate::constants::Constants;
use crate::evaluator::{Outcome, Program, Symbols};
use crate::reads::{Reads, Slot};
use crate::time::Threshold;

/// A test, compiled.
#[derive(Debug)]
pub(super) struct Test {
    program: Program,
    turns: Turns,
    /// What it reads of facts.
    facts: BTreeSet<Part>,
}

impl Test {
    /// The ways to have it come out as wanted.
    pub(super) fn ways(&self, wanted: bool, situation: &mut Situation<'_>) -> Ways {
        let needs = if wanted { &self.turns.to_hold } else { &self.turns.to_fail };
        let met = |need: &Need, situation: &Situation<'_>| situation.needs.imply(need);
        if self.facts.iter().any(|part| situation.is_open(part)) {
            if needs.iter().any(|need| met(need, situation)) {
                return Ways::free();
            }
        } else {
            match (situation.run(&self.program), wanted) {
                (Outcome::True, true) | (Outcome::False, false) => return Ways::free(),
                (Outcome::Error, _) => return Ways::none(),
                (Outcome::True, false) | (Outcome::False, true) => {}
            }
        }
        needs.iter().filter(|need| !met(need, situation)).cloned().map(Needs::from).collect()
    }
}

/// Makes tests of expressions.
pub(super) struct Reader<'a> {
    pub(super) site: &'a Site,
    pub(super) constants: Constants,
    /// The names of the policies in force, so that what is lowered here can be run with them.
    pub(super) symbols: Symbols,
    /// Whether requests for the resource can be approved.
    pub(super) approvable: bool,
}

impl Reader<'_> {
    /// Reads a test; `None` if this version cannot.
    pub(super) fn test(&mut self, expr: &Arc<Expr>) -> Option<Test> {
        let (anyone, anything) = (PrincipalConstraint::Any, ResourceConstraint::Any);
        let policy = Template::new("test", Effect::Permit, anyone, ActionConstraint::Any, anything);
        let policy = policy.try_with_clauses([Clause::When(Arc::clone(expr))]).ok()?;
        let program = Program::lower(&policy, &mut self.symbols).ok()?;
        let reads = Reads::of(&policy, self.site, &mut self.constants);
        let facts = reads.slots.into_iter().filter_map(part);
        Some(Test { program, facts: facts.collect(), turns: turns(expr, self) })
    }
}

fn part(read: Slot) -> Option<Part> {
    match read {
        Slot::Fact(name, field) => Some((name, Some(field))),
        Slot::Turned(Threshold::Age(name, _)) => Some((name, None)),
        Slot::Turned(Threshold::After(..) | Threshold::At(_))
        | Slot::Member(_)
        | Slot::Is(_)
        | Slot::Principal
        | Slot::HasAttribute(_)
        | Slot::Attribute(_)
        | Slot::Instant(_)
        | Slot::MfaPresent
        | Slot::Acr
        | Slot::Device
        | Slot::Window(_)
        | Slot::Approved(_) => None,
    }
}
