//! The engine against plain Cedar over many kinds of resources: attributes of all types, optional ones, segments,
//! approvals; conditions that several policies share, that read the resource only, or both; several clauses.
//!
//! Entities are made a second time here, from Cedar's own syntax and without a schema.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write as _;
use std::str::FromStr as _;

use cedar_policy::{
    Authorizer, Decision, Entities, Entity, EntityUid, PolicyId, PolicySet, RestrictedExpression,
};
use proptest::prelude::*;
use zt_core::decide::{ClassId, Decide as _, DecisionSink, DenyCause, Effect};
use zt_core::event::PolicySource;

use crate::differential::{Facts, condition, facts, request};
use crate::world::{World, numbered};

/// What a resource may be like; the first is always `db`, the second `wiki`, the others go by number.
#[derive(Debug, Clone)]
struct Kind {
    level: i64,
    tags: BTreeSet<&'static str>,
    name: &'static str,
    owner: Option<&'static str>,
    open: Option<bool>,
    segments: BTreeSet<&'static str>,
    approval: bool,
}

fn kind() -> impl Strategy<Value = Kind> {
    let level = prop::sample::select(vec![0, 1, 2, 3, -3]);
    let tags = prop::sample::subsequence(vec!["a", "b", "c"], 0..=3);
    let name = prop::sample::select(vec!["web", "data", "w*"]);
    let owner = prop::option::of(prop::sample::select(vec!["alice", "laptop"]));
    let segments = prop::sample::subsequence(vec!["dmz", "intranet"], 0..=2);
    (level, tags, name, owner, prop::option::of(any::<bool>()), segments, any::<bool>()).prop_map(
        |(level, tags, name, owner, open, segments, approval)| Kind {
            level,
            tags: tags.into_iter().collect(),
            name,
            owner,
            open,
            segments: segments.into_iter().collect(),
            approval,
        },
    )
}

fn id(place: usize) -> String {
    match place {
        0 => "db".to_owned(),
        1 => "wiki".to_owned(),
        other => format!("r{other}"),
    }
}

const BASE: &str = r#"
[pools]
v4 = "10.99.0.0/24"
[[gateway]]
id = "gw"
group = "main"
endpoint = "127.0.0.1:0"
[[group]]
id = "staff"
[[group]]
id = "quarantine"
[[segment]]
id = "intranet"
[[segment]]
id = "dmz"
[[window]]
id = "office"
zone = "Europe/Berlin"
days = ["mon"]
from = "07:00"
to = "19:00"
[[fact]]
id = "edr"
kind = "bool"
max-age = "300d"
[[fact]]
id = "patches"
kind = "long"
max-age = "1h"
"#;

const TYPES: &str = "namespace Site {
    type UserAttributes = { level: Long, risk?: Long, tags: Set<String> };
    type ResourceAttributes = { level: Long, tags: Set<String>, name: String, owner?: String, open?: Bool };
}";

/// `db` can always be approved, since sessions may have that.
fn site_text(kinds: &[Kind]) -> String {
    let mut text = BASE.to_owned();
    for (place, kind) in kinds.iter().enumerate() {
        let _ = writeln!(text, "[[resource]]\nid = \"{}\"\ngateways = \"main\"", id(place));
        let _ = writeln!(
            text,
            "addresses = [\"10.100.{}.{}/32\"]\nservices = [\"tcp/1\"]",
            place / 250,
            place % 250 + 1
        );
        let _ = writeln!(text, "segments = {:?}", kind.segments.iter().collect::<Vec<_>>());
        if kind.approval || place == 0 {
            text.push_str("approval = { by = [\"staff\"], count = 1, for = \"1h\" }\n");
        }
        let mut attributes = vec![
            format!("level = {}", kind.level),
            format!("tags = {:?}", kind.tags.iter().collect::<Vec<_>>()),
            format!("name = {:?}", kind.name),
        ];
        attributes.extend(kind.owner.map(|owner| format!("owner = {owner:?}")));
        attributes.extend(kind.open.map(|open| format!("open = {open}")));
        let _ = writeln!(text, "attributes = {{ {} }}", attributes.join(", "));
    }
    text
}

