//! What one decision costs, at 10 to 10,000 policies of which the same seven match, beside other engines.
//!
//! Everything is prepared on every side: for stock Cedar request, entities and policies, for regorus input and program,
//! for the evaluator the request compiled for its store.

use std::hint::black_box;

use cedar_policy::{Authorizer, Decision};
use regorus::rvm::RegoVM;
use zt_core::site::Site;
use zt_policy::{Answer, Evaluator, Store};

use crate::clock::in_turn;
use crate::report::{Bound, Row};
use crate::valgrind::{Measured, measured_call};
use crate::world::{policies, rego, site, stock};
use crate::{Error, valgrind};

/// The resource that is asked about: of segment 0, and of no sensitivity.
const ASKED: usize = 0;

/// How many policies match.
const MATCHING: usize = 5;

const ROUNDS: u32 = 15;

/// The request as each side takes it, at one number of policies.
pub struct Sides {
    store: Store,
    request: cedar_policy::Request,
    entities: cedar_policy::Entities,
    set: cedar_policy::PolicySet,
    authorizer: Authorizer,
}

impl Sides {
    /// Prepares the request at so many policies.
    ///
    /// # Errors
    /// If Cedar or the evaluator refuses the world.
    pub fn new(policies: usize) -> Result<Self, Error> {
        let site = Site::parse(&site::site(100)).map_err(|error| Error::world("site", error))?;
        let schema = stock::schema(&site)?;
        let set = stock::policy_set(&policies::text(&policies::permits(policies)))?;
        let entities = stock::entities(ASKED, &schema)?;
        let evaluator = Evaluator::new(set.clone()).map_err(|error| Error::world("evaluator", error))?;
        if let Some((policy, reason)) = evaluator.unlowered().next() {
            return Err(Error::world("evaluator", format!("{policy} is not lowered: {reason}")));
        }
        let store = evaluator.store(entities.clone()).map_err(|error| Error::world("evaluator", error))?;
        let request = stock::request(ASKED, &schema)?;
        Ok(Self { store, request, entities, set, authorizer: Authorizer::new() })
    }

    /// The request, compiled.
    ///
    /// # Errors
    /// If the evaluator refuses it.
    pub fn prepared(&self) -> Result<zt_policy::Prepared<'_>, Error> {
        self.store.prepare(self.request.clone()).map_err(|error| Error::world("evaluator", error))
    }

    /// Has stock Cedar decide.
    #[must_use]
    pub fn stock(&self) -> cedar_policy::Response {
        self.authorizer.is_authorized(&self.request, &self.set, &self.entities)
    }

    /// Checks that both allow, for the same number of reasons.
    fn check(&self) -> Result<(), Error> {
        let mut answer = Answer::new();
        self.prepared()?.evaluate(&mut answer);
        let response = self.stock();
        let theirs = response.diagnostics().reason().count();
        let agree = answer.fail_closed() == Decision::Allow && response.decision() == Decision::Allow;
        if !agree || answer.reason().len() != MATCHING || theirs != MATCHING {
            let ours = answer.reason().len();
            return Err(Error::Disagree(format!("{ours} permits hold, {theirs} for stock Cedar")));
        }
        Ok(())
    }
}

impl std::fmt::Debug for Sides {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sides").finish_non_exhaustive()
    }
}

/// The machine of regorus and its input, at so many policies; both sides allow.
///
/// # Errors
/// If regorus refuses the world, or decides otherwise.
pub fn regorus(policies: usize) -> Result<(RegoVM, regorus::Value), Error> {
    let mut machine = rego::machine(&policies::permits(policies))?;
    let input = rego::input(ASKED)?;
    if rego::allows(&mut machine, &input)? {
        Ok((machine, input))
    } else {
        Err(Error::Disagree("regorus denies".to_owned()))
    }
}

/// Counts the instructions of one decision at so many policies, in a child under callgrind.
///
/// # Errors
/// If the world is refused.
pub fn run(policies: usize) -> Result<(), Error> {
    let sides = Sides::new(policies)?;
    sides.check()?;
    let prepared = sides.prepared()?;
    let mut answer = grown(&prepared);
    valgrind::instrument()?;
    measured_call(&mut || prepared.evaluate(&mut answer));
    Ok(())
}

/// Memory for answers that has the size which this request needs.
fn grown(prepared: &zt_policy::Prepared<'_>) -> Answer {
    let mut answer = Answer::new();
    (0..3).for_each(|_| prepared.evaluate(&mut answer));
    answer
}

/// The row of instructions, from children with many policies and with few.
///
/// # Errors
/// If a child counted nothing.
pub fn instructions(many: &Measured, few: &Measured) -> Result<Row, Error> {
    let count = |measured: &Measured| {
        let count = measured.instructions.first().copied().and_then(|count| u32::try_from(count).ok());
        count.map(f64::from).ok_or_else(|| Error::Valgrind("no decision was counted".to_owned()))
    };
    Ok(Row::ratio(INSTRUCTIONS, count(many)?, count(few)?, "instructions").bounded(Bound::AtMost(1.2)))
}

/// The same row where it cannot be measured.
pub fn unavailable(reason: &str) -> Row {
    Row::unavailable(INSTRUCTIONS, reason).bounded(Bound::AtMost(1.2))
}

const INSTRUCTIONS: &str = "decision_instructions_10000_vs_10_policies";

/// The rows of allocations and times.
///
/// # Errors
/// If an engine refuses the world, or decides otherwise than the others.
pub fn rows() -> Result<Vec<Row>, Error> {
    let sides = Sides::new(1_000)?;
    sides.check()?;
    let prepared = sides.prepared()?;
    let mut answer = grown(&prepared);
    let allocations = allocation_counter::measure(|| prepared.evaluate(&mut answer)).count_total;
    let allocations = f64::from(u32::try_from(allocations).unwrap_or(u32::MAX));
    let mut rows = vec![Row::value("decision_allocations", allocations, "").bounded(Bound::AtMost(0.0))];
    let evaluate = || prepared.evaluate(black_box(&mut answer));
    let (ours, theirs) = in_turn(ROUNDS, evaluate, || {
        black_box(sides.stock());
    });
    let row = Row::speedup_of("decision_speedup_vs_stock_cedar_1000_policies", ours, theirs);
    rows.push(row.bounded(Bound::AtLeast(100.0)));
    for policies in [10, 100, 1_000] {
        rows.push(beside_regorus(policies)?);
    }
    Ok(rows)
}

fn beside_regorus(policies: usize) -> Result<Row, Error> {
    let sides = Sides::new(policies)?;
    sides.check()?;
    let prepared = sides.prepared()?;
    let mut answer = Answer::new();
    let (mut machine, input) = regorus(policies)?;
    let mut failed = false;
    let evaluate = || prepared.evaluate(black_box(&mut answer));
    let (ours, theirs) = in_turn(ROUNDS, evaluate, || {
        failed |= !rego::allows(&mut machine, &input).unwrap_or(false);
    });
    if failed {
        return Err(Error::Disagree("regorus denies".to_owned()));
    }
    let row = Row::speedup_of(format!("decision_speedup_vs_regorus_{policies}_policies"), ours, theirs);
    Ok(row.bounded(Bound::MoreThan(1.0)))
}
