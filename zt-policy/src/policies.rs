//! The policies of a bundle: split, parsed, named, validated and checked against the rules.

mod part;

use std::collections::BTreeMap;

use cedar_policy::{Schema, pst};
use zt_core::decide::PolicyError;
use zt_core::event::PolicySource;
use zt_core::site::Site;

use crate::caps::{MAX_POLICIES, place, statements};
use crate::evaluator::stack::in_parts;
use crate::problem::{all, at};
use crate::reads::Reads;
use part::{Checked, Found};

/// The fewest policies that are worth a thread of their own.
const PART: usize = 128;

/// A policy that passed every check.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) name: String,
    /// Where its text is.
    pub(crate) place: String,
    pub(crate) text: Box<str>,
    pub(crate) tree: pst::StaticPolicy,
    pub(crate) reads: Reads,
}

/// Takes the policies of `source`, in the order of their names; everything that is wrong with them is told at once, but
/// for what cannot be parsed.
pub(crate) fn load(source: &PolicySource, schema: &Schema, site: &Site) -> Result<Vec<Policy>, PolicyError> {
    let mut found = Vec::new();
    for (file, text) in &source.policies {
        let statements = statements(file, text)?.into_iter();
        found.extend(statements.map(|one| Found { place: place(file, one.line), text: one.text }));
    }
    if found.len() > MAX_POLICIES {
        let problem = format!("{} policies, {MAX_POLICIES} is the most", found.len());
        return Err(at("policy bundle", problem));
    }
    let mut checked: BTreeMap<String, Checked> = BTreeMap::new();
    // What cannot be parsed is told first, so that it makes no difference where the bundle was cut.
    let parts: Result<Vec<_>, _> =
        in_parts(&found, PART, |part| part::check(part, schema, site)).into_iter().collect();
    for one in parts?.into_iter().flatten() {
        let Policy { name, place, .. } = &one.policy;
        if let Some(other) = checked.get(name) {
            let problem = format!("the id `{name}` is taken by the policy at {}", other.policy.place);
            return Err(at(place, problem));
        }
        checked.insert(name.clone(), one);
    }
    let (policies, problems): (_, Vec<_>) =
        checked.into_values().map(|Checked { policy, problems }| (policy, problems)).unzip();
    all(problems.into_iter().flatten().collect())?;
    Ok(policies)
}
