//! A part of a bundle, which is checked without the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;

use cedar_policy::{
    Policy as Parsed, PolicyId, PolicySet, Schema, ValidationMode, ValidationWarning, Validator, pst,
};
use zt_core::decide::PolicyError;
use zt_core::id::check_name;
use zt_core::site::Site;

use super::Policy;
use crate::constants::Constants;
use crate::problem::{at, chain};
use crate::reads::Reads;
use crate::rules;
use crate::unknown::{self, Worlds};

/// The text of a policy, within the limits.
pub(super) struct Found<'a> {
    pub(super) place: String,
    pub(super) text: &'a str,
}

/// A policy, with everything that is wrong with it.
pub(super) struct Checked {
    pub(super) policy: Policy,
    pub(super) problems: Vec<PolicyError>,
}

/// Checks policies, and gives them in their order.
///
/// # Errors
/// The first that cannot be parsed, or has no name.
pub(super) fn check(part: &[Found<'_>], schema: &Schema, site: &Site) -> Result<Vec<Checked>, PolicyError> {
    let (set, names) = parse(part)?;
    let mut invalid = validate(&set, schema);
    let (mut constants, mut worlds) = (Constants::default(), Worlds::default());
    let mut checked = Vec::new();
    for ((Found { place, text }, name), number) in part.iter().zip(names).zip(0..) {
        let refuse = |problem| at(place, format!("policy `{name}`: {problem}"));
        let id = id(number);
        let tree = tree(set.policy(&id)).map_err(refuse)?;
        let mut problems: Vec<_> = invalid.remove(&id).unwrap_or_default().into_iter().collect();
        match rules::check(tree.body(), site, &mut constants) {
            Ok(()) => problems.extend(unknown::check(tree.body(), site, &mut worlds)),
            Err(found) => problems.extend(found),
        }
        let problems = problems.into_iter().map(refuse).collect();
        let reads = Reads::of(tree.body(), site, &mut constants);
        let (place, text) = (place.clone(), (*text).into());
        checked.push(Checked { policy: Policy { name, place, text, tree, reads }, problems });
    }
    Ok(checked)
}

/// The policies under ids that number them, and their names.
///
/// They are parsed in one go: each parse makes itself a lexer, which takes longer than most policies. If that fails,
/// each is parsed alone, to say where.
fn parse(part: &[Found<'_>]) -> Result<(PolicySet, Vec<String>), PolicyError> {
    let together = parse_together(part);
    let (mut names, mut alone) = (Vec::new(), Vec::new());
    for (Found { place, text }, number) in part.iter().zip(0..) {
        if let Some(policy) = together.as_ref().and_then(|set| set.policy(&id(number))) {
            names.push(name(place, policy)?);
            continue;
        }
        let policy = Parsed::parse(Some(id(number)), *text).map_err(|errors| {
            let problems: Vec<_> = errors.iter().map(ToString::to_string).collect();
            at(place, problems.join("; "))
        })?;
        names.push(name(place, &policy)?);
        alone.push(policy);
    }
    if let Some(set) = together {
        return Ok((set, names));
    }
    let set = PolicySet::from_policies(alone).map_err(|error| at("policy bundle", chain(&error)))?;
    Ok((set, names))
}

/// `None` if there is anything wrong with the policies, or if they are not as many as there should be.
fn parse_together(part: &[Found<'_>]) -> Option<PolicySet> {
    let texts: Vec<_> = part.iter().map(|found| found.text).collect();
    let set: PolicySet = texts.join("\n").parse().ok()?;
    let is_whole = set.num_of_policies() == part.len() && set.num_of_templates() == 0;
    is_whole.then_some(set)
}

/// The id that Cedar gives to a policy of a text, by its number.
fn id(number: usize) -> PolicyId {
    PolicyId::new(format!("policy{number}"))
}

/// What a policy calls itself.
fn name(place: &str, policy: &Parsed) -> Result<String, PolicyError> {
    let Some(name) = policy.annotation("id") else {
        return Err(at(place, "a policy without `@id(\"..\")`, the name that decisions refer to"));
    };
    check_name(name).map_err(|error| at(place, format!("the id `{}`: {error}", name.escape_debug())))?;
    Ok(name.to_owned())
}

fn tree(policy: Option<&Parsed>) -> Result<pst::StaticPolicy, String> {
    let policy = policy.ok_or("not found once it was parsed")?;
    // Of a policy that has no text, Cedar makes the tree from what it parsed; else it would parse the text again.
    match Parsed::from(policy.as_ref().clone()).to_pst() {
        Ok(pst::Policy::Static(tree)) => Ok(tree),
        Ok(pst::Policy::Linked(_)) => Err("a template".to_owned()),
        Err(error) => Err(chain(&error)),
    }
}

/// What Cedar has against policies.
fn validate(set: &PolicySet, schema: &Schema) -> BTreeMap<PolicyId, BTreeSet<String>> {
    let result = Validator::new(schema.clone()).validate(set, ValidationMode::Strict);
    // Cedar gives them in no particular order, and some more than once.
    let mut problems: BTreeMap<PolicyId, BTreeSet<String>> = BTreeMap::new();
    let mut note = |id: &PolicyId, error: &dyn Error| {
        let text = chain(error);
        // Cedar names the policy in some of its messages.
        let text = text.strip_prefix(&format!("for policy `{id}`, ")).unwrap_or(&text);
        problems.entry(id.clone()).or_default().insert(text.to_owned());
    };
    result.validation_errors().for_each(|error| note(error.policy_id(), error));
    let warnings = result.validation_warnings().filter(|warning| matters(warning));
    warnings.for_each(|warning| note(warning.policy_id(), warning));
    problems
}

/// A policy that can never apply is a mistake, above all in a forbid; so is text that reads other than it acts. Text
/// that mixes scripts is how some sites are named.
const fn matters(warning: &ValidationWarning) -> bool {
    !matches!(warning, ValidationWarning::MixedScriptString(_))
}
