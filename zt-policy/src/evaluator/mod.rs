//! Policies compiled: an index of their scopes, and their conditions as trees of numbers.
//!
//! ```text
//! PolicySet ─┬─ scopes ───── Index ──► policies in play ─┐
//!            └─ conditions ─ Program ────────────────────┴─► run ──► true, false, failed
//! Entities ──── Graph ──┐                                     ▲
//! Request ────── Facts ─┴─────────────────────────────────────┘
//! ```
//!
//! Texts and uids are numbers from [`Symbols`]: those in policies first, then those of the graph, then those of the
//! request. So a graph is for the programs that were lowered with its symbols, and facts are for their graph.
//!
//! For deciding without Cedar's request types:
//!
//! ```text
//! let mut symbols = Symbols::default();
//! let program = Program::lower(pst_template, &mut symbols)?;     // per policy; the scope is not part of it
//! let graph = Graph::new(symbols, &entities)?;                   // when all policies are lowered
//!
//! let mut facts = Facts::new(&graph);                            // per session
//! let values = facts.values();                                   // a `Builder`
//! let alice = values.symbols.uid("Zt::User", "issuer|alice");    // also: uids of the graph's own entities
//! let attributes = values.record([("level", Value::Long(3))]);   // also: text, set, entity, Value::Datetime(ms), ..
//! let context = values.record([("now", Value::Datetime(1_700_000_000_000))]);
//! facts.bind_principal(alice, attributes, ancestors);            // ancestors: all of them, as uids
//! facts.action = connect;
//! facts.bind_context(context);
//!
//! let mut scratch = Scratch::default();                          // per thread
//! program.run(&facts, resource, &mut scratch);                   // -> Outcome, per policy and resource
//! ```

mod answer;
mod compiled;
mod evaluate;
mod facts;
mod fast_hash;
mod graph;
mod index;
mod lower;
mod program;
mod read;
mod run;
mod scope;
pub(crate) mod stack;
mod store;
mod subset;
mod symbols;
mod value;

pub use answer::Answer;
pub use compiled::{CompileError, MAX_LOWERED_STEPS};
pub use evaluate::Engine;
pub use graph::StoreError;
pub use lower::{MAX_LEVELS, Unlowered};
pub use read::{read_entities, read_policies, read_schema, read_uid};
pub use store::{PrepareError, Prepared, Store};
pub use value::{ConvertError, MAX_VALUE_DEPTH};

pub(crate) use self::{
    facts::Facts,
    graph::Graph,
    program::{Node, Outcome, Program, Variable},
    run::Scratch,
    symbols::{Symbols, Uid},
    value::{Builder, Value},
};

use std::sync::Arc;

use cedar_policy::{Entities, PolicyId, PolicySet};
use zt_core::decide::PolicyIndex;

use compiled::{Compiled, Conditions};

/// A policy set compiled for deciding many requests, with the results of Cedar's authorizer.
///
/// It finds the policies whose scopes hold by an index, and evaluates their conditions without Cedar, parsed and named
/// beforehand. Decision, reason and errors are those of [`Authorizer`](cedar_policy::Authorizer) with room on the
/// stack, and so is that a policy which fails is skipped; [`Answer::fail_closed`] is the decision that does not.
///
/// ```
/// use cedar_policy::{Context, Decision, Entities, PolicySet, Request};
/// use zt_policy::{Answer, Evaluator};
///
/// let policies: PolicySet = r#"
///     permit (principal, action, resource in Album::"holidays") when { context.size < 1000 };
///     forbid (principal, action, resource) when { context.source.isLoopback() };
/// "#.parse()?;
/// let evaluator = Evaluator::new(policies)?;
/// assert_eq!(evaluator.unlowered().count(), 0);
///
/// let store = evaluator.store(Entities::empty())?;
/// let context = Context::from_json_str(r#"{ "size": 10 }"#, None)?;
/// let [alice, view] = [r#"User::"alice""#.parse()?, r#"Action::"view""#.parse()?];
/// let request = Request::new(alice, view, r#"Album::"holidays""#.parse()?, context, None)?;
///
/// let mut answer = Answer::new();
/// store.prepare(request)?.evaluate(&mut answer);
/// assert_eq!(answer.decision(), Decision::Allow);
/// // There is no `source`, so what the forbid would say is not known.
/// assert_eq!(answer.fail_closed(), Decision::Deny);
/// assert_eq!(answer.errors().len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Evaluator(Arc<Compiled>);

impl Evaluator {
    /// Compiles policies and links of templates.
    ///
    /// Takes some 100 microseconds for a policy, because Cedar makes its public syntax tree from the text; a link takes
    /// one. What cannot be lowered is in [`Evaluator::unlowered`].
    ///
    /// # Errors
    /// If there are more policies than fit.
    pub fn new(policies: PolicySet) -> Result<Self, CompileError> {
        stack::deep(|| Compiled::new(policies)).map(|compiled| Self(Arc::new(compiled)))
    }

    /// Compiles entities, which takes some microseconds for each.
    ///
    /// # Errors
    /// If a value is too deep, or not there, or there are more entities than fit.
    pub fn store(&self, entities: Entities) -> Result<Store, StoreError> {
        stack::deep(|| Store::new(&self.0, entities))
    }

    /// The id of a policy in an [`Answer`] of this evaluator.
    #[must_use]
    pub fn id(&self, policy: PolicyIndex) -> Option<&PolicyId> {
        self.0.policy(policy.0).map(|policy| &policy.id)
    }

    /// The policies that are left to Cedar, with the reasons.
    pub fn unlowered(&self) -> impl Iterator<Item = (&PolicyId, &Unlowered)> {
        self.0.policies.iter().filter_map(|policy| match &policy.conditions {
            Conditions::Lowered(_) => None,
            Conditions::Cedar(_, reason) => Some((&policy.id, reason)),
        })
    }
}

#[cfg(test)]
mod tests;
