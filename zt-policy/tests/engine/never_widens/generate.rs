//! Policies over three facts, and facts for them.

use std::sync::Arc;

use proptest::prelude::*;
use zt_core::device::{FactStatus, FactValue, Facts as Held, Finding, Tier};
use zt_core::event::PolicySource;
use zt_core::id::FactName;
use zt_core::identity::AttributeValue;
use zt_core::time::Timestamp;

use crate::world::{NEW_YEAR, SITE, World, numbered};

pub(super) const FACTS: [&str; 3] = ["edr", "patches", "os"];
const STATUSES: [FactStatus; 4] =
    [FactStatus::Pass, FactStatus::Fail, FactStatus::Unknown, FactStatus::Unsupported];

pub(super) fn world() -> World {
    World::new(&(SITE.to_owned() + "[[fact]]\nid = \"os\"\nkind = \"string\"\nmax-age = \"1h\"\n"))
}

pub(super) fn source(texts: &[&str]) -> PolicySource {
    let mut source = numbered(texts);
    let types = "namespace Site { type UserAttributes = { level: Long }; }";
    source.schema.insert("s".to_owned(), types.to_owned());
    source
}

/// A test of one fact.
fn test(fact: usize) -> impl Strategy<Value = String> {
    let values = [
        vec!["value", "value == true", "value == false", "value != true"],
        vec!["value < 2", "value >= 2", "value == 0", "value != 3", "value <= -1"],
        vec!["value == \"12\"", "value != \"\"", "value like \"1*\"", "value == \"\"", "source == \"test\""],
    ];
    let others =
        vec!["tier >= 1", "tier < 2", "tier == 0", "age < duration(\"20m\")", "age >= duration(\"20m\")"];
    let status = (prop::sample::select(vec!["==", "!="]), prop::sample::select(STATUSES.to_vec()))
        .prop_map(|(op, status)| format!("status {op} \"{}\"", status.as_str()));
    let value = prop::sample::select(values[fact].clone()).prop_map(str::to_owned);
    let other = prop::sample::select(others).prop_map(str::to_owned);
    prop_oneof![
        2 => Just("status == \"pass\"".to_owned()),
        2 => status,
        2 => value,
        1 => other
    ]
    .prop_map(move |test| format!("context.posture.{}.{test}", FACTS[fact]))
}

fn condition() -> impl Strategy<Value = String> {
    let foreign = prop::sample::select(vec![
        "context.windows.contains(\"office\")",
        "principal in Zt::Group::\"staff\"",
        "principal.level * 4611686018427387904 > 5",
    ]);
    let leaf = prop_oneof![
        4 => (0..3_usize).prop_flat_map(test),
        1 => foreign.prop_map(str::to_owned),
        // As people write it.
        2 => (0..3_usize).prop_flat_map(|fact| (test(fact), test(fact)).prop_map(move |(a, b)| {
            format!("(context.posture.{}.status == \"pass\" && {a} && {b})", FACTS[fact])
        })),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            2 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} && {b})")),
            2 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} || {b})")),
            1 => (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("(if {a} then {b} else {c})")),
            1 => inner.prop_map(|a| format!("!({a})")),
        ]
    })
}

pub(super) fn policy() -> impl Strategy<Value = String> {
    let kind = prop::sample::select(vec![
        ("permit", "when"),
        ("permit", "unless"),
        ("forbid", "when"),
        ("forbid", "unless"),
    ]);
    (kind, condition()).prop_map(|((effect, clause), condition)| {
        format!("{effect} (principal, action, resource) {clause} {{ {condition} }};")
    })
}

/// What is known of one fact; its value by number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fact {
    pub(super) status: FactStatus,
    pub(super) value: usize,
    pub(super) tier: Tier,
    pub(super) minutes: i64,
}

#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) office: bool,
    pub(super) staff: bool,
    pub(super) level: i64,
    pub(super) posture: [Option<Fact>; 3],
}

pub(super) fn facts() -> impl Strategy<Value = Facts> {
    let tier = prop::sample::select(vec![Tier::SelfAsserted, Tier::DeviceSigned, Tier::ThirdParty]);
    let status = prop_oneof![
        3 => Just(FactStatus::Pass),
        2 => Just(FactStatus::Fail),
        1 => Just(FactStatus::Unknown),
        1 => Just(FactStatus::Unsupported)
    ];
    let fact = (status, 0..4_usize, tier, prop::sample::select(vec![0, 19, 20, 40]))
        .prop_map(|(status, value, tier, minutes)| Fact { status, value, tier, minutes });
    let posture = prop::array::uniform3(prop::option::weighted(0.9, fact));
    let level = prop::sample::select(vec![0, 1, 4]);
    (any::<bool>(), any::<bool>(), level, posture).prop_map(|(office, staff, level, posture)| Facts {
        office,
        staff,
        level,
        posture,
    })
}

pub(super) fn value(fact: usize, number: usize) -> FactValue {
    match fact {
        0 => FactValue::Bool(number % 2 == 1),
        1 => FactValue::Long(i64::try_from(number).expect("small")),
        _ => FactValue::String(["", "12", "13", "x"][number].to_owned()),
    }
}

impl Facts {
    pub(super) fn put_into(&self, world: &mut World) {
        world.identity.profile = Arc::default();
        world.windows.clear();
        world.device.facts = Held::default();
        if self.staff {
            world.join("staff");
        }
        if self.office {
            world.open("office");
        }
        world.set("level", AttributeValue::Long(self.level));
        for (index, fact) in self.posture.iter().enumerate() {
            if let Some(fact) = fact {
                let at = Timestamp::from_millis(NEW_YEAR.as_millis() - fact.minutes * 60_000);
                world.report(FACTS[index], (fact.status, value(index, fact.value)), at);
                again(world, index, |finding, _| finding.tier = fact.tier);
            }
        }
    }

    /// Each fact in its turn, and then all of them, made unknown in a way that is chosen by `how`.
    pub(super) fn changes(&self, world: &mut World, how: usize, mut check: impl FnMut(&mut World)) {
        for which in 0..=FACTS.len() {
            self.put_into(world);
            for index in (0..FACTS.len()).filter(|index| *index == which || which == FACTS.len()) {
                let Some(was) = self.posture[index] else { continue };
                match (how + index) % 6 {
                    0 => again(world, index, |finding, _| finding.status = FactStatus::Unknown),
                    1 => again(world, index, |finding, _| finding.value = value((index + 1) % 3, 0)),
                    2 => again(world, index, |_, at| *at = Timestamp::from_millis(NEW_YEAR.as_millis() + 1)),
                    3 => again(world, index, |_, at| *at = Timestamp::from_millis(i64::MIN)),
                    // An unknown fact may become unsupported when more is learnt of the device.
                    4 if was.status != FactStatus::Unknown => {
                        again(world, index, |finding, _| finding.status = FactStatus::Unsupported);
                    }
                    _ => world.device.facts.retain(|held| held.finding.name.as_str() != FACTS[index]),
                }
            }
            check(world);
        }
    }
}

/// Reports a fact again, otherwise.
fn again(world: &mut World, index: usize, change: impl FnOnce(&mut Finding, &mut Timestamp)) {
    let name = FactName::new(FACTS[index]).expect("a name");
    let mut held = world.device.facts.get(&name).expect("just reported").clone();
    change(Arc::make_mut(&mut held.finding), &mut held.observed_at);
    world.device.facts.insert(held);
}