fn uid(of: &str, id: &str) -> EntityUid {
    EntityUid::from_str(&format!("Zt::{of}::\"{id}\"")).expect("an entity")
}

fn entities(facts: &Facts, kinds: &[Kind]) -> Entities {
    let value = |text: String| RestrictedExpression::from_str(&text).expect("a value");
    let alice = facts.entities().get(&uid("User", "https://idp.example|alice")).expect("alice").clone();
    let mut all = vec![alice];
    let bare = [("Group", "staff"), ("Group", "quarantine"), ("Segment", "intranet"), ("Segment", "dmz")];
    all.extend(bare.map(|(of, id)| Entity::new_no_attrs(uid(of, id), HashSet::new())));
    for (place, kind) in kinds.iter().enumerate() {
        let mut attributes = BTreeMap::from([
            ("level".to_owned(), value(kind.level.to_string())),
            ("tags".to_owned(), value(format!("{:?}", kind.tags.iter().collect::<Vec<_>>()))),
            ("name".to_owned(), value(format!("{:?}", kind.name))),
        ]);
        attributes.extend(kind.owner.map(|owner| ("owner".to_owned(), value(format!("{owner:?}")))));
        attributes.extend(kind.open.map(|open| ("open".to_owned(), value(open.to_string()))));
        let parents = kind.segments.iter().map(|segment| uid("Segment", segment)).collect();
        let entity = Entity::new(uid("Resource", &id(place)), attributes.into_iter().collect(), parents);
        all.push(entity.expect("a resource"));
    }
    Entities::from_entities(all, None).expect("a store")
}

