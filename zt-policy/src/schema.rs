//! The schema: the namespace `Zt`, made from the site, and `Site`, which the site's own files may extend.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use cedar_policy::{EntityNamespace, Schema, SchemaError, SchemaFragment};
use zt_core::decide::PolicyError;
use zt_core::device::FactKind;
use zt_core::event::PolicySource;
use zt_core::site::Site;

use crate::conform::Attributes;
use crate::problem::{at, chain};

/// The entities, in Cedar's JSON form: the text form cannot name a type as the shape of an entity.
pub(crate) const ENTITIES: &str = r#"{"Zt": {"actions": {}, "entityTypes": {
    "Group": {},
    "User": {"memberOfTypes": ["Group"], "shape": {"type": "Site::UserAttributes"}},
    "Segment": {},
    "Resource": {"memberOfTypes": ["Segment"], "shape": {"type": "Site::ResourceAttributes"}}
}}}"#;

/// The types that a site may define; each is an empty record if it does not.
const SITE_TYPES: [&str; 2] = ["UserAttributes", "ResourceAttributes"];

/// The action `connect` and its context, in Cedar's schema language: what a policy for `site` may read.
///
/// Every declared fact is a required record, so that no policy can pass over a fact that is absent.
#[must_use]
pub fn schema_text(site: &Site) -> String {
    let mut facts = String::new();
    for (name, declaration) in &*site.facts {
        let value = match declaration.kind {
            FactKind::Bool => "Bool",
            FactKind::Long => "Long",
            FactKind::String => "String",
        };
        let name = quote(name.as_str());
        let record = "status: String, value: ";
        let rest = "source: String, tier: Long, age: duration";
        // Writing to a `String` cannot fail.
        let _ = writeln!(facts, "        {name}: {{ {record}{value}, {rest} }},");
    }
    format!(
        "namespace Zt {{
  action connect appliesTo {{
    principal: [User],
    resource: [Resource],
    context: {{
      now: datetime,
      session: {{
        startedAt: datetime,
        authenticatedAt: datetime,
        mfa: {{ present: Bool, at: datetime }},
        acr: String,
      }},
      device: {{ id: String }},
      windows: Set<String>,
      approved: Set<Resource>,
      posture: {{
{facts}      }},
    }},
  }};
}}
"
    )
}

/// The schema of a bundle.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) cedar: Schema,
    pub(crate) user_attributes: Attributes,
    pub(crate) resource_attributes: Attributes,
}

/// Puts the generated schema and the site's files together.
pub(crate) fn load(source: &PolicySource, generated: &str) -> Result<Loaded, PolicyError> {
    let zt = |error: &dyn std::error::Error| at("schema of `Zt`", chain(error));
    let mut fragments = vec![
        SchemaFragment::from_json_str(ENTITIES).map_err(|error| zt(&error))?,
        SchemaFragment::from_cedarschema_str(generated).map_err(|error| zt(&error))?.0,
    ];
    let mut files = Vec::new();
    for (file, text) in &source.schema {
        let fragment = SchemaFragment::from_cedarschema_str(text).map_err(|error| at(file, chain(&error)))?.0;
        check_namespaces(file, &fragment)?;
        files.push((file, fragment));
    }
    let site: EntityNamespace = "Site".parse().map_err(|error| zt(&error))?;
    for name in SITE_TYPES {
        let defines =
            |fragment: &SchemaFragment| fragment.common_type_annotations(Some(site.clone()), name).is_some();
        if !files.iter().any(|(_, fragment)| defines(fragment)) {
            let text = format!("namespace Site {{ type {name} = {{}}; }}");
            fragments.push(SchemaFragment::from_cedarschema_str(&text).map_err(|error| zt(&error))?.0);
        }
    }
    fragments.extend(files.iter().map(|(_, fragment)| fragment.clone()));
    let schema = Schema::from_schema_fragments(fragments).map_err(|error| {
        let names: Vec<_> = source.schema.keys().map(String::as_str).collect();
        at(if names.is_empty() { "schema of `Zt`".to_owned() } else { names.join(", ") }, words(&error))
    })?;
    check_declarations(&files, &schema, &site)?;
    let definitions: Vec<serde_json::Value> =
        files.into_iter().filter_map(|(_, fragment)| fragment.to_json_value().ok()).collect();
    let [user_attributes, resource_attributes] = SITE_TYPES.map(|name| Attributes::read(&definitions, name));
    Ok(Loaded { cedar: schema, user_attributes: user_attributes?, resource_attributes: resource_attributes? })
}

/// What is wrong with a schema, in the same words each time: Cedar names one of several, or all in any order.
fn words(error: &SchemaError) -> String {
    if let SchemaError::TypeNotDefined(error) = error {
        let text = error.to_string();
        let names: BTreeSet<_> = text.split_once(": ").map_or("", |(_, names)| names).split(", ").collect();
        format!("failed to resolve types: {}", names.into_iter().collect::<Vec<_>>().join(", "))
    } else if let SchemaError::DuplicateCommonType(_) = error {
        "a type that is defined twice".to_owned()
    } else if let SchemaError::CycleInCommonTypeReferences(_) = error {
        "a cycle of types".to_owned()
    } else if let SchemaError::CycleInActionHierarchy(_) = error {
        "a cycle of actions".to_owned()
    } else {
        chain(error)
    }
}

/// A text in Cedar's quotes.
pub(crate) fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn check_namespaces(file: &str, fragment: &SchemaFragment) -> Result<(), PolicyError> {
    for namespace in fragment.namespaces() {
        let name = namespace.map(|namespace| namespace.to_string());
        match name.as_deref() {
            Some("Site") => {}
            Some("Zt") => return Err(at(file, "redefines `Zt`")),
            Some(other) => return Err(at(file, format!("defines `{other}`; only `Site` may be defined"))),
            None => return Err(at(file, "a definition outside of `namespace Site { .. }`")),
        }
    }
    Ok(())
}

/// Types are all that a site may define: its entities would never be in the store, its actions never asked for.
fn check_declarations(
    files: &[(&String, SchemaFragment)],
    schema: &Schema,
    site: &EntityNamespace,
) -> Result<(), PolicyError> {
    let Some(entity) = schema.entity_types().filter(|name| name.namespace() != "Zt").min() else {
        return match schema.actions().filter(|action| action.type_name().namespace() != "Zt").min() {
            None => Ok(()),
            Some(action) => {
                Err(at("schema", format!("defines the action `{action}`; only types may be defined")))
            }
        };
    };
    let declares = |fragment: &SchemaFragment| {
        fragment.entity_type_annotations(Some(site.clone()), entity.basename()).is_some()
    };
    let file =
        files.iter().find(|(_, fragment)| declares(fragment)).map_or("schema", |(file, _)| file.as_str());
    Err(at(file, format!("defines the entity `{entity}`; only types may be defined")))
}
