//! Whether attributes fit the type that a site gives them, without asking Cedar each time.

use std::collections::BTreeMap;

use serde_json::Value;
use zt_core::decide::PolicyError;
use zt_core::identity::AttributeValue;

use crate::problem::at;

/// The attributes that people, or resources, have.
#[derive(Debug, Default)]
pub(crate) struct Attributes {
    attributes: BTreeMap<String, Attribute>,
    required: usize,
}

#[derive(Debug)]
struct Attribute {
    kind: Kind,
    required: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bool,
    Long,
    String,
    Strings,
    /// A set of anything else; only the empty set fits.
    Others,
    /// What no attribute can be.
    Never,
}

/// Cedar refuses types that refer to themselves; this is far more than anybody nests.
const MAX_REFERENCES: usize = 64;

impl Attributes {
    /// Reads a type from the definitions in `Site`, in Cedar's JSON form; one that is not defined has no attributes.
    ///
    /// # Errors
    /// If an attribute is required that nothing can have.
    pub(crate) fn read(definitions: &[Value], of: &str) -> Result<Self, PolicyError> {
        let types: BTreeMap<&str, &Value> = definitions
            .iter()
            .filter_map(|json| json.pointer("/Site/commonTypes")?.as_object())
            .flatten()
            .map(|(name, definition)| (name.as_str(), definition))
            .collect();
        let record = types.get(of).map(|record| resolved(record, &types));
        let fields = record.and_then(|record| record.get("attributes")?.as_object());
        let attribute = |(name, field): (&String, &Value)| {
            let required = field.get("required").and_then(Value::as_bool).unwrap_or(true);
            (name.clone(), Attribute { kind: kind(field, &types), required })
        };
        let attributes: BTreeMap<String, Attribute> = fields.into_iter().flatten().map(attribute).collect();
        if let Some((name, _)) =
            attributes.iter().find(|(_, found)| found.required && found.kind == Kind::Never)
        {
            let problem = format!(
                "`Site::{of}` requires `{name}`, of a type that no attribute can have; there are Bool, Long, String and \
                 Set<String>"
            );
            return Err(at("schema of `Site`", problem));
        }
        let required = attributes.values().filter(|attribute| attribute.required).count();
        Ok(Self { attributes, required })
    }

    /// Whether these are all that is required, and each is declared and of its type.
    pub(crate) fn fit(&self, attributes: &BTreeMap<String, AttributeValue>) -> bool {
        let mut required = 0_usize;
        let each = attributes.iter().all(|(name, value)| {
            let declared = self.attributes.get(name);
            required = required.saturating_add(usize::from(declared.is_some_and(|found| found.required)));
            declared.is_some_and(|declared| declared.kind.takes(value))
        });
        each && required == self.required
    }
}

impl Kind {
    fn takes(self, value: &AttributeValue) -> bool {
        match value {
            AttributeValue::Bool(_) => self == Self::Bool,
            AttributeValue::Long(_) => self == Self::Long,
            AttributeValue::String(_) => self == Self::String,
            AttributeValue::Strings(texts) => {
                self == Self::Strings || self == Self::Others && texts.is_empty()
            }
        }
    }
}

fn kind(definition: &Value, types: &BTreeMap<&str, &Value>) -> Kind {
    let definition = resolved(definition, types);
    match type_name(definition) {
        "Bool" | "Boolean" => Kind::Bool,
        "Long" => Kind::Long,
        "String" => Kind::String,
        "Set" => match definition.get("element").map(|element| kind(element, types)) {
            Some(Kind::String) => Kind::Strings,
            Some(_) => Kind::Others,
            None => Kind::Never,
        },
        _ => Kind::Never,
    }
}

/// What a reference to another definition refers to in the end.
fn resolved<'a>(definition: &'a Value, types: &BTreeMap<&str, &'a Value>) -> &'a Value {
    let mut definition = definition;
    for _ in 0..MAX_REFERENCES {
        match types.get(type_name(definition)) {
            Some(next) => definition = next,
            None => break,
        }
    }
    definition
}

/// The built-in or defined type that a definition is, without its namespace.
fn type_name(definition: &Value) -> &str {
    let text = |field: &str| definition.get(field).and_then(Value::as_str);
    let name = text("name").or_else(|| text("type")).unwrap_or_default();
    name.strip_prefix("__cedar::").or_else(|| name.strip_prefix("Site::")).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use cedar_policy::SchemaFragment;

    use super::*;

    fn read(definition: &str) -> Result<Attributes, PolicyError> {
        let text = format!("namespace Site {{ {definition} }}");
        let (fragment, _) = SchemaFragment::from_cedarschema_str(&text).expect("a schema");
        let json: Value = serde_json::from_str(&fragment.to_json_string().expect("JSON")).expect("JSON");
        Attributes::read(&[json], "UserAttributes")
    }

    fn strings(texts: &[&str]) -> AttributeValue {
        AttributeValue::Strings(texts.iter().map(|text| (*text).to_owned()).collect())
    }

    #[test]
    fn attributes_fit_if_required_ones_are_there_and_each_is_of_its_type() {
        let types = read(
            "type L = Long; type Ts = Set<L>; type Rec = { level: L, \"x y\"?: Set<String>, b?: __cedar::Bool, \
             l?: Ts, e?: datetime }; type UserAttributes = Rec;",
        )
        .expect("types");
        let fit = |attributes: &[(&str, AttributeValue)]| {
            types.fit(&attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
        };
        let level = ("level", AttributeValue::Long(3));
        assert!(fit(std::slice::from_ref(&level)));
        assert!(fit(&[level.clone(), ("x y", strings(&["a"])), ("b", AttributeValue::Bool(true))]));
        assert!(fit(&[level.clone(), ("l", strings(&[])), ("x y", strings(&[]))]));
        for wrong in [
            vec![],
            vec![("level", AttributeValue::Bool(true))],
            vec![level.clone(), ("other", AttributeValue::Long(1))],
            vec![level.clone(), ("l", strings(&["a"]))],
            vec![level.clone(), ("x y", AttributeValue::String("a".into()))],
            vec![level, ("e", AttributeValue::String("2026-01-01".into()))],
        ] {
            assert!(!fit(&wrong), "{wrong:?}");
        }
    }

    #[test]
    fn what_nobody_can_have_may_not_be_required() {
        let error = read("type UserAttributes = { since: datetime };").expect_err("nobody has it");
        assert!(error.problem.contains("`since`"), "{error}");
        assert!(read("").expect("nothing").fit(&BTreeMap::new()));
    }
}
