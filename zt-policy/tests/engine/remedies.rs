//! What would turn a denial into an allow: each remedy works, and there is one where a person can see to all it takes.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use zt_core::decide::{Comparison, Decide as _, DenyCause, Effect, FactTest, MAX_REMEDIES, Need, Remedy};
use zt_core::device::{FactKind, FactStatus, FactValue, Finding, HeldFact, Tier};
use zt_core::id::{FactName, ResourceId, WindowId};
use zt_core::identity::{AttributeValue, Mfa};
use zt_core::time::Timestamp;
use zt_policy::read_bundle;

use crate::differential::{facts, policy, source};
use crate::world::{NEW_YEAR, World, numbered, that_load};

const MINUTE: Duration = Duration::from_mins(1);

fn example_site() -> World {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let site = std::fs::read_to_string(root.join("../examples/site/site.toml")).expect("the example site");
    let mut world = World::new(&site);
    let bundle = read_bundle(&root.join("../examples/site/policy")).expect("the example policies");
    world.load(&bundle).expect("the example policies load");
    world
}

fn ago(minutes: i64) -> Timestamp {
    Timestamp::from_millis(NEW_YEAR.as_millis() - minutes * 60_000)
}

fn remedies(world: &World, resource: &str) -> Vec<Remedy> {
    let id = ResourceId::new(resource).expect("an id");
    let index = world.site.resource_index(&id).expect("declared");
    let class = world.engine.classes().class_of(index).expect("a class");
    world.engine.remedies(&world.facts(), class)
}

fn all<const N: usize>(needs: [Need; N]) -> Remedy {
    Remedy { needs: needs.into() }
}

fn posture(fact: &str, test: FactTest) -> Need {
    Need::Fact { name: FactName::new(fact).expect("a fact"), test }
}

fn passes(fact: &str) -> Need {
    posture(fact, FactTest::Status(FactStatus::Pass))
}

fn pass(world: &mut World, fact: &str, minutes: i64) {
    world.report(fact, (FactStatus::Pass, FactValue::Bool(true)), ago(minutes));
}

#[test]
fn somebody_on_call_is_told_to_step_up() {
    let mut world = example_site();
    pass(world.join("on-call"), "edr_running", 1);
    let acr = Need::Acr("urn:zt:acr:step-up".to_owned());
    let factor = Need::SecondFactorWithin(15 * MINUTE);
    assert_eq!(remedies(&world, "production-db"), [all([acr.clone(), factor.clone()])]);
    world.session.assurance.mfa = Mfa::At(ago(60));
    assert_eq!(remedies(&world, "production-db"), [all([acr.clone(), factor.clone()])], "too long ago");
    world.session.assurance.mfa = Mfa::At(ago(5));
    assert_eq!(remedies(&world, "production-db"), [all([acr.clone()])], "the factor will do");
    world.device.facts = zt_core::device::Facts::default();
    assert_eq!(remedies(&world, "production-db"), [all([acr, passes("edr_running")])], "in quarantine, too");
}

#[test]
fn a_contractor_is_told_what_is_missing() {
    let mut world = example_site();
    world.join("contractors").session.assurance.mfa = Mfa::At(ago(60));
    pass(&mut world, "edr_running", 1);
    pass(&mut world, "disk_encrypted", 1);
    let window = Need::Window(WindowId::new("contract-hours").expect("a window"));
    assert_eq!(remedies(&world, "tickets"), [all([window.clone()])]);
    pass(&mut world, "disk_encrypted", 20);
    let disk = [passes("disk_encrypted"), posture("disk_encrypted", FactTest::Age(15 * MINUTE))];
    world.open("contract-hours");
    assert_eq!(remedies(&world, "tickets"), [all(disk.clone())], "the fact is stale");
    world.session.assurance.mfa = Mfa::At(ago(481));
    let [status, age] = disk;
    let factor = Need::SecondFactorWithin(Duration::from_hours(8));
    assert_eq!(remedies(&world, "tickets"), [all([factor, status, age])]);
}

#[test]
fn a_device_in_quarantine_is_led_out_of_it() {
    let mut world = example_site();
    world.join("staff").join("operations");
    world.report("edr_running", (FactStatus::Fail, FactValue::Bool(false)), ago(1));
    assert_eq!(world.effect("remediation"), Effect::Allow);
    assert_eq!(remedies(&world, "remediation"), []);
    for forbidden in ["wiki", "grafana", "prometheus"] {
        assert_eq!(world.denied(forbidden), DenyCause::Forbidden);
        assert_eq!(remedies(&world, forbidden), [all([passes("edr_running")])], "{forbidden}");
    }
    assert_eq!(remedies(&world, "production-db"), [], "for those on call");
}

