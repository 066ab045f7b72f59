//! A policy set, compiled.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use cedar_policy::{Effect, Policy, PolicyId, PolicySet, Template, pst};

use crate::caps::steps;
use crate::evaluator::index::Index;
use crate::evaluator::lower::Unlowered;
use crate::evaluator::program::{ContextReads, Program};
use crate::evaluator::scope::Scope;
use crate::evaluator::subset::subset;
use crate::evaluator::symbols::Symbols;

/// The most operators, attributes and brackets of a policy that is lowered: what Cedar's own conversions were seen to
/// have room for, eight times over.
pub const MAX_LOWERED_STEPS: usize = 2_000;

/// Why a policy set cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// A policy can be neither lowered nor put into a set of its own.
    #[error("policy `{id}`: {problem}")]
    Policy {
        /// The id of the policy.
        id: PolicyId,
        /// What Cedar says.
        problem: String,
    },
    /// More than 2^32 policies, texts or uids.
    #[error("more policies than fit")]
    TooLarge,
}

/// Policies by their indexes: their places in the policy set.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) set: PolicySet,
    pub(crate) policies: Vec<CompiledPolicy>,
    pub(crate) index: Index,
    /// What the policies name.
    pub(crate) symbols: Symbols,
    /// What the policies can see of the context.
    pub(crate) reads: ContextReads,
}

/// One policy.
#[derive(Debug)]
pub(crate) struct CompiledPolicy {
    pub(crate) id: PolicyId,
    pub(crate) effect: Effect,
    pub(crate) conditions: Conditions,
}

/// The conditions of a policy; links of a template share theirs.
#[derive(Debug)]
pub(crate) enum Conditions {
    Lowered(Arc<Program>),
    /// A set of this policy alone, for Cedar.
    Cedar(Box<PolicySet>, Unlowered),
}

impl Compiled {
    pub(crate) fn policy(&self, index: u32) -> Option<&CompiledPolicy> {
        self.policies.get(usize::try_from(index).ok()?)
    }

    /// To be called on a deep stack.
    pub(crate) fn new(set: PolicySet) -> Result<Self, CompileError> {
        let mut symbols = Symbols::default();
        let mut templates = HashMap::new();
        let mut policies = Vec::with_capacity(set.num_of_policies());
        let mut scopes = Vec::with_capacity(set.num_of_policies());
        for policy in set.policies() {
            let lowered = match policy.template_id().and_then(|id| set.template(id)) {
                None => lower_policy(policy, &mut symbols).map(Arc::new),
                Some(template) => templates
                    .entry(template.id())
                    .or_insert_with(|| lower_template(template, &mut symbols).map(Arc::new))
                    .clone(),
            };
            let conditions = match lowered {
                Ok(program) => Conditions::Lowered(program),
                Err(reason) => Conditions::Cedar(Box::new(subset(&set, [policy])?), reason),
            };
            scopes.push(Scope::of(policy, &mut symbols));
            policies.push(CompiledPolicy { id: policy.id().clone(), effect: policy.effect(), conditions });
        }
        if symbols.is_full() || u32::try_from(policies.len()).is_err() {
            return Err(CompileError::TooLarge);
        }
        let reads = reads(&policies);
        Ok(Self { policies, index: Index::new(scopes), symbols, reads, set })
    }
}

fn lower_policy(policy: &Policy, symbols: &mut Symbols) -> Result<Program, Unlowered> {
    check_length(policy.to_cedar())?;
    match policy.to_pst() {
        Ok(policy) => Program::lower(policy.body(), symbols),
        Err(error) => Err(Unlowered::NoSyntaxTree(error.to_string())),
    }
}

fn lower_template(template: &Template, symbols: &mut Symbols) -> Result<Program, Unlowered> {
    check_length(Some(template.to_cedar()))?;
    let template: Result<pst::Template, _> = template.to_pst();
    template
        .map_err(|error| Unlowered::NoSyntaxTree(error.to_string()))
        .and_then(|template| Program::lower(&template, symbols))
}

/// Cedar makes the syntax tree without any limit, and the end of the stack is the end of the process.
fn check_length(text: Option<String>) -> Result<(), Unlowered> {
    let fits = text.as_deref().and_then(steps).is_some_and(|steps| steps <= MAX_LOWERED_STEPS);
    if fits { Ok(()) } else { Err(Unlowered::TooLong(MAX_LOWERED_STEPS)) }
}

fn reads(policies: &[CompiledPolicy]) -> ContextReads {
    let mut names = BTreeSet::new();
    for policy in policies {
        match &policy.conditions {
            // Cedar is given the request itself.
            Conditions::Cedar(..) => {}
            Conditions::Lowered(program) => match &program.reads {
                ContextReads::All => return ContextReads::All,
                ContextReads::Names(read) => names.extend(read.iter().copied()),
            },
        }
    }
    ContextReads::Names(names.into_iter().collect())
}