/// A condition that reads the resource, alone or with other things; with constants of all kinds.
fn of_resource() -> impl Strategy<Value = String> {
    let fixed = prop::sample::select(vec![
        "resource.level * 4611686018427387904 > 5",
        "resource.level + principal.level * 4611686018427387904 > 5",
        "-(resource.level - 9223372036854775807) > 5",
        "resource has owner",
        "resource has open",
        "(resource has owner && resource.owner == \"alice\")",
        "(resource has owner && resource.owner == context.device.id)",
        "(resource has open && resource.open)",
        "!(resource has open && resource.open)",
        "(resource has open && resource.open && resource.level * 4611686018427387904 > 5)",
        "(if resource has open then resource.open else resource.level > 0)",
        "resource.name like \"w*\"",
        "resource.name like \"w\\*\"",
        "resource.tags == principal.tags",
        "resource.tags.isEmpty()",
        "resource.tags.containsAny(principal.tags)",
        "principal.tags.containsAll(resource.tags)",
        "resource.level < principal.level",
        "resource.level == principal.level",
        "[resource].contains(resource)",
        "[Zt::Resource::\"db\", Zt::Resource::\"r2\"].contains(resource)",
        "resource in [Zt::Segment::\"dmz\", Zt::Segment::\"intranet\"]",
        "resource is Zt::Resource in Zt::Segment::\"dmz\"",
        "resource is Zt::Resource",
        "principal is Zt::User",
        "principal is Zt::User in Zt::Group::\"quarantine\"",
        "resource in (if resource.level > 1 then Zt::Segment::\"dmz\" else Zt::Segment::\"intranet\")",
        "resource in (if context.session.mfa.present then Zt::Segment::\"dmz\" else Zt::Segment::\"intranet\")",
        "[Zt::User::\"https://idp.example|alice\"].contains(principal)",
        "[Zt::User::\"https://idp.example|alice\", Zt::User::\"https://idp.example|bob\"].contains(principal)",
        "principal in [Zt::User::\"https://idp.example|alice\", Zt::User::\"https://idp.example|bob\"]",
        "(resource.level > 1 || principal == Zt::User::\"https://idp.example|alice\")",
        "(resource.level > 1 || Zt::User::\"https://idp.example|bob\" == Zt::User::\"https://idp.example|alice\")",
        "context.approved.contains(resource)",
        "(context.approved.contains(resource) || resource.level > 0)",
        "action == Zt::Action::\"connect\"",
        "(resource.level > 0 || action in [Zt::Action::\"connect\"])",
        "context.session.mfa.present",
        "principal.level * 4611686018427387904 > 5",
        "(principal has risk && principal.risk * 4611686018427387904 > 5)",
        "(if principal has risk then resource.level > principal.risk else resource.tags.contains(\"a\"))",
        "true",
        "false",
    ]);
    let number = || prop::sample::select(vec!["0", "1", "2", "-3", "9223372036854775807"]);
    let op = || prop::sample::select(vec!["<", "<=", ">", ">=", "==", "!="]);
    let of = || prop::sample::select(vec!["resource.level", "principal.level", "1"]);
    let set = || prop::sample::select(vec!["[\"a\"]", "[\"b\"]", "[\"a\", \"b\"]", "[\"b\", \"a\", \"b\"]"]);
    let test = prop::sample::select(vec!["contains(\"a\")", "contains(\"b\")"]);
    let many = prop::sample::select(vec!["containsAll", "containsAny"]);
    let range = prop::sample::select(vec!["10.0.0.0/8", "192.168.0.0/16", "10.0.0.1", "::1"]);
    let address = prop::sample::select(vec!["10.0.0.1", "192.168.0.1", "::1"]);
    let decimal = || prop::sample::select(vec!["1.5", "-2.25", "1.50"]);
    let instant = || prop::sample::select(vec!["2026-01-01", "2026-01-02", "2026-01-01T00:00:00Z"]);
    let span = || prop::sample::select(vec!["1h", "60m", "2d"]);
    prop_oneof![
        6 => fixed.prop_map(str::to_owned),
        1 => (of(), op(), number()).prop_map(|(of, op, number)| format!("{of} {op} {number}")),
        1 => (of(), number(), number()).prop_map(|(of, a, b)| format!("[{a}, {b}].contains({of})")),
        1 => (of(), of(), number()).prop_map(|(a, b, n)| format!("{{a: {a}, b: {b}}} == {{b: {n}, a: {n}}}")),
        1 => (of(), of(), number()).prop_map(|(a, b, n)| format!("[{a}, {b}] == [{n}, 1]")),
        1 => test.prop_map(|test| format!("resource.tags.{test}")),
        1 => (many, set()).prop_map(|(many, set)| format!("resource.tags.{many}({set})")),
        1 => (set(), any::<bool>()).prop_map(|(set, other)| {
            format!("{set} == {}.tags", if other { "resource" } else { "principal" })
        }),
        1 => (address, range).prop_map(|(a, b)| format!("ip(\"{a}\").isInRange(ip(\"{b}\"))")),
        1 => (of(), op(), decimal(), decimal()).prop_map(|(of, op, a, b)| {
            format!("({of} {op} 1 || decimal(\"{a}\").lessThan(decimal(\"{b}\")))")
        }),
        1 => (decimal(), decimal()).prop_map(|(a, b)| format!("decimal(\"{a}\") == decimal(\"{b}\")")),
        1 => (of(), op(), instant(), instant()).prop_map(|(of, op, a, b)| {
            format!("({of} {op} 1 && datetime(\"{a}\") == datetime(\"{b}\"))")
        }),
        1 => (span(), span()).prop_map(|(a, b)| format!("duration(\"{a}\") == duration(\"{b}\")")),
        1 => (instant(), span()).prop_map(|(a, b)| {
            format!("datetime(\"{a}\").offset(duration(\"{b}\")).toDate() == datetime(\"2026-01-01\")")
        }),
    ]
}

fn mixed() -> impl Strategy<Value = String> {
    prop_oneof![4 => of_resource(), 1 => condition()].prop_recursive(3, 10, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} && {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} || {b})")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("(if {a} then {b} else {c})")),
            inner.prop_map(|a| format!("!({a})")),
        ]
    })
}

