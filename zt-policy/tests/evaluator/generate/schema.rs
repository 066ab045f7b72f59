//! Random schemas.

use std::fmt::Write as _;

use cedar_policy::Schema;

use super::random::Random;

/// A type of Cedar's schemas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Type {
    Bool,
    Long,
    Text,
    Ip,
    Decimal,
    Datetime,
    Duration,
    /// By its place among the schema's entity types.
    Entity(usize),
    Set(Box<Type>),
    Record(Vec<Attribute>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attribute {
    pub(crate) name: String,
    pub(crate) of: Type,
    pub(crate) required: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct EntityType {
    pub(crate) name: String,
    pub(crate) parents: Vec<usize>,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) tags: Option<Type>,
}

#[derive(Debug, Clone)]
pub(crate) struct Action {
    pub(crate) uid: String,
    pub(crate) principals: Vec<usize>,
    pub(crate) resources: Vec<usize>,
    pub(crate) context: Vec<Attribute>,
}

#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) schema: Schema,
    pub(crate) types: Vec<EntityType>,
    pub(crate) actions: Vec<Action>,
    pub(crate) groups: Vec<String>,
}

const NAMES: [&str; 6] = ["a", "b", "c", "level", "two words", "if"];

pub(crate) fn world(random: &mut Random) -> World {
    let namespace = if random.percent(30) { "N::" } else { "" };
    let count = 2 + random.below(3);
    let types: Vec<_> = (0..count)
        .map(|index| EntityType {
            name: format!("{namespace}T{index}"),
            parents: (0..count).filter(|_| random.percent(45)).collect(),
            attributes: attributes(random, count, 2),
            tags: random.percent(60).then(|| any(random, count, 1)),
        })
        .collect();
    let groups: Vec<_> = (0..2).map(|index| format!("{namespace}Action::\"group{index}\"")).collect();
    let some = |random: &mut Random| {
        let mut some: Vec<_> = (0..count).filter(|_| random.percent(50)).collect();
        if some.is_empty() {
            some.push(random.below(count));
        }
        some
    };
    let actions: Vec<_> = (0..1 + random.below(3))
        .map(|index| Action {
            uid: format!("{namespace}Action::\"act{index}\""),
            principals: some(random),
            resources: some(random),
            context: attributes(random, count, 2),
        })
        .collect();
    let text = text(random, namespace, &types, &actions);
    let (schema, _) = Schema::from_cedarschema_str(&text).unwrap_or_else(|error| panic!("{error:?}\n{text}"));
    World { schema, types, actions, groups }
}

fn text(random: &mut Random, namespace: &str, types: &[EntityType], actions: &[Action]) -> String {
    let mut text = String::new();
    let list = |places: &[usize]| {
        places.iter().map(|place| types[*place].name.clone()).collect::<Vec<_>>().join(", ")
    };
    if !namespace.is_empty() {
        text.push_str("namespace N {\n");
    }
    for of in types {
        let name = of.name.rsplit("::").next().unwrap();
        write!(text, "entity {name} in [{}] = {}", list(&of.parents), fields(&of.attributes, types)).unwrap();
        if let Some(tags) = &of.tags {
            write!(text, " tags {}", name_of(tags, types)).unwrap();
        }
        text.push_str(";\n");
    }
    text.push_str("action \"group0\";\naction \"group1\" in [\"group0\"];\n");
    for (index, action) in actions.iter().enumerate() {
        let within = *random.pick(&["", "in [\"group0\"]", "in [\"group1\"]"]);
        let (principals, resources) = (list(&action.principals), list(&action.resources));
        let context = fields(&action.context, types);
        writeln!(
            text,
            "action \"act{index}\" {within} appliesTo {{ principal: [{principals}], resource: [{resources}], \
             context: {context} }};"
        )
        .unwrap();
    }
    if !namespace.is_empty() {
        text.push('}');
    }
    text
}

fn fields(attributes: &[Attribute], types: &[EntityType]) -> String {
    let field = |attribute: &Attribute| {
        let optional = if attribute.required { "" } else { "?" };
        format!("\"{}\"{optional}: {}", attribute.name, name_of(&attribute.of, types))
    };
    format!("{{ {} }}", attributes.iter().map(field).collect::<Vec<_>>().join(", "))
}

fn name_of(of: &Type, types: &[EntityType]) -> String {
    match of {
        Type::Bool => "Bool".into(),
        Type::Long => "Long".into(),
        Type::Text => "String".into(),
        Type::Ip => "ipaddr".into(),
        Type::Decimal => "decimal".into(),
        Type::Datetime => "datetime".into(),
        Type::Duration => "duration".into(),
        Type::Entity(place) => types[*place].name.clone(),
        Type::Set(of) => format!("Set<{}>", name_of(of, types)),
        Type::Record(attributes) => fields(attributes, types),
    }
}

fn attributes(random: &mut Random, types: usize, depth: usize) -> Vec<Attribute> {
    let mut found = Vec::new();
    for name in NAMES {
        if random.percent(70) {
            let of = any(random, types, depth);
            found.push(Attribute { name: name.into(), of, required: random.percent(65) });
        }
    }
    found
}

pub(crate) fn any(random: &mut Random, types: usize, depth: usize) -> Type {
    match random.below(if depth == 0 { 9 } else { 13 }) {
        0 => Type::Bool,
        1 => Type::Long,
        2 => Type::Text,
        3 => Type::Ip,
        4 => Type::Decimal,
        5 => Type::Datetime,
        6 => Type::Duration,
        7 | 8 => Type::Entity(random.below(types)),
        9..=11 => Type::Set(Box::new(any(random, types, depth - 1))),
        _ => {
            let mut attributes = attributes(random, types, depth - 1);
            attributes.truncate(3);
            Type::Record(attributes)
        }
    }
}
