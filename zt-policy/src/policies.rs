//! The policies of a bundle: split, parsed, named, validated and checked against the rules.

use std::collections::BTreeMap;
use std::error::Error;

use cedar_policy::{Policy, PolicyId, PolicySet, Schema, ValidationMode, ValidationWarning, Validator, pst};
use zt_core::decide::PolicyError;
use zt_core::event::PolicySource;
use zt_core::id::check_name;
use zt_core::site::Site;

use crate::caps::{MAX_POLICIES, Statement, place, statements};
use crate::constants::Constants;
use crate::problem::{all, at, chain};
use crate::rules;
use crate::schedule::Scheduled;
use crate::unknown::{self, Worlds};

/// Policies that passed every check.
#[derive(Debug)]
pub(crate) struct Policies {
    /// Their names, sorted; the place of a name is the index of its policy.
    pub(crate) names: Vec<String>,
    /// The policies, under their names.
    pub(crate) set: PolicySet,
    /// Those that time can turn.
    pub(crate) scheduled: Vec<Scheduled>,
}

/// Takes the policies of `source`; everything that is wrong with them is told at once, but for what cannot be parsed.
pub(crate) fn load(source: &PolicySource, schema: &Schema, site: &Site) -> Result<Policies, PolicyError> {
    let mut files = Vec::new();
    let mut count = 0_usize;
    for (file, text) in &source.policies {
        let statements = statements(file, text)?;
        count = count.saturating_add(statements.len());
        files.push((file, statements));
    }
    if count > MAX_POLICIES {
        return Err(at("policy bundle", format!("{count} policies, {MAX_POLICIES} is the most")));
    }
    let mut found = BTreeMap::new();
    for (file, statements) in files {
        for statement in statements {
            let place = place(file, statement.line);
            let (name, policy) = parse(&place, statement)?;
            if let Some((other, _)) = found.get(&name) {
                return Err(at(place, format!("the id `{name}` is taken by the policy at {other}")));
            }
            found.insert(name, (place, policy));
        }
    }
    let set = PolicySet::from_policies(found.values().map(|(_, policy)| policy.clone()))
        .map_err(|error| at("policy bundle", chain(&error)))?;
    let mut problems = validate(&set, schema, &found);
    let mut constants = Constants::default();
    let mut worlds = Worlds::default();
    let mut scheduled = Vec::new();
    for (name, (place, policy)) in &found {
        let refuse = |problem| at(place, format!("policy `{name}`: {problem}"));
        let tree = match policy.to_pst() {
            Ok(pst::Policy::Static(tree)) => tree,
            Ok(pst::Policy::Linked(_)) => return Err(refuse("a template".to_owned())),
            Err(error) => return Err(refuse(chain(&error))),
        };
        match rules::check(tree.body(), site, &mut constants) {
            Ok(thresholds) => {
                problems.extend(unknown::check(tree.body(), site, &mut worlds).into_iter().map(refuse));
                if !thresholds.is_empty() {
                    scheduled.push(Scheduled::new(tree.body(), thresholds));
                }
            }
            Err(found) => problems.extend(found.into_iter().map(refuse)),
        }
    }
    all(problems)?;
    Ok(Policies { names: found.into_keys().collect(), set, scheduled })
}

fn parse(place: &str, statement: Statement<'_>) -> Result<(String, Policy), PolicyError> {
    let policy = Policy::parse(None, statement.text).map_err(|errors| {
        let problems: Vec<_> = errors.iter().map(ToString::to_string).collect();
        at(place, problems.join("; "))
    })?;
    let Some(name) = policy.annotation("id").map(str::to_owned) else {
        return Err(at(place, "a policy without `@id(\"..\")`, the name that decisions refer to"));
    };
    check_name(&name).map_err(|error| at(place, format!("the id `{}`: {error}", name.escape_debug())))?;
    let policy = policy.new_id(PolicyId::new(&name));
    Ok((name, policy))
}

fn validate(
    set: &PolicySet,
    schema: &Schema,
    found: &BTreeMap<String, (String, Policy)>,
) -> Vec<PolicyError> {
    let result = Validator::new(schema.clone()).validate(set, ValidationMode::Strict);
    let problem = |id: &PolicyId, error: &dyn Error| {
        let name: &str = id.as_ref();
        let place = found.get(name).map_or("policy bundle", |(place, _)| place.as_str());
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
