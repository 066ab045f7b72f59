//! How tests of a fact come out where it is not known.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::str::FromStr as _;

use cedar_policy::{
    Context, Entities, EntityUid, EvalResult, Expression, Request, RestrictedExpression, eval_expression,
};
use zt_core::decide::FactView;
use zt_core::device::{FactKind, FactStatus, FactValue, Tier};
use zt_core::id::FactName;

/// Asks Cedar, and remembers what it said.
#[derive(Debug, Default)]
pub(crate) struct Worlds {
    requests: BTreeMap<(FactName, FactStatus), Option<Request>>,
    known: BTreeMap<(String, FactStatus), Option<bool>>,
}

impl Worlds {
    /// How a test comes out, by its text, of a fact that has this status and is otherwise an unknown one; `None` if it
    /// fails.
    pub(super) fn ask(
        &mut self,
        test: &str,
        (fact, kind): (&FactName, FactKind),
        status: FactStatus,
    ) -> Option<bool> {
        if let Some(known) = self.known.get(&(test.to_owned(), status)) {
            return *known;
        }
        let request = self.requests.entry((fact.clone(), status));
        let request = request.or_insert_with(|| request_of(fact, kind, status));
        let outcome = request.as_ref().and_then(|request| evaluate(request, test));
        self.known.insert((test.to_owned(), status), outcome);
        outcome
    }
}

fn request_of(name: &FactName, kind: FactKind, status: FactStatus) -> Option<Request> {
    let age = FactView::AGE_UNKNOWN;
    let view =
        FactView { name, status, value: Cow::Owned(kind.zero()), source: "", tier: Tier::SelfAsserted, age };
    let posture = RestrictedExpression::new_record([record(&view)?]).ok()?;
    let context = Context::from_pairs([("posture".to_owned(), posture)]).ok()?;
    let nobody = EntityUid::from_str("Zt::User::\"\"").ok()?;
    Request::new(nobody.clone(), nobody.clone(), nobody, context, None).ok()
}

fn evaluate(request: &Request, test: &str) -> Option<bool> {
    let test = Expression::from_str(test).ok()?;
    match eval_expression(request, &Entities::empty(), &test) {
        Ok(EvalResult::Bool(outcome)) => Some(outcome),
        Ok(_) | Err(_) => None,
    }
}

/// A fact as Cedar's context has it, under its name.
fn record(view: &FactView<'_>) -> Option<(String, RestrictedExpression)> {
    let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
    let value = match &*view.value {
        FactValue::Bool(value) => RestrictedExpression::new_bool(*value),
        FactValue::Long(value) => RestrictedExpression::new_long(*value),
        FactValue::String(value) => text(value),
    };
    let fields = [
        ("status", text(view.status.as_str())),
        ("value", value),
        ("source", text(view.source)),
        ("tier", RestrictedExpression::new_long(view.tier.number())),
        ("age", RestrictedExpression::new_duration(format!("{}ms", view.age.as_millis()))),
    ];
    let record = RestrictedExpression::new_record(fields.map(|(name, value)| (name.to_owned(), value)));
    Some((view.name.as_str().to_owned(), record.ok()?))
}