#[test]
fn nobody_is_told_to_be_somebody_else() {
    let mut world = example_site();
    pass(&mut world, "edr_running", 1);
    for resource in world.site.resources() {
        assert_eq!(remedies(&world, resource.id.as_str()), [], "{}", resource.id);
    }
    for condition in [
        "principal in Zt::Group::\"staff\"",
        "principal.level > 2",
        "context.device.id == \"desktop\"",
        "context.now < datetime(\"2020-01-01\")",
        "context.session.acr != \"\"",
        "resource in Zt::Segment::\"intranet\" && resource == Zt::Resource::\"db\"",
    ] {
        let text = format!("permit (principal, action, resource) when {{ {condition} }};");
        let mut world = World::with(&source(&[&text]));
        world.set("level", AttributeValue::Long(1)).set("tags", AttributeValue::Strings([].into()));
        assert_eq!(world.denied("wiki"), DenyCause::NotPermitted);
        assert_eq!(remedies(&world, "wiki"), [], "{condition}");
    }
}

#[test]
fn what_can_be_approved_may_be_asked_for() {
    let text = "permit (principal, action, resource) when { context.approved.contains(resource) };";
    let mut world = World::with(&numbered(&[text]));
    assert_eq!(remedies(&world, "db"), [all([Need::Approval])]);
    assert_eq!(remedies(&world, "wiki"), [], "there is nobody to approve it");
    world.approve("db");
    assert_eq!(remedies(&world, "db"), []);
}

#[test]
fn nothing_helps_where_nothing_can_be_decided() {
    assert_eq!(World::new(crate::world::SITE).engine.classes().iter().count(), 0);
    let text = "permit (principal, action, resource) when { context.session.mfa.present };";
    let mut world = World::with(&numbered(&[text]));
    assert_eq!(remedies(&world, "wiki"), [all([Need::SecondFactor])]);
    world.session.started_at = world.now.after(MINUTE);
    assert_eq!(world.denied("wiki"), DenyCause::InvalidFacts);
    assert_eq!(remedies(&world, "wiki"), []);
    let fails = "permit (principal, action, resource) when { principal.level * 4611686018427387904 > 5 };";
    let mut world = World::with(&source(&[text, fails]));
    world.set("level", AttributeValue::Long(2)).set("tags", AttributeValue::Strings([].into()));
    assert_eq!(world.denied("wiki"), DenyCause::EvaluationError);
    assert_eq!(remedies(&world, "wiki"), []);
}

#[test]
fn each_test_says_what_it_takes() {
    let since = |instant: &str| format!("context.now.durationSince(context.session.{instant})");
    let value = |comparison, constant| posture("patches", FactTest::Value { comparison, constant });
    let long = |comparison, number| value(comparison, FactValue::Long(number));
    let patches = "context.posture.patches";
    let quarter = 15 * MINUTE;
    for (condition, needs) in [
        (format!("{} < duration(\"15m\")", since("authenticatedAt")), vec![Need::LoginWithin(quarter)]),
        (format!("duration(\"15m\") >= {}", since("startedAt")), vec![Need::LoginWithin(quarter)]),
        (format!("!({} > duration(\"15m\"))", since("mfa.at")), vec![Need::SecondFactorWithin(quarter)]),
        ("[\"strong\"].contains(context.session.acr)".to_owned(), vec![Need::Acr("strong".to_owned())]),
        (format!("{patches}.tier > 1"), vec![posture("patches", FactTest::Tier(Tier::TpmHeld))]),
        (format!("3 <= {patches}.tier"), vec![posture("patches", FactTest::Tier(Tier::Quoted))]),
        (format!("{patches}.age < duration(\"15m\")"), vec![posture("patches", FactTest::Age(quarter))]),
        (
            format!("{patches}.status == \"pass\" && {patches}.source == \"mdm\""),
            vec![passes("patches"), posture("patches", FactTest::Source("mdm".to_owned()))],
        ),
        (
            format!("{patches}.status == \"pass\" && {patches}.value < 3"),
            vec![passes("patches"), long(Comparison::Less, 3)],
        ),
        (
            format!("{patches}.status == \"pass\" && !(-2 < {patches}.value) && {patches}.tier >= 0"),
            vec![passes("patches"), long(Comparison::LessOrEqual, -2)],
        ),
        (format!("{patches}.value >= 3 && {patches}.value > 5"), vec![long(Comparison::Greater, 5)]),
        (
            format!("{patches}.status == \"pass\" && {patches}.value < 3 && {patches}.tier >= 1"),
            vec![
                passes("patches"),
                long(Comparison::Less, 3),
                posture("patches", FactTest::Tier(Tier::DeviceSigned)),
            ],
        ),
    ] {
        let world = World::with(&numbered(&[&format!(
            "permit (principal, action, resource) when {{ {condition} }};"
        )]));
        assert_eq!(remedies(&world, "wiki"), [Remedy { needs: needs.into_iter().collect() }], "{condition}");
    }
}

