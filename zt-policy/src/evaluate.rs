//! One session's facts against classes of resources, with every doubt a denial.
//!
//! Cedar skips a policy that fails, so a forbid that fails would let through what it is there to stop. Here any
//! failure of any policy denies; and what cannot fail in Cedar but should (an entity that is not there, a value of
//! another type, a time in the future) is checked before Cedar is asked.

use std::panic::{AssertUnwindSafe, catch_unwind};

use cedar_policy::{
    AuthorizationError, Authorizer, Context, Decision as Answer, Entities, EntityUid, PolicyId, Request,
    Response,
};
use zt_core::decide::{
    ClassId, Decision, DecisionSink, DenyCause, Effect, PolicyIndex, SessionFacts, Validity,
};
use zt_core::site::Resource;

use crate::context::context;
use crate::entities::{Family, is_complete, user};
use crate::loaded::Loaded;
use crate::schedule::{Turns, in_future};

/// Decides on each of `classes`. To be called on a stack with room for Cedar's recursion.
pub(crate) fn decide(
    loaded: &Loaded,
    facts: &SessionFacts<'_>,
    classes: &[ClassId],
    sink: &mut dyn DecisionSink,
) {
    if let Some(latest) = in_future(facts) {
        return deny(classes, Validity::Until(latest), sink);
    }
    let who = user(facts, &loaded.names, &loaded.schema);
    let (Some(context), Some((principal, store))) = (context(facts), who) else {
        return deny(classes, Validity::Unlimited, sink);
    };
    let session = Session {
        loaded,
        principal,
        store,
        context,
        turns: Turns::of(facts, &loaded.policies.scheduled),
        authorizer: Authorizer::new(),
    };
    for class in classes {
        match usize::try_from(class.0).ok().and_then(|index| loaded.resources.get(index)) {
            None => deny(&[*class], Validity::Unlimited, sink),
            Some((resource, family)) => session.decide(*class, (resource, family), sink),
        }
    }
}

/// Denies `classes` because of what is known, or not, about the session.
pub(crate) fn deny(classes: &[ClassId], valid: Validity, sink: &mut dyn DecisionSink) {
    for class in classes {
        let effect = Effect::Deny(DenyCause::InvalidFacts);
        sink.decided(*class, Decision { effect, because: &[], valid });
    }
}

/// What is the same for all classes.
struct Session<'a> {
    loaded: &'a Loaded,
    principal: EntityUid,
    store: Entities,
    context: Context,
    turns: Turns<'a>,
    authorizer: Authorizer,
}

impl Session<'_> {
    fn decide(&self, class: ClassId, (resource, family): (&Resource, &Family), sink: &mut dyn DecisionSink) {
        let valid = self.turns.validity(resource);
        let (effect, because) = match self.ask(family) {
            Err(cause) => (Effect::Deny(cause), Vec::new()),
            Ok(response) => self.read(&response),
        };
        sink.decided(class, Decision { effect, because: &because, valid });
    }

    fn ask(&self, family: &Family) -> Result<Response, DenyCause> {
        let store = self.store.clone().add_entities(family.entities.iter().cloned(), None);
        let store = store.map_err(|_| DenyCause::InvalidFacts)?;
        if !is_complete(&self.principal, &store) || !is_complete(&family.uid, &store) {
            return Err(DenyCause::InvalidFacts);
        }
        let request = Request::new(
            self.principal.clone(),
            self.loaded.names.connect.clone(),
            family.uid.clone(),
            self.context.clone(),
            Some(&self.loaded.schema),
        );
        let request = request.map_err(|_| DenyCause::InvalidFacts)?;
        // Nothing is changed by the call, so nothing can be left half-changed by a panic in it.
        let answer =
            AssertUnwindSafe(|| self.authorizer.is_authorized(&request, &self.loaded.policies.set, &store));
        catch_unwind(answer).map_err(|_| DenyCause::EvaluationError)
    }

    fn read(&self, response: &Response) -> (Effect, Vec<PolicyIndex>) {
        let failed = self.indexes(response.diagnostics().errors().map(|error| match error {
            AuthorizationError::PolicyEvaluationError(error) => error.policy_id(),
        }));
        let held = self.indexes(response.diagnostics().reason());
        match (response.decision(), failed.is_empty(), held.is_empty()) {
            (_, false, _) => (Effect::Deny(DenyCause::EvaluationError), failed),
            (Answer::Allow, true, false) => (Effect::Allow, held),
            (Answer::Allow, true, true) => (Effect::Deny(DenyCause::EvaluationError), held),
            (Answer::Deny, true, false) => (Effect::Deny(DenyCause::Forbidden), held),
            (Answer::Deny, true, true) => (Effect::Deny(DenyCause::NotPermitted), held),
        }
    }

    fn indexes<'p>(&self, policies: impl Iterator<Item = &'p PolicyId>) -> Vec<PolicyIndex> {
        let names = &self.loaded.policies.names;
        let index = |id: &PolicyId| {
            let id: &str = id.as_ref();
            let at = names.binary_search_by(|name| name.as_str().cmp(id)).ok()?;
            u32::try_from(at).ok().map(PolicyIndex)
        };
        let mut found: Vec<_> = policies.filter_map(index).collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

#[cfg(test)]
mod tests;
