//! A decision holds for as long as it says: against brute force, millisecond by millisecond.

use std::time::Duration;

use proptest::prelude::*;
use zt_core::decide::{Effect, Validity};
use zt_core::device::{FactStatus, FactValue};
use zt_core::identity::Mfa;
use zt_core::time::Timestamp;

use crate::world::{NEW_YEAR, World, numbered, that_load};

/// So many milliseconds are tried.
const HORIZON: i64 = 60;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(NEW_YEAR.as_millis() + millis)
}

fn comparison() -> impl Strategy<Value = String> {
    let op = prop::sample::select(vec!["<", "<=", ">", ">="]);
    let instant = prop::sample::select(vec!["startedAt", "authenticatedAt", "mfa.at"]);
    let sides = prop_oneof![
        4 => (instant.clone(), -5..50_i64).prop_map(|(instant, span)| {
            (format!("context.now.durationSince(context.session.{instant})"), format!("duration(\"{span}ms\")"))
        }),
        2 => (-5..50_i64).prop_map(|span| ("context.posture.edr.age".to_owned(), format!("duration(\"{span}ms\")"))),
        2 => (0..50_i64).prop_map(|millis| {
            ("context.now".to_owned(), format!("datetime(\"2026-01-01T00:00:00.{millis:03}Z\")"))
        }),
        1 => instant.prop_map(|instant| ("context.now".to_owned(), format!("context.session.{instant}"))),
    ];
    (sides, op, any::<bool>()).prop_map(|((left, right), op, swap)| {
        if swap { format!("({right} {op} {left})") } else { format!("({left} {op} {right})") }
    })
}

fn condition() -> impl Strategy<Value = String> {
    comparison().prop_recursive(3, 6, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} && {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} || {b})")),
            inner.prop_map(|a| format!("!{a}")),
        ]
    })
}

fn policy() -> impl Strategy<Value = String> {
    let effect = prop::sample::select(vec!["permit", "permit", "permit", "forbid"]);
    let principal = prop::sample::select(vec![
        "principal",
        "principal is Zt::User",
        "principal in Zt::Group::\"staff\"",
        "principal in Zt::Group::\"quarantine\"",
        "principal == Zt::User::\"https://idp.example|alice\"",
        "principal == Zt::User::\"https://idp.example|bob\"",
        "principal in Zt::User::\"https://idp.example|alice\"",
        "principal is Zt::User in Zt::Group::\"staff\"",
    ]);
    let resource = prop::sample::select(vec![
        "resource",
        "resource == Zt::Resource::\"wiki\"",
        "resource in Zt::Resource::\"wiki\"",
        "resource == Zt::Resource::\"db\"",
        "resource is Zt::Resource in Zt::Segment::\"intranet\"",
        "resource in Zt::Segment::\"intranet\"",
    ]);
    let clause = prop::sample::select(vec!["when", "unless"]);
    (effect, principal, resource, clause, condition()).prop_map(
        |(effect, principal, resource, clause, condition)| {
            format!("{effect} ({principal}, action, {resource}) {clause} {{ {condition} }};")
        },
    )
}

