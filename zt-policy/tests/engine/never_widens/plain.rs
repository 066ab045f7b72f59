//! What plain Cedar says, without the rule.

use std::collections::HashSet;
use std::str::FromStr as _;

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityUid, PolicySet, Request, RestrictedExpression,
};
use zt_core::device::{FactStatus, FactValue};

use super::generate::{FACTS, Fact, Facts, value};

impl Facts {
    /// In plain Cedar, whether access is given; not if a policy fails.
    fn allowed(&self, set: &PolicySet) -> bool {
        let alice = uid("User", "https://idp.example|alice");
        let groups: HashSet<_> = self.staff.then(|| uid("Group", "staff")).into_iter().collect();
        let level = [("level".to_owned(), RestrictedExpression::new_long(self.level))].into();
        let alice_entity = Entity::new(alice.clone(), level, groups).expect("a user");
        let staff = Entity::new_no_attrs(uid("Group", "staff"), HashSet::new());
        let entities = Entities::from_entities([alice_entity, staff], None).expect("a store");
        let (action, resource) = (uid("Action", "connect"), uid("Resource", "wiki"));
        let request = Request::new(alice, action, resource, self.context(), None).expect("a request");
        let answer = Authorizer::new().is_authorized(&request, set, &entities);
        answer.decision() == Decision::Allow && answer.diagnostics().errors().count() == 0
    }

    fn context(&self) -> Context {
        let fact = |(index, fact): (usize, &Option<Fact>)| {
            let known = fact.filter(|fact| matches!(fact.status, FactStatus::Pass | FactStatus::Fail));
            let status = fact.map_or(FactStatus::Unknown, |fact| fact.status).as_str();
            let shown = value(index, known.map_or(0, |fact| fact.value));
            let shown = match shown {
                FactValue::Bool(value) => value.to_string(),
                FactValue::Long(value) => value.to_string(),
                FactValue::String(value) => format!("{value:?}"),
            };
            let source = if fact.is_some() { "test" } else { "never reported" };
            let tier = known.map_or(0, |fact| fact.tier.number());
            let age = known.map_or("36500d".to_owned(), |fact| format!("{}m", fact.minutes));
            format!(
                "{}: {{status: \"{status}\", value: {shown}, source: \"{source}\", tier: {tier}, age: duration(\"{age}\")}}",
                FACTS[index]
            )
        };
        let posture = self.posture.iter().enumerate().map(fact).collect::<Vec<_>>().join(", ");
        let windows = if self.office { "[\"office\"]" } else { "[]" };
        let pairs = [("posture", format!("{{{posture}}}")), ("windows", windows.to_owned())];
        Context::from_pairs(
            pairs.map(|(name, text)| {
                (name.to_owned(), RestrictedExpression::from_str(&text).expect("a value"))
            }),
        )
        .expect("a context")
    }

    /// Whether access is given only after a fact became unknown or unsupported.
    pub(super) fn widens(&self, set: &PolicySet) -> bool {
        let known = |fact: &Fact| fact.status != FactStatus::Unknown;
        !self.allowed(set)
            && (0..FACTS.len()).any(|index| {
                let mut after = self.clone();
                let unsupported = self.posture[index].filter(known);
                let unsupported = unsupported.map(|fact| Fact { status: FactStatus::Unsupported, ..fact });
                [None, unsupported].into_iter().any(|becomes| {
                    after.posture[index] = becomes;
                    after.allowed(set)
                })
            })
    }
}

fn uid(of: &str, id: &str) -> EntityUid {
    EntityUid::from_str(&format!("Zt::{of}::\"{id}\"")).expect("an entity")
}
