//! One request, decided by Cedar's authorizer and by all engines.

use std::collections::BTreeSet;

use cedar_policy::{AuthorizationError, Authorizer, Decision, Entities, PolicyId, PolicySet, Request};
use zt_core::decide::PolicyIndex;
use zt_policy::{Answer, Engine, Evaluator, Prepared};

/// A decision in a form that can be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) decision: Decision,
    pub(crate) reason: BTreeSet<PolicyId>,
    pub(crate) errors: BTreeSet<PolicyId>,
}

pub(crate) fn expected(policies: &PolicySet, entities: &Entities, request: &Request) -> Seen {
    let response = Authorizer::new().is_authorized(request, policies, entities);
    let errors = response.diagnostics().errors().map(|error| match error {
        AuthorizationError::PolicyEvaluationError(error) => error.policy_id().clone(),
    });
    Seen {
        decision: response.decision(),
        reason: response.diagnostics().reason().cloned().collect(),
        errors: errors.collect(),
    }
}

pub(crate) fn seen(evaluator: &Evaluator, answer: &Answer) -> Seen {
    let ids = |policies: &[PolicyIndex]| {
        let ids: BTreeSet<_> = policies.iter().map(|policy| evaluator.id(*policy).unwrap().clone()).collect();
        assert_eq!(ids.len(), policies.len(), "each policy once");
        assert!(policies.is_sorted(), "in ascending order");
        ids
    };
    Seen { decision: answer.decision(), reason: ids(answer.reason()), errors: ids(answer.errors()) }
}

/// Checks all engines against what is expected; `answer` is that of the lowered one in the end.
pub(crate) fn check(
    evaluator: &Evaluator,
    prepared: &Prepared<'_>,
    expected: &Seen,
    answer: &mut Answer,
) -> Result<(), String> {
    for engine in [Engine::Stock, Engine::Indexed, Engine::Lowered] {
        prepared.evaluate_with(engine, answer);
        let seen = seen(evaluator, answer);
        if seen != *expected {
            return Err(format!("{engine:?}: {seen:?}\nCedar: {expected:?}"));
        }
        let closed = if expected.errors.is_empty() { expected.decision } else { Decision::Deny };
        if answer.fail_closed() != closed {
            return Err(format!("{engine:?} does not fail closed: {seen:?}"));
        }
    }
    Ok(())
}