prop_compose! {
    fn times()(instants in prop::array::uniform3(-30..=0_i64), absent in prop::bool::weighted(0.1),
               found in -30..20_i64, status in 0..4_usize) -> ([i64; 3], bool, i64, usize) {
        (instants, absent, found, status)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_decision_is_constant_for_as_long_as_it_holds(
        policies in prop::collection::vec(policy(), 1..4),
        ([started, login, mfa], absent, found, status) in times(),
    ) {
        // A comparison that is always true or false can make a policy impossible, which is refused; so are those that
        // begin to hold, or lift, with the age of a fact.
        let texts = that_load(&policies, numbered);
        prop_assume!(!texts.is_empty());
        let mut world = World::with(&numbered(&texts));
        world.join("staff");
        world.session.started_at = at(started);
        world.session.assurance.authenticated_at = at(login);
        world.session.assurance.mfa = if absent { Mfa::Absent } else { Mfa::At(at(mfa)) };
        let status = [FactStatus::Pass, FactStatus::Fail, FactStatus::Unknown, FactStatus::Unsupported][status];
        world.report("edr", (status, FactValue::Bool(true)), at(found));
        for resource in ["wiki", "db"] {
            let mut answer = world.ask(resource);
            for millis in 0..HORIZON {
                world.now = at(millis);
                let fresh = world.ask(resource);
                let due = matches!(answer.valid, Validity::Until(until) if until <= world.now);
                if due {
                    prop_assert!(fresh.valid > Validity::Until(world.now) || fresh.valid == Validity::Unlimited);
                    answer = fresh;
                } else {
                    prop_assert_eq!(&fresh.effect, &answer.effect, "{} at {}", resource, millis);
                    prop_assert_eq!(&fresh.because, &answer.because, "{} at {}", resource, millis);
                    prop_assert_eq!(fresh.valid, answer.valid, "{} at {}", resource, millis);
                }
            }
            world.now = NEW_YEAR;
        }
    }
}

trait ValidityOrder {
    fn instant(&self) -> Option<Timestamp>;
}

impl ValidityOrder for Validity {
    fn instant(&self) -> Option<Timestamp> {
        match self {
            Self::Unlimited => None,
            Self::Until(at) => Some(*at),
        }
    }
}

#[test]
fn each_comparison_turns_at_its_very_millisecond() {
    let since = "context.now.durationSince(context.session.mfa.at)";
    let day = "datetime(\"2026-01-01T00:00:00.020Z\")";
    let c = "duration(\"20ms\")";
    for (condition, before, turns) in [
        (format!("{since} < {c}"), true, 20),
        (format!("{since} <= {c}"), true, 21),
        (format!("{since} > {c}"), false, 21),
        (format!("{since} >= {c}"), false, 20),
        (format!("{c} > {since}"), true, 20),
        (format!("{c} >= {since}"), true, 21),
        (format!("{c} < {since}"), false, 21),
        (format!("{c} <= {since}"), false, 20),
        (format!("context.posture.edr.age < {c}"), true, 20),
        (format!("context.posture.edr.age <= {c}"), true, 21),
        (format!("context.now < {day}"), true, 20),
        (format!("{day} >= context.now"), true, 21),
    ] {
        let mut world = World::with(&numbered(&[&format!(
            "permit (principal, action, resource) when {{ {condition} }};"
        )]));
        world.session.assurance.mfa = Mfa::At(NEW_YEAR);
        world.report("edr", (FactStatus::Pass, FactValue::Bool(true)), NEW_YEAR);
        let stale = Validity::Until(NEW_YEAR.after(Duration::from_hours(300 * 24)));
        let later = if condition.contains("posture") { stale } else { Validity::Unlimited };
        let answer = world.ask("wiki");
        assert_eq!(
            (answer.effect == Effect::Allow, answer.valid),
            (before, Validity::Until(at(turns))),
            "{condition}"
        );
        world.now = at(turns - 1);
        assert_eq!(world.effect("wiki") == Effect::Allow, before, "{condition}");
        world.now = at(turns);
        let answer = world.ask("wiki");
        assert_eq!((answer.effect == Effect::Allow, answer.valid), (!before, later), "{condition}");
    }
}

#[test]
fn policies_for_others_limit_nothing() {
    let world = World::with(&numbered(&[
        "permit (principal in Zt::Group::\"staff\", action, resource) when { context.now < datetime(\"2030-01-01\") };",
        "permit (principal, action, resource == Zt::Resource::\"db\") when { context.now < datetime(\"2030-01-01\") };",
    ]));
    assert_eq!(world.ask("wiki").valid, Validity::Unlimited);
    assert!(world.ask("db").valid.instant().is_some());
}

#[test]
fn a_fact_from_the_future_limits_until_it_is_known() {
    let mut world =
        World::with(&numbered(&["permit (principal, action, resource) when { context.posture.edr.value };"]));
    let later = NEW_YEAR.after(Duration::from_secs(1));
    world.report("edr", (FactStatus::Pass, FactValue::Bool(true)), later);
    assert_eq!(world.ask("wiki").valid, Validity::Until(later));
    world.now = later;
    assert_eq!(world.effect("wiki"), Effect::Allow);
}
