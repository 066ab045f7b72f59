//! Random policies and templates.

use std::collections::HashMap;

use cedar_policy::{EntityUid, Policy, PolicyId, PolicySet, SlotId, Template, ValidationMode, Validator};

use super::expression::{Operators, Writer};
use super::random::Random;
use super::schema::{Action, Type, World};
use super::value::uid;

/// Policies of one schema.
#[derive(Debug)]
pub(crate) struct Pool {
    /// Those that pass strict validation.
    pub(crate) valid: Vec<Source>,
    /// Those that do not, though Cedar evaluates them.
    pub(crate) invalid: Vec<Source>,
    pub(crate) operators: Operators,
}

/// A policy, or a template and what fills its slots.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) text: String,
    pub(crate) links: Vec<HashMap<SlotId, EntityUid>>,
}

pub(crate) fn pool(random: &mut Random, world: &World, wanted: usize) -> Pool {
    let validator = Validator::new(world.schema.clone());
    let mut pool = Pool { valid: Vec::new(), invalid: Vec::new(), operators: Operators::new() };
    while pool.valid.len() < wanted {
        let confusion = if random.percent(20) { 10 } else { 0 };
        let (source, operators) = source(random, world, confusion);
        let set = set(&[&source]);
        if validator.validate(&set, ValidationMode::Strict).validation_passed() {
            for (operator, count) in operators {
                *pool.operators.entry(operator).or_default() += count;
            }
            pool.valid.push(source);
        } else if pool.invalid.len() < wanted {
            pool.invalid.push(source);
        }
    }
    pool
}

/// A policy set.
pub(crate) fn set(sources: &[&Source]) -> PolicySet {
    let mut set = PolicySet::new();
    for (index, source) in sources.iter().enumerate() {
        let id = PolicyId::new(format!("p{index}"));
        if source.links.is_empty() {
            set.add(Policy::parse(Some(id), &source.text).unwrap_or_else(|error| fail(source, &error)))
                .unwrap();
            continue;
        }
        let template = Template::parse(Some(id.clone()), &source.text);
        set.add_template(template.unwrap_or_else(|error| fail(source, &error))).unwrap();
        for (link, values) in source.links.iter().enumerate() {
            set.link(id.clone(), PolicyId::new(format!("p{index}-{link}")), values.clone()).unwrap();
        }
    }
    set
}

fn fail<T>(source: &Source, error: &cedar_policy::ParseErrors) -> T {
    panic!("{error:?}\n{}", source.text)
}

fn source(random: &mut Random, world: &World, confusion: usize) -> (Source, Operators) {
    let action = random.pick(&world.actions);
    let (of, on) = (*random.pick(&action.principals), *random.pick(&action.resources));
    let template = random.percent(12);
    let principal = side(random, world, of, if template { "?principal" } else { "" });
    let also = template && random.percent(50);
    let resource = side(random, world, on, if also { "?resource" } else { "" });
    let slots = [("?principal", SlotId::principal(), of), ("?resource", SlotId::resource(), on)];
    let mut links = Vec::new();
    let has_slot = slots.iter().any(|(name, _, _)| principal.contains(name) || resource.contains(name));
    for _ in 0..if has_slot { 1 + random.below(3) } else { 0 } {
        let mut values = HashMap::new();
        for (name, slot, place) in &slots {
            if principal.contains(name) || resource.contains(name) {
                let parents = &world.types[*place].parents;
                let place = if parents.is_empty() { *place } else { *random.pick(parents) };
                values.insert(slot.clone(), uid(random, &world.types[place].name).parse().unwrap());
            }
        }
        links.push(values);
    }
    let effect = if random.percent(65) { "permit" } else { "forbid" };
    let scope = format!("principal {principal}, {}, resource {resource}", actions(random, world, action));
    let roots = vec![
        ("principal".to_owned(), Type::Entity(of)),
        ("resource".to_owned(), Type::Entity(on)),
        ("context".to_owned(), Type::Record(action.context.clone())),
    ];
    let mut writer = Writer { random, world, roots, confusion, operators: Operators::new() };
    let mut text = format!("{effect} ({scope})");
    let clauses = if writer.random.percent(15) { 0 } else { 1 + writer.random.below(2) };
    for _ in 0..clauses {
        let keyword = if writer.random.percent(70) { "when" } else { "unless" };
        let depth = 1 + writer.random.below(4);
        text.push_str(&format!(" {keyword} {{ {} }}", writer.bool(depth)));
    }
    text.push(';');
    let operators = writer.operators;
    (Source { text, links }, operators)
}

/// What the scope says of one side; it should hold for entities of the type, most of the time.
fn side(random: &mut Random, world: &World, place: usize, slot: &str) -> String {
    let name = &world.types[place].name;
    let parents = &world.types[place].parents;
    let above = if parents.is_empty() { place } else { *random.pick(parents) };
    let (equal, within) = (uid(random, name), uid(random, &world.types[above].name));
    let or_slot = |named: String| if slot.is_empty() { named } else { slot.to_owned() };
    match random.below(if slot.is_empty() { 6 } else { 3 }) {
        0 => format!("== {}", or_slot(equal)),
        1 => format!("in {}", or_slot(within)),
        2 => format!("is {name} in {}", or_slot(within)),
        3 | 4 => format!("is {name}"),
        _ => String::new(),
    }
}

fn actions(random: &mut Random, world: &World, action: &Action) -> String {
    match random.below(6) {
        0..=2 => format!("action == {}", action.uid),
        3 => format!("action in [{}, {}]", action.uid, random.pick(&world.groups)),
        4 => format!("action in {}", random.pick(&world.groups)),
        _ => "action".to_owned(),
    }
}
