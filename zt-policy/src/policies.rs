//! The policies of a bundle: split, parsed, named, validated and checked against the rules.

use std::collections::BTreeMap;
use std::error::Error;

use cedar_policy::{
    Policy as Parsed, PolicyId, PolicySet, Schema, ValidationMode, ValidationWarning, Validator, pst,
};
use zt_core::decide::PolicyError;
use zt_core::event::PolicySource;
use zt_core::id::check_name;
use zt_core::site::Site;

use crate::caps::{MAX_POLICIES, Statement, place, statements};
use crate::constants::Constants;
use crate::problem::{all, at, chain};
use crate::reads::Reads;
use crate::rules;
use crate::unknown::{self, Worlds};

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

/// Takes the policies of `source`; everything that is wrong with them is told at once, but for what cannot be parsed.
pub(crate) fn load(source: &PolicySource, schema: &Schema, site: &Site) -> Result<Vec<Policy>, PolicyError> {
    let mut files = Vec::new();
    let mut count = 0_usize;
    for (file, text) in &source.policies {
        let statements = statements(file, text)?;
        count = count.saturating_add(statements.len());
        files.push((file, text, statements));
    }
    if count > MAX_POLICIES {
        return Err(at("policy bundle", format!("{count} policies, {MAX_POLICIES} is the most")));
    }
    let mut found: BTreeMap<String, (String, Parsed, &str)> = BTreeMap::new();
    for (file, text, statements) in files {
        let mut together = parse_together(text, statements.len()).into_iter().flatten();
        for statement in statements {
            let place = place(file, statement.line);
            let policy = together.next().map_or_else(|| parse(&place, statement), Ok)?;
            let (name, policy) = named(&place, policy)?;
            if let Some((other, ..)) = found.get(&name) {
                return Err(at(place, format!("the id `{name}` is taken by the policy at {other}")));
            }
            found.insert(name, (place, policy, statement.text));
        }
    }
    let set = PolicySet::from_policies(found.values().map(|(_, policy, _)| policy.clone()))
        .map_err(|error| at("policy bundle", chain(&error)))?;
    let mut problems = validate(&set, schema, &found);
    let mut constants = Constants::default();
    let mut worlds = Worlds::default();
    let mut policies = Vec::new();
    for (name, (place, policy, text)) in found {
        let refuse = |problem| at(&place, format!("policy `{name}`: {problem}"));
        let tree = match policy.to_pst() {
            Ok(pst::Policy::Static(tree)) => tree,
            Ok(pst::Policy::Linked(_)) => return Err(refuse("a template".to_owned())),
            Err(error) => return Err(refuse(chain(&error))),
        };
        match rules::check(tree.body(), site, &mut constants) {
            Ok(()) => problems.extend(unknown::check(tree.body(), site, &mut worlds).into_iter().map(refuse)),
            Err(found) => problems.extend(found.into_iter().map(refuse)),
        }
        let reads = Reads::of(tree.body(), site, &mut constants);
        policies.push(Policy { name, place, text: text.into(), tree, reads });
    }
    all(problems)?;
    Ok(policies)
}

/// A text's policies, parsed in one go: each parse makes itself a lexer, which takes longer than most policies. `None`
/// if there is anything wrong with them, or they are not as many as was counted; then each is to be parsed alone, to
/// say where.
fn parse_together(text: &str, count: usize) -> Option<Vec<Parsed>> {
    let set: PolicySet = text.parse().ok()?;
    let ids = (0..count).map(|place| PolicyId::new(format!("policy{place}")));
    let policies: Option<Vec<_>> = ids.map(|id| set.policy(&id).cloned()).collect();
    policies.filter(|policies| set.num_of_policies() == policies.len() && set.num_of_templates() == 0)
}

fn parse(place: &str, statement: Statement<'_>) -> Result<Parsed, PolicyError> {
    Parsed::parse(None, statement.text).map_err(|errors| {
        let problems: Vec<_> = errors.iter().map(ToString::to_string).collect();
        at(place, problems.join("; "))
    })
}

/// A policy under its own name.
fn named(place: &str, policy: Parsed) -> Result<(String, Parsed), PolicyError> {
    let Some(name) = policy.annotation("id").map(str::to_owned) else {
        return Err(at(place, "a policy without `@id(\"..\")`, the name that decisions refer to"));
    };
    check_name(&name).map_err(|error| at(place, format!("the id `{}`: {error}", name.escape_debug())))?;
    // Of a policy that has no text, Cedar makes the tree from what it parsed; else it would parse the text again.
    let without_text = Parsed::from(policy.as_ref().clone());
    Ok((name.clone(), without_text.new_id(PolicyId::new(name))))
}

fn validate(
    set: &PolicySet,
    schema: &Schema,
    found: &BTreeMap<String, (String, Parsed, &str)>,
) -> Vec<PolicyError> {
    let result = Validator::new(schema.clone()).validate(set, ValidationMode::Strict);
    let problem = |id: &PolicyId, error: &dyn Error| {
        let name: &str = id.as_ref();
        let place = found.get(name).map_or("policy bundle", |(place, ..)| place.as_str());
        let text = chain(error);
        // Cedar names the policy in some of its messages.
        let text = text.strip_prefix(&format!("for policy `{name}`, ")).unwrap_or(&text);
        at(place, format!("policy `{name}`: {text}"))
    };
    let errors = result.validation_errors().map(|error| problem(error.policy_id(), error));
    let warnings = result.validation_warnings().filter(|warning| matters(warning));
    errors.chain(warnings.map(|warning| problem(warning.policy_id(), warning))).collect()
}

/// A policy that can never apply is a mistake, above all in a forbid; so is text that reads other than it acts. Text
/// that mixes scripts is how some sites are named.
const fn matters(warning: &ValidationWarning) -> bool {
    !matches!(warning, ValidationWarning::MixedScriptString(_))
}