#[test]
fn the_shortest_way_comes_first() {
    let world = World::with(&numbered(&[
        "permit (principal, action, resource) when { context.session.mfa.present && context.windows.contains(\"office\") };",
        "permit (principal, action, resource) when { context.session.acr == \"strong\" || context.posture.edr.status == \"pass\" };",
        "forbid (principal, action, resource) when { context.session.acr == \"strong\" } unless { context.session.mfa.present };",
    ]));
    let acr = Need::Acr("strong".to_owned());
    let window = Need::Window(WindowId::new("office").expect("a window"));
    assert_eq!(
        remedies(&world, "wiki"),
        [all([passes("edr")]), all([acr, Need::SecondFactor]), all([Need::SecondFactor, window]),],
        "what the class of login forbids is lifted by the second factor"
    );
}

#[test]
fn a_text_may_be_asked_for_by_its_pattern() {
    let mut world = example_site();
    let os = "context.posture.os_version";
    world
        .load(&numbered(&[&format!(
            "permit (principal, action, resource) when {{ {os}.status == \"pass\" && {os}.value like \"24.*\\**\" }};"
        )]))
        .expect("loads");
    let pattern = posture("os_version", FactTest::Like("24.*\\**".to_owned()));
    assert_eq!(remedies(&world, "wiki"), [all([passes("os_version"), pattern])]);
}

/// Does as a remedy says; what it leaves open about a fact that was not known comes from `whim`.
fn apply(world: &mut World, remedy: &Remedy, whim: i64) {
    let now = world.now;
    let names = remedy.needs.iter().filter_map(|need| match need {
        Need::Fact { name, .. } => Some(name.clone()),
        _ => None,
    });
    for name in names.collect::<std::collections::BTreeSet<_>>() {
        let tests = remedy.needs.iter().filter_map(|need| match need {
            Need::Fact { name: of, test } if *of == name => Some(test),
            _ => None,
        });
        apply_fact(world, &name, (&tests.collect::<Vec<_>>(), whim));
    }
    for need in &remedy.needs {
        match need {
            Need::Acr(acr) => world.session.assurance.acr = acr.as_str().into(),
            Need::SecondFactor | Need::SecondFactorWithin(_) => world.session.assurance.mfa = Mfa::At(now),
            Need::LoginWithin(_) => {
                world.session.assurance.authenticated_at = now;
                world.session.started_at = now;
            }
            Need::Fact { .. } => {}
            Need::Approval => drop(world.approve("db")),
            Need::Window(window) => drop(world.open(window.as_str())),
        }
    }
}

fn apply_fact(world: &mut World, name: &FactName, (tests, whim): (&[&FactTest], i64)) {
    let view = world.facts().fact(name).expect("declared");
    let known = matches!(view.status, FactStatus::Pass | FactStatus::Fail);
    let status = tests.iter().find_map(|test| match test {
        FactTest::Status(status) => Some(*status),
        _ => None,
    });
    let either = if whim % 2 == 0 { FactStatus::Pass } else { FactStatus::Fail };
    let source = tests.iter().find_map(|test| match test {
        FactTest::Source(source) => Some(source.as_str()),
        _ => None,
    });
    let tiers = tests.iter().filter_map(|test| match test {
        FactTest::Tier(tier) => Some(*tier),
        _ => None,
    });
    let any_tier = if whim % 3 == 0 { Tier::ThirdParty } else { Tier::SelfAsserted };
    let values: Vec<FactValue> = match world.site.facts[name].kind {
        FactKind::Bool => [whim % 5 < 2, whim % 5 >= 2].map(FactValue::Bool).into(),
        FactKind::Long => [whim].into_iter().chain(-20..20).map(FactValue::Long).collect(),
        FactKind::String => vec![FactValue::String("text".to_owned())],
    };
    let fits = |value: &FactValue| {
        tests.iter().all(|test| match test {
            FactTest::Value { comparison: Comparison::Equal, constant } => value == constant,
            FactTest::Value { comparison: Comparison::NotEqual, constant } => value != constant,
            FactTest::Value { comparison: Comparison::Less, constant } => value < constant,
            FactTest::Value { comparison: Comparison::LessOrEqual, constant } => value <= constant,
            FactTest::Value { comparison: Comparison::Greater, constant } => value > constant,
            FactTest::Value { comparison: Comparison::GreaterOrEqual, constant } => value >= constant,
            _ => true,
        })
    };
    let current = known.then(|| view.value.clone().into_owned());
    let finding = Finding {
        name: name.clone(),
        status: status.unwrap_or(if known { view.status } else { either }),
        value: current.into_iter().chain(values).find(fits).expect("a value"),
        source: source.unwrap_or(if known { view.source } else { "whim" }).into(),
        tier: tiers.max().unwrap_or(any_tier).max(if known { view.tier } else { Tier::SelfAsserted }),
    };
    let finding = if known && !tests.iter().any(|test| matches!(test, FactTest::Tier(_))) {
        Finding { tier: view.tier, ..finding }
    } else {
        finding
    };
    let observed_at = world.now;
    world.device.facts.insert(HeldFact { finding: Arc::new(finding), observed_at });
}

