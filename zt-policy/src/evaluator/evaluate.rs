//! Decisions on prepared requests.

use std::collections::BTreeSet;

use cedar_policy::{AuthorizationError, Authorizer, Decision, Effect, PolicyId, PolicySet, Response};
use zt_core::decide::PolicyIndex;

use crate::evaluator::answer::Answer;
use crate::evaluator::compiled::Conditions;
use crate::evaluator::index::Subject;
use crate::evaluator::program::Outcome;
use crate::evaluator::stack;
use crate::evaluator::store::Prepared;
use crate::evaluator::subset::subset;
use crate::evaluator::symbols::{TextId, Uid};

/// Who decides. All three give the same answers; they are there to be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Engine {
    /// Cedar's authorizer, over all policies.
    Stock,
    /// Cedar's authorizer, over the policies whose scopes hold.
    Indexed,
    /// Lowered conditions of the policies whose scopes hold; Cedar for those that are not lowered.
    #[default]
    Lowered,
}

impl Prepared<'_> {
    /// Decides. Allocates nothing once `answer` has grown, if the policies in play are lowered.
    ///
    /// Takes time by the policies whose scopes hold, and by the ancestors that scopes name; not by other policies.
    pub fn evaluate(&self, answer: &mut Answer) {
        self.evaluate_with(Engine::Lowered, answer);
    }

    /// Decides in the way that `engine` says.
    pub fn evaluate_with(&self, engine: Engine, answer: &mut Answer) {
        answer.reason.clear();
        answer.errors.clear();
        answer.permits.clear();
        self.search(answer);
        answer.lowered = answer.search.found.iter().all(|index| self.is_lowered(*index));
        match engine {
            Engine::Lowered => self.run(answer),
            Engine::Indexed => self.ask(answer),
            Engine::Stock => {
                let response = self.cedar(&self.store.compiled.set);
                self.read(&response, 0.., answer);
            }
        }
    }

    fn search(&self, answer: &mut Answer) {
        let subjects = [self.facts.principal, self.facts.action, self.facts.resource].map(|uid| Subject {
            uid,
            type_name: self.type_name(uid),
            ancestors: self.facts.ancestors(uid),
        });
        self.store.compiled.index.search(subjects, &mut answer.search);
    }

    fn is_lowered(&self, index: u32) -> bool {
        let policy = self.store.compiled.policy(index);
        policy.is_some_and(|policy| matches!(policy.conditions, Conditions::Lowered(_)))
    }

    fn type_name(&self, uid: Uid) -> TextId {
        self.facts.symbols().parts(uid).map_or(TextId(u32::MAX), |(type_name, _)| type_name)
    }

    fn run(&self, answer: &mut Answer) {
        let Answer { search, scratch, reason, errors, permits, decision, .. } = answer;
        for index in &search.found {
            let Some(policy) = self.store.compiled.policy(*index) else { continue };
            let outcome = match &policy.conditions {
                Conditions::Lowered(program) => program.run(&self.facts, self.facts.resource, scratch),
                Conditions::Cedar(alone, _) => outcome(&stack::deep(|| self.authorize(alone))),
            };
            let index = PolicyIndex(*index);
            match (outcome, policy.effect) {
                (Outcome::False, _) => {}
                (Outcome::Error, _) => errors.push(index),
                (Outcome::True, Effect::Permit) => permits.push(index),
                (Outcome::True, Effect::Forbid) => reason.push(index),
            }
        }
        let allowed = reason.is_empty() && !permits.is_empty();
        if allowed {
            std::mem::swap(reason, permits);
        }
        *decision = if allowed { Decision::Allow } else { Decision::Deny };
    }

    fn ask(&self, answer: &mut Answer) {
        let compiled = &self.store.compiled;
        let found = std::mem::take(&mut answer.search.found);
        let policies = found.iter().filter_map(|index| compiled.set.policy(&compiled.policy(*index)?.id));
        match subset(&compiled.set, policies) {
            Ok(set) => self.read(&self.cedar(&set), found.iter().copied(), answer),
            // Each of them was in a set already; if that could fail, all of them would have.
            Err(_) => {
                answer.decision = Decision::Deny;
                answer.errors.extend(found.iter().copied().map(PolicyIndex));
            }
        }
        answer.search.found = found;
    }

    fn cedar(&self, policies: &PolicySet) -> Response {
        stack::with_room(|| self.authorize(policies))
    }

    fn authorize(&self, policies: &PolicySet) -> Response {
        Authorizer::new().is_authorized(&self.request, policies, &self.store.entities)
    }

    /// Takes over what Cedar says of some policies.
    fn read(&self, response: &Response, policies: impl Iterator<Item = u32>, answer: &mut Answer) {
        answer.decision = response.decision();
        let reason: BTreeSet<_> = response.diagnostics().reason().collect();
        let errors: BTreeSet<_> = response.diagnostics().errors().map(failed).collect();
        for index in policies {
            let Some(policy) = self.store.compiled.policy(index) else { break };
            if reason.contains(&policy.id) {
                answer.reason.push(PolicyIndex(index));
            }
            if errors.contains(&policy.id) {
                answer.errors.push(PolicyIndex(index));
            }
        }
    }
}

fn failed(error: &AuthorizationError) -> &PolicyId {
    match error {
        AuthorizationError::PolicyEvaluationError(error) => error.policy_id(),
    }
}

/// What Cedar's answer says of the one policy of a set.
fn outcome(response: &Response) -> Outcome {
    let diagnostics = response.diagnostics();
    if diagnostics.errors().next().is_some() {
        Outcome::Error
    } else if diagnostics.reason().next().is_some() {
        Outcome::True
    } else {
        Outcome::False
    }
}
