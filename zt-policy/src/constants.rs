//! The constants of time in a policy, read as Cedar reads them.

use std::collections::BTreeMap;
use std::str::FromStr as _;

use cedar_policy::{Context, Entities, EntityUid, EvalResult, Expression, Request, eval_expression};

use crate::schema::quote;

/// Reads `duration(..)` and `datetime(..)` constants by asking Cedar, so that nobody else has to know their syntax.
#[derive(Debug, Default)]
pub(crate) struct Constants {
    known: BTreeMap<String, Option<i64>>,
}

impl Constants {
    /// The milliseconds of `duration("text")`; `None` if it is no duration.
    pub(crate) fn duration(&mut self, text: &str) -> Option<i64> {
        self.evaluate(format!("duration({}).toMilliseconds()", quote(text)))
    }

    /// The milliseconds from 1970 to `datetime("text")`; `None` if it is no instant.
    pub(crate) fn datetime(&mut self, text: &str) -> Option<i64> {
        let epoch = "datetime(\"1970-01-01\")";
        self.evaluate(format!("datetime({}).durationSince({epoch}).toMilliseconds()", quote(text)))
    }

    fn evaluate(&mut self, expression: String) -> Option<i64> {
        *self.known.entry(expression).or_insert_with_key(|expression| evaluate(expression))
    }
}

fn evaluate(expression: &str) -> Option<i64> {
    let nobody = EntityUid::from_str("Zt::User::\"\"").ok()?;
    let request = Request::new(nobody.clone(), nobody.clone(), nobody, Context::empty(), None).ok()?;
    let expression = Expression::from_str(expression).ok()?;
    match eval_expression(&request, &Entities::empty(), &expression) {
        Ok(EvalResult::Long(millis)) => Some(millis),
        Ok(_) | Err(_) => None,
    }
}
