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

mod facts;
mod fast_hash;
mod graph;
mod lower;
mod program;
mod run;
mod symbols;
mod value;

pub use graph::StoreError;
pub use lower::{MAX_LEVELS, Unlowered};
pub use value::{ConvertError, MAX_VALUE_DEPTH};

pub(crate) use facts::Facts;
pub(crate) use graph::Graph;
pub(crate) use program::{Outcome, Program};
pub(crate) use run::Scratch;
pub(crate) use symbols::{Symbols, Uid};
pub(crate) use value::{Builder, Value};

#[cfg(test)]
mod tests;
