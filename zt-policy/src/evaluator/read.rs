//! Texts of Cedar's languages, within limits, for those who take them from strangers.

use std::collections::BTreeMap;
use std::str::FromStr as _;

use cedar_policy::{Entities, EntityUid, Policy, PolicyId, PolicySet, Schema, Template};
use zt_core::decide::PolicyError;
use zt_core::event::PolicySource;

use crate::caps::{self, MAX_POLICIES, MAX_STEPS, Statement, place, statements};
use crate::evaluator::stack;
use crate::problem::{at, chain};

/// Reads policies and templates in Cedar's text format; `file` is for errors.
///
/// The id of a policy is its annotation `@id`, or else Cedar's: `policy0` for the first of the text, and so on. Of each
/// policy, the text is within [`MAX_POLICY_BYTES`](crate::MAX_POLICY_BYTES), [`MAX_DEPTH`](crate::MAX_DEPTH) and
/// [`MAX_STEPS`], so that no text can exhaust the stack.
///
/// # Errors
/// If a policy does not parse, is beyond a limit, or has the id of another; they name file and line.
pub fn read_policies(file: &str, text: &str) -> Result<PolicySet, PolicyError> {
    let statements = statements(file, text)?;
    if statements.len() > MAX_POLICIES {
        let problem = format!("{} policies, {MAX_POLICIES} is the most", statements.len());
        return Err(at(file, problem));
    }
    stack::deep(|| {
        let mut set = PolicySet::new();
        let mut places = BTreeMap::new();
        for (index, statement) in statements.into_iter().enumerate() {
            let place = place(file, statement.line);
            let parsed = parse(&place, index, statement)?;
            if let Some(other) = places.insert(parsed.id().clone(), place.clone()) {
                let id: &str = parsed.id().as_ref();
                let id = id.escape_debug();
                return Err(at(place, format!("the id `{id}` is taken by the policy at {other}")));
            }
            match parsed {
                Parsed::Policy(policy) => set.add(policy),
                Parsed::Template(template) => set.add_template(template),
            }
            .map_err(|error| at(place, chain(&error)))?;
        }
        Ok(set)
    })
}

/// Reads a schema: JSON if `file` ends in `.json` or the text begins with `{`, Cedar's text format otherwise.
///
/// # Errors
/// If it does not parse, or is beyond [`MAX_SCHEMA_BYTES`](crate::MAX_SCHEMA_BYTES) or
/// [`MAX_DEPTH`](crate::MAX_DEPTH).
pub fn read_schema(file: &str, text: &str) -> Result<Schema, PolicyError> {
    let schema = [(file.to_owned(), text.to_owned())].into();
    caps::check(&PolicySource { schema, ..PolicySource::default() })?;
    let is_json = file.ends_with(".json") || text.trim_start().starts_with('{');
    stack::deep(|| {
        if is_json {
            Schema::from_json_str(text).map_err(|error| at(file, chain(&error)))
        } else {
            let schema = Schema::from_cedarschema_str(text).map(|(schema, _)| schema);
            schema.map_err(|error| at(file, chain(&error)))
        }
    })
}

/// Reads entities in Cedar's JSON format, and checks them against a schema, whose actions are added.
///
/// # Errors
/// If they do not parse or do not fit.
pub fn read_entities(file: &str, text: &str, schema: &Schema) -> Result<Entities, PolicyError> {
    stack::deep(|| Entities::from_json_str(text, Some(schema)).map_err(|error| at(file, chain(&error))))
}

/// Reads the uid of an entity, like `User::"alice"`.
///
/// # Errors
/// What is wrong with it, in words.
pub fn read_uid(text: &str) -> Result<EntityUid, String> {
    if caps::steps(text).is_none_or(|steps| steps > MAX_STEPS) {
        return Err("not the uid of an entity".into());
    }
    stack::deep(|| EntityUid::from_str(text).map_err(|error| chain(&error)))
}

enum Parsed {
    Policy(Policy),
    Template(Template),
}

impl Parsed {
    fn id(&self) -> &PolicyId {
        match self {
            Self::Policy(policy) => policy.id(),
            Self::Template(template) => template.id(),
        }
    }
}

fn parse(place: &str, index: usize, statement: Statement<'_>) -> Result<Parsed, PolicyError> {
    let own = PolicyId::new(format!("policy{index}"));
    match Policy::parse(Some(own.clone()), statement.text) {
        Ok(policy) => {
            let named = policy.annotation("id").map(PolicyId::new);
            Ok(Parsed::Policy(named.map_or(policy.clone(), |id| policy.new_id(id))))
        }
        // A template is no policy, and says so among other things.
        Err(errors) => match Template::parse(Some(own), statement.text) {
            Ok(template) if template.slots().next().is_some() => {
                let named = template.annotation("id").map(PolicyId::new);
                Ok(Parsed::Template(named.map_or(template.clone(), |id| template.new_id(id))))
            }
            Ok(_) | Err(_) => {
                let problems: Vec<_> = errors.iter().map(ToString::to_string).collect();
                Err(at(place, problems.join("; ")))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_annotations_or_places() {
        let text = r#"
            permit (principal, action, resource);
            @id("named") forbid (principal, action, resource);
            @id("template") permit (principal == ?principal, action, resource);
            permit (principal, action, resource);
        "#;
        let set = read_policies("p.cedar", text).unwrap();
        let ids: Vec<_> = set.policies().map(|policy| policy.id().to_string()).collect();
        assert_eq!(ids, ["policy0", "named", "policy3"]);
        assert_eq!(set.templates().count(), 1);
    }

    #[test]
    fn an_id_twice_names_both_places() {
        let twice = "@id(\"a\") permit (principal, action, resource);\n";
        let error = read_policies("p.cedar", &twice.repeat(2)).unwrap_err();
        assert_eq!(error.to_string(), "p.cedar:2: the id `a` is taken by the policy at p.cedar:1");
        // Or the one that Cedar gave to another.
        let text =
            "permit (principal, action, resource);\n@id(\"policy0\") permit (principal, action, resource);";
        let error = read_policies("p.cedar", text).unwrap_err();
        assert_eq!(error.to_string(), "p.cedar:2: the id `policy0` is taken by the policy at p.cedar:1");
    }

    #[test]
    fn deep_texts_are_refused() {
        let parentheses = |count: usize| format!("{}1{}", "(".repeat(count), ")".repeat(count));
        let policy = format!("permit (principal, action, resource) when {{ {} == 1 }};", parentheses(20_000));
        assert!(read_policies("p.cedar", &policy).is_err());
        let schema = format!("type T = {}Long{};", "Set<".repeat(5000), ">".repeat(5000));
        assert!(read_schema("s.cedarschema", &schema).is_err());
        assert!(read_uid(&parentheses(100_000)).is_err());
        assert!(read_uid("User::\"alice\"").is_ok());
        assert!(read_uid("User::\"alice").is_err());
    }
}
