//! Every remedy works, and there is one where a person can see to all that it takes.
//!
//! Remedies are applied here by hand; what they leave open is filled in at a whim.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use zt_core::decide::{Comparison, Effect, FactTest, MAX_REMEDIES, Need, Remedy};
use zt_core::device::{FactKind, FactStatus, FactValue, Finding, HeldFact, Tier};
use zt_core::id::FactName;
use zt_core::identity::Mfa;

use crate::differential::{facts, policy, source};
use crate::remedies::remedies;
use crate::world::{World, that_load};

/// Does as a remedy says.
fn apply(world: &mut World, remedy: &Remedy, whim: i64) {
    let now = world.now;
    let mut posture: BTreeMap<&FactName, Vec<&FactTest>> = BTreeMap::new();
    for need in &remedy.needs {
        match need {
            Need::Acr(acr) => world.session.assurance.acr = acr.as_str().into(),
            Need::SecondFactor | Need::SecondFactorWithin(_) => world.session.assurance.mfa = Mfa::At(now),
            Need::LoginWithin(_) => {
                world.session.assurance.authenticated_at = now;
                world.session.started_at = now;
            }
            Need::Fact { name, test } => posture.entry(name).or_default().push(test),
            Need::Approval => {
                world.approve("db");
            }
            Need::Window(window) => {
                world.open(window.as_str());
            }
        }
    }
    for (name, tests) in posture {
        let held = HeldFact { finding: Arc::new(found(world, name, (&tests, whim))), observed_at: now };
        world.device.facts.insert(held);
    }
}

/// A finding that passes the tests: what was known stays as far as they let it.
fn found(world: &World, name: &FactName, (tests, whim): (&[&FactTest], i64)) -> Finding {
    let view = world.facts().fact(name).expect("declared");
    let mut finding = Finding {
        name: name.clone(),
        status: view.status,
        value: view.value.clone().into_owned(),
        source: view.source.into(),
        tier: view.tier,
    };
    let values: Vec<FactValue> = match world.site.facts[name].kind {
        FactKind::Bool => [whim % 5 < 2, whim % 5 >= 2].map(FactValue::Bool).into(),
        FactKind::Long => [whim].into_iter().chain(-20..20).map(FactValue::Long).collect(),
        FactKind::String => vec![FactValue::String("text".to_owned())],
    };
    if matches!(view.status, FactStatus::Unknown | FactStatus::Unsupported) {
        finding.status = if whim % 2 == 0 { FactStatus::Pass } else { FactStatus::Fail };
        finding.value = values[0].clone();
        finding.source = "whim".into();
        finding.tier = if whim % 3 == 0 { Tier::ThirdParty } else { Tier::SelfAsserted };
    }
    let fits = |value: &FactValue| tests.iter().all(|test| fits(test, value));
    if !fits(&finding.value) {
        finding.value = values.into_iter().find(fits).expect("a value");
    }
    for test in tests {
        match test {
            FactTest::Status(status) => finding.status = *status,
            FactTest::Tier(tier) if finding.tier < *tier && whim % 7 == 0 => finding.tier = Tier::ThirdParty,
            FactTest::Tier(tier) => finding.tier = finding.tier.max(*tier),
            FactTest::Source(source) => finding.source = source.as_str().into(),
            FactTest::Value { .. } | FactTest::Like(_) | FactTest::Age(_) => {}
        }
    }
    finding
}

fn fits(test: &FactTest, value: &FactValue) -> bool {
    let FactTest::Value { comparison, constant } = test else { return true };
    match comparison {
        Comparison::Equal => value == constant,
        Comparison::NotEqual => value != constant,
        Comparison::Less => value < constant,
        Comparison::LessOrEqual => value <= constant,
        Comparison::Greater => value > constant,
        Comparison::GreaterOrEqual => value >= constant,
    }
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