/// Tests that anybody can pass, all of them together.
fn condition() -> impl Strategy<Value = String> {
    let tests = vec![
        "context.posture.edr.status == \"pass\"",
        "context.posture.edr.status != \"unknown\"",
        "(context.posture.edr.status == \"pass\" && context.posture.edr.value)",
        "(context.posture.patches.status == \"pass\" && context.posture.patches.value < 3)",
        "(context.posture.patches.status == \"pass\" && !(context.posture.patches.value < 2))",
        "(context.posture.patches.status != \"unsupported\" && context.posture.patches.tier >= 2)",
        "context.posture.edr.age <= duration(\"1h\")",
        "context.windows.contains(\"office\")",
        "context.session.mfa.present",
        "context.now.durationSince(context.session.mfa.at) < duration(\"2h\")",
        "duration(\"1h\") >= context.now.durationSince(context.session.mfa.at)",
        "context.now.durationSince(context.session.authenticatedAt) < duration(\"30m\")",
        "context.session.acr == \"strong\"",
        "context.approved.contains(resource)",
    ];
    prop::sample::subsequence(tests, 1..5).prop_map(|tests| tests.join(" && "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_remedy_works(
        texts in prop::collection::vec(policy(), 1..6),
        facts in facts(),
        whim in -100..100_i64,
    ) {
        let texts = that_load(&texts, source);
        prop_assume!(!texts.is_empty());
        let world = || {
            let mut world = World::with(&source(&texts));
            facts.put_into(&mut world);
            world
        };
        for resource in ["db", "wiki"] {
            let told = remedies(&world(), resource);
            prop_assert!(told.len() <= MAX_REMEDIES);
            prop_assert!(told.is_sorted_by_key(|remedy| (remedy.needs.len(), remedy.needs.clone())));
            if world().effect(resource) == Effect::Allow {
                prop_assert!(told.is_empty());
            }
            for remedy in told {
                prop_assert!(!remedy.needs.is_empty());
                let mut world = world();
                apply(&mut world, &remedy, whim);
                prop_assert_eq!(world.effect(resource), Effect::Allow, "{}: {:?}", resource, remedy);
            }
        }
    }

    #[test]
    fn what_anybody_can_see_to_has_a_remedy(
        conditions in prop::collection::vec((any::<bool>(), condition()), 0..4),
        last in condition(),
        facts in facts(),
        whim in -100..100_i64,
    ) {
        let permit = |condition: &String| format!("permit (principal, action, resource) when {{ {condition} }};");
        let forbid = |condition: &String| format!("forbid (principal, action, resource) unless {{ {condition} }};");
        let texts = conditions.iter().map(|(permits, text)| if *permits { permit(text) } else { forbid(text) });
        let texts: Vec<_> = texts.chain([permit(&last)]).collect();
        let texts = that_load(&texts, source);
        prop_assume!(texts.iter().any(|text| text.starts_with("permit")));
        let mut world = World::with(&source(&texts));
        facts.put_into(&mut world);
        let told = remedies(&world, "db");
        prop_assert_eq!(told.is_empty(), world.effect("db") == Effect::Allow);
        for remedy in told {
            let mut world = World::with(&source(&texts));
            facts.put_into(&mut world);
            apply(&mut world, &remedy, whim);
            prop_assert_eq!(world.effect("db"), Effect::Allow, "{:?}", remedy);
        }
    }
}