/// Two conditions that are the same but for a constant, which lies at the same place of each.
fn twins() -> impl Strategy<Value = Vec<String>> {
    let texts = vec!["[\"a\"]", "[\"b\"]", "[\"a\", \"b\"]", "[\"web\"]"];
    let numbers = vec!["[0]", "[1, 2]", "[2, 3]", "[0, -3]"];
    let segments = vec!["[Zt::Segment::\"dmz\"]", "[Zt::Segment::\"intranet\"]"];
    let resources = vec!["[Zt::Resource::\"db\"]", "[Zt::Resource::\"wiki\"]", "[Zt::Resource::\"r2\"]"];
    let groups = vec!["[Zt::Group::\"staff\"]", "[Zt::Group::\"quarantine\"]"];
    let addresses = vec!["ip(\"10.0.0.1\")", "ip(\"192.168.0.1\")", "ip(\"::1\")"];
    let records = vec!["{a: 0, b: 1}", "{a: 1, b: 1}", "{a: 2, b: 1}"];
    let scalars = vec!["0", "1", "2"];
    let decimals = vec!["decimal(\"1.5\")", "decimal(\"2.5\")"];
    let shapes = prop::sample::select(vec![
        ("resource.tags == #", texts.clone()),
        ("principal.tags == #", texts.clone()),
        ("resource.tags.containsAny(#)", texts.clone()),
        ("#.containsAll(principal.tags)", texts.clone()),
        ("#.contains(resource.name)", texts.clone()),
        ("#.contains(context.device.id) || #.containsAny(resource.tags)", texts),
        ("#.contains(resource.level)", numbers.clone()),
        ("#.contains(principal.level)", numbers.clone()),
        ("#.contains(principal.level) || #.contains(resource.level)", numbers),
        ("resource in #", segments),
        ("#.contains(resource)", resources.clone()),
        ("resource in #", resources),
        ("principal in #", groups),
        ("#.isInRange(ip(\"10.0.0.0/8\"))", addresses.clone()),
        ("resource.level > 0 || # == ip(\"::1\")", addresses),
        ("{a: resource.level, b: 1} == #", records.clone()),
        ("{a: principal.level, b: 1} == #", records),
        ("resource.level == #", scalars.clone()),
        ("principal.level == #", scalars),
        ("#.lessThan(decimal(\"2.0\"))", decimals),
    ]);
    let both = shapes.prop_flat_map(|(shape, constants)| {
        (Just(shape), prop::sample::subsequence(constants, 2).prop_shuffle())
    });
    both.prop_map(|(shape, constants)| {
        constants.iter().map(|constant| shape.replace('#', constant)).collect()
    })
}

/// Policies that share conditions: each takes some of a few, in its own order, under `when` or `unless`.
fn policies() -> impl Strategy<Value = Vec<String>> {
    let effect = prop::sample::select(vec!["permit", "permit", "permit", "forbid"]);
    let scope = prop::sample::select(vec![
        "principal, action, resource",
        "principal, action, resource is Zt::Resource",
        "principal is Zt::User, action in [Zt::Action::\"connect\"], resource",
        "principal in Zt::Group::\"staff\", action == Zt::Action::\"connect\", resource",
        "principal in Zt::User::\"https://idp.example|alice\", action, resource",
        "principal == Zt::User::\"https://idp.example|alice\", action, resource in Zt::Segment::\"dmz\"",
        "principal == Zt::User::\"https://idp.example|bob\", action, resource",
        "principal, action, resource in Zt::Segment::\"intranet\"",
        "principal, action, resource in Zt::Resource::\"wiki\"",
        "principal, action, resource is Zt::Resource in Zt::Segment::\"dmz\"",
        "principal is Zt::User in Zt::Group::\"quarantine\", action, resource == Zt::Resource::\"db\"",
    ]);
    let clause = (prop::sample::select(vec!["when", "when", "unless"]), 0..7_usize);
    let one = (effect, scope, prop::collection::vec(clause, 0..4));
    let conditions = (prop::collection::vec(mixed(), 3), twins(), twins());
    let policies = prop::collection::vec(one, 1..8);
    (conditions, policies).prop_map(|((mut conditions, twins, others), policies)| {
        conditions.extend(twins.into_iter().chain(others));
        let text = |(effect, scope, clauses): (&str, &str, Vec<(&str, usize)>)| {
            let mut text = format!("{effect} ({scope})");
            for (clause, condition) in clauses {
                let _ = write!(text, " {clause} {{ {} }}", conditions[condition]);
            }
            text.push(';');
            text
        };
        policies.into_iter().map(text).collect()
    })
}

