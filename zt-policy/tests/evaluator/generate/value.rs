//! Random values, entities and requests. Values are few, so that they are often equal.

use std::collections::{HashMap, HashSet};

use cedar_policy::{Context, Entities, Entity, EntityUid, Request, RestrictedExpression};

use super::random::Random;
use super::schema::{Attribute, Type, World};

pub(crate) const LONGS: [i64; 9] = [0, 1, -1, 2, 10, 100, i64::MAX, i64::MIN, 4_611_686_018_427_387_904];
pub(crate) const TEXTS: [&str; 8] = ["", "a", "b", "ab", "aab", "a*b", "straße", "two words"];
pub(crate) const IPS: [&str; 14] = [
    "10.0.0.1",
    "10.0.0.1/32",
    "10.0.0.1/24",
    "10.0.0.0/24",
    "0.0.0.0/0",
    "127.0.0.1",
    "127.0.0.1/4",
    "224.0.0.1",
    "::1",
    "::/0",
    "::/100",
    "::ffff:a00:1",
    "ff00::/7",
    "2001:db8::1/32",
];
pub(crate) const DECIMALS: [&str; 7] =
    ["0.0", "-0.5", "0.5", "1.2500", "1.25", "922337203685477.5807", "-922337203685477.5808"];
pub(crate) const DATETIMES: [&str; 8] = [
    "1970-01-01",
    "1969-12-31T23:59:59.999Z",
    "1969-12-31",
    "2024-02-29T12:30:00Z",
    "2024-02-29T12:30:00.5000",
    "2024-02-29T14:30:00+0200",
    "0000-01-01",
    "9999-12-31T23:59:59.999-2359",
];
pub(crate) const DURATIONS: [&str; 9] =
    ["0ms", "1ms", "-1ms", "1h", "60m", "-1d2h", "8h", "9223372036854775807ms", "-9223372036854775808ms"];
pub(crate) const IDS: usize = 5;

pub(crate) fn uid(random: &mut Random, type_name: &str) -> String {
    format!("{type_name}::\"{}\"", random.below(IDS))
}

pub(crate) fn value(random: &mut Random, world: &World, of: &Type) -> RestrictedExpression {
    match of {
        Type::Bool => RestrictedExpression::new_bool(random.percent(50)),
        Type::Long => RestrictedExpression::new_long(*random.pick(&LONGS)),
        Type::Text => RestrictedExpression::new_string((*random.pick(&TEXTS)).into()),
        Type::Ip => RestrictedExpression::new_ip(*random.pick(&IPS)),
        Type::Decimal => RestrictedExpression::new_decimal(*random.pick(&DECIMALS)),
        Type::Datetime if random.percent(30) => {
            let text = format!("datetime(\"1970-01-01\").offset(duration(\"{}ms\"))", *random.pick(&LONGS));
            text.parse().unwrap()
        }
        Type::Datetime => loop {
            let text = *random.pick(&DATETIMES);
            // One of them is not valid.
            if text != "2024-02-29T12:30:00.5000" {
                return RestrictedExpression::new_datetime(text);
            }
        },
        Type::Duration => RestrictedExpression::new_duration(*random.pick(&DURATIONS)),
        Type::Entity(place) => RestrictedExpression::new_entity_uid(
            uid(random, &world.types[*place].name).parse::<EntityUid>().unwrap(),
        ),
        Type::Set(of) => {
            let count = random.below(4);
            RestrictedExpression::new_set((0..count).map(|_| value(random, world, of)).collect::<Vec<_>>())
        }
        Type::Record(attributes) => {
            RestrictedExpression::new_record(fields(random, world, attributes)).unwrap()
        }
    }
}

pub(crate) fn fields(
    random: &mut Random,
    world: &World,
    attributes: &[Attribute],
) -> Vec<(String, RestrictedExpression)> {
    let mut found = Vec::new();
    for attribute in attributes {
        if attribute.required || random.percent(60) {
            found.push((attribute.name.clone(), value(random, world, &attribute.of)));
        }
    }
    found
}

/// Entities that fit the schema; some that are named are not there.
pub(crate) fn entities(random: &mut Random, world: &World) -> Entities {
    let mut found = Vec::new();
    let missing = *random.pick(&[0, 5, 30]);
    for of in &world.types {
        for id in 0..IDS {
            if random.percent(missing) {
                continue;
            }
            let name = |of: &str, id: usize| format!("{of}::\"{id}\"").parse::<EntityUid>().unwrap();
            let mut parents = HashSet::new();
            for parent in &of.parents {
                // Only upwards, so that there are no cycles.
                for above in id + 1..IDS {
                    if random.percent(35) {
                        parents.insert(name(&world.types[*parent].name, above));
                    }
                }
            }
            let attributes: HashMap<_, _> = fields(random, world, &of.attributes).into_iter().collect();
            let mut tags = HashMap::new();
            if let Some(tag) = &of.tags {
                for _ in 0..random.below(4) {
                    tags.insert((*random.pick(&TEXTS)).to_owned(), value(random, world, tag));
                }
            }
            found.push(Entity::new_with_tags(name(&of.name, id), attributes, parents, tags).unwrap());
        }
    }
    Entities::from_entities(found, Some(&world.schema)).unwrap()
}

pub(crate) fn request(random: &mut Random, world: &World) -> Request {
    let action = random.pick(&world.actions);
    let mut entity = |types: &[usize]| {
        let place = *random.pick(types);
        uid(random, &world.types[place].name).parse().unwrap()
    };
    let (principal, resource) = (entity(&action.principals), entity(&action.resources));
    let context = Context::from_pairs(fields(random, world, &action.context)).unwrap();
    Request::new(principal, action.uid.parse().unwrap(), resource, context, Some(&world.schema)).unwrap()
}
