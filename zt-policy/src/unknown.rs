//! That no fact widens access by becoming unknown.
//!
//! Facts go stale, agents stop, devices report nonsense: the fact is then unknown, whose value is false, 0 or the empty
//! text, whose tier is 0 and whose age a hundred years. A device must never gain by that. So for each fact that a
//! policy reads, the policy is compared with itself, in two worlds that differ in this fact only:
//!
//! | before | after |
//! |---|---|
//! | `pass` or `fail`, with any value, tier and age | `unknown` or `unsupported` |
//! | `unsupported` | `unknown` |
//!
//! Where a permit holds after, it must have held before; where a forbid held before, it must hold after. Nor may an
//! error, which denies, go away.
//!
//! How a test of an unknown fact comes out, Cedar is asked. A test of a known one may come out either way, but for
//! those of the status, and so may whatever does not read the fact. So nothing that widens is missed; but a policy is
//! refused in doubt, when it would widen only if tests came out as they cannot together, as `value < 2` and `value > 3`.
//!
//! Each fact is looked at alone, for facts that become unknown together can do so one after the other. Each policy is,
//! too: if no permit begins to hold, no forbid lifts and no failure goes away, the answer does not become an allow.

mod formula;
mod reads;
mod search;
mod worlds;

use std::collections::BTreeSet;

use cedar_policy::pst::{Clause, Effect, Expr, Template};
use zt_core::device::FactStatus;
use zt_core::site::Site;

use formula::{Formula, Subject};
use reads::Reads;
use search::{Search, Verdict};
pub(crate) use worlds::Worlds;

/// What may happen to a fact that must not widen access.
const CHANGES: [(FactStatus, FactStatus); 5] = [
    (FactStatus::Pass, FactStatus::Unknown),
    (FactStatus::Fail, FactStatus::Unknown),
    (FactStatus::Pass, FactStatus::Unsupported),
    (FactStatus::Fail, FactStatus::Unsupported),
    (FactStatus::Unsupported, FactStatus::Unknown),
];

/// Checks a policy that obeys [`crate::rules`]; gives everything that is wrong with it.
pub(crate) fn check(policy: &Template, site: &Site, worlds: &mut Worlds) -> BTreeSet<String> {
    let clauses = policy.clauses();
    let mut reads = Reads::default();
    for clause in clauses {
        reads.add(expr(clause));
    }
    let facts = site.facts.iter().map(|(name, declaration)| Subject::Fact(name, declaration.kind));
    let mut problems = BTreeSet::new();
    for subject in facts.chain([Subject::Approval]).filter(|subject| subject.is_read(&reads)) {
        let mut search = Search::new(policy.effect);
        let mut builder = formula::Builder::new(subject, worlds, &mut search.vars);
        match whole(clauses, &mut builder) {
            Ok(whole) => problems.extend(problem(policy.effect, subject, &whole, search)),
            Err(found) => {
                problems.insert(found);
            }
        }
    }
    problems
}

fn expr(clause: &Clause) -> &Expr {
    match clause {
        Clause::When(expr) | Clause::Unless(expr) => expr,
    }
}

/// All clauses of a policy, which Cedar asks in their order.
fn whole<'a>(clauses: &'a [Clause], builder: &mut formula::Builder<'a, '_>) -> Result<Formula, String> {
    let mut whole = Formula::Constant(true);
    for clause in clauses {
        let formula = builder.formula(expr(clause))?;
        let formula = match clause {
            Clause::When(_) => formula,
            Clause::Unless(_) => Formula::Not(Box::new(formula)),
        };
        whole = Formula::And(Box::new((whole, formula)));
    }
    Ok(whole)
}

fn problem(effect: Effect, subject: Subject<'_>, whole: &Formula, mut search: Search) -> Option<String> {
    let Subject::Fact(name, _) = subject else { return approval_problem(effect, whole, search) };
    let fact = format!("context.posture.{name}");
    for (before, after) in CHANGES {
        let becomes = format!("when `{fact}` becomes {}", after.as_str());
        return Some(match (search.compare(whole, before, after), effect) {
            (Verdict::Holds, _) => continue,
            (Verdict::Widens { failed: true }, _) => format!(
                "arithmetic that can fail, and so deny, no longer does {becomes}; leave it out, or ask it before \
                 the fact"
            ),
            (Verdict::Widens { failed: false }, Effect::Permit) => format!(
                "{becomes}, this permit can begin to hold: the value of such a fact is false, 0 or empty, its tier \
                 0, its age a hundred years; write `{fact}.status == \"pass\" && ..` with what is asked of it"
            ),
            (Verdict::Widens { failed: false }, Effect::Forbid) => format!(
                "{becomes}, this forbid can lift: the value of such a fact is false, 0 or empty, its tier 0, its \
                 age a hundred years; write `unless {{ {fact}.status == \"pass\" && .. }}`, with what it must be \
                 like in place of the dots"
            ),
            (Verdict::TooMany, _) => {
                format!("too many conditions to tell what holds {becomes}; split the policy")
            }
        });
    }
    None
}

fn approval_problem(effect: Effect, whole: &Formula, mut search: Search) -> Option<String> {
    let asked = "`context.approved.contains(resource)`";
    match (search.compare(whole, FactStatus::Pass, FactStatus::Unknown), effect) {
        (Verdict::Holds, _) => None,
        (Verdict::Widens { failed: true }, _) => Some(format!(
            "arithmetic that can fail, and so deny, no longer does when an approval ends; ask it before {asked}"
        )),
        (Verdict::Widens { failed: false }, Effect::Permit) => Some(format!(
            "when an approval ends, this permit can begin to hold; ask for {asked}, never for its absence"
        )),
        (Verdict::Widens { failed: false }, Effect::Forbid) => {
            Some(format!("when an approval ends, this forbid can lift; write `unless {{ {asked} }}`"))
        }
        (Verdict::TooMany, _) => {
            Some("too many conditions to tell what holds when an approval ends; split the policy".to_owned())
        }
    }
}