fn source(texts: &[&str]) -> PolicySource {
    let mut source = numbered(texts);
    source.schema.insert("s".to_owned(), TYPES.to_owned());
    source
}

struct All(BTreeMap<ClassId, (Effect, Vec<u32>)>);

impl DecisionSink for All {
    fn decided(&mut self, class: ClassId, decision: zt_core::decide::Decision<'_>) {
        let because = decision.because.iter().map(|policy| policy.0).collect();
        assert!(self.0.insert(class, (decision.effect, because)).is_none(), "one answer for each class");
    }
}

/// Asks the engine about all classes at once, and one at a time; compares both with plain Cedar for each resource.
fn compare(texts: &[&str], kinds: &[Kind], facts: &Facts) -> Result<(), TestCaseError> {
    let mut world = World::new(&site_text(kinds));
    world.load(&source(texts)).map_err(|error| TestCaseError::fail(error.to_string()))?;
    facts.put_into(&mut world);
    let set = PolicySet::from_str(&texts.concat()).expect("policies");
    let entities = entities(facts, kinds);
    let classes: Vec<_> = world.engine.classes().iter().map(|(class, _)| class).collect();
    let mut all = All(BTreeMap::new());
    world.engine.decide(&world.facts(), &classes, &mut all);
    prop_assert_eq!(all.0.len(), classes.len());
    let name = |id: &PolicyId| id.to_string().replace("policy", "p");
    let mut seen = 0;
    for (class, members) in world.engine.classes().iter() {
        for member in members {
            seen += 1;
            let resource = world.site.resource(*member).expect("a resource").id.to_string();
            let plain = Authorizer::new().is_authorized(&request(facts, &resource), &set, &entities);
            let held: BTreeSet<_> = plain.diagnostics().reason().map(name).collect();
            let failed = plain.diagnostics().errors().count();
            let expected = match (failed, plain.decision()) {
                (1.., _) => Effect::Deny(DenyCause::EvaluationError),
                (0, Decision::Allow) => Effect::Allow,
                (0, Decision::Deny) if held.is_empty() => Effect::Deny(DenyCause::NotPermitted),
                (0, Decision::Deny) => Effect::Deny(DenyCause::Forbidden),
            };
            let answer = world.ask_class(class);
            prop_assert_eq!(answer.effect, expected, "{}", resource);
            if failed == 0 {
                prop_assert_eq!(answer.because.iter().cloned().collect::<BTreeSet<_>>(), held);
            } else {
                prop_assert_eq!(answer.because.len(), failed);
            }
            let (effect, because) = &all.0[&class];
            prop_assert_eq!(*effect, expected, "{}, with all others", resource);
            let names: Vec<_> = because
                .iter()
                .map(|policy| world.engine.policy_name(zt_core::decide::PolicyIndex(*policy)).to_owned())
                .collect();
            prop_assert_eq!(names, answer.because, "{}", resource);
        }
    }
    prop_assert_eq!(seen, kinds.len());
    Ok(())
}

/// Those of `texts` that load on their own.
fn that_load<'t>(texts: &'t [String], kinds: &[Kind]) -> Vec<&'t str> {
    let mut world = World::new(&site_text(kinds));
    texts.iter().map(String::as_str).filter(|text| world.load(&source(&[text])).is_ok()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn inv_p6_plain_cedar_says_the_same_of_all_kinds_of_resources(
        texts in policies(),
        kinds in prop::collection::vec(kind(), 3..12),
        facts in facts(),
    ) {
        let texts = that_load(&texts, &kinds);
        prop_assume!(!texts.is_empty());
        compare(&texts, &kinds, &facts)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2))]

    /// More classes than fit in what needs no heap.
    #[test]
    fn inv_p6_plain_cedar_says_the_same_of_very_many_classes(
        texts in policies(),
        kinds in prop::collection::vec(kind(), 700..800),
        facts in facts(),
    ) {
        let mut texts = that_load(&texts, &kinds[..3]);
        texts.push("permit (principal, action, resource) when { [Zt::Resource::\"db\"].contains(resource) };");
        compare(&texts, &kinds, &facts)?;
    }
}
