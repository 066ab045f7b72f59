//! What always holds: deny wins over every doubt (P2), and policies are replaced as a whole or not at all (P5).

use std::time::Duration;

use zt_core::decide::{ClassId, Decide as _, DenyCause, Effect, PolicyIndex, Validity};
use zt_core::device::{FactStatus, FactValue};
use zt_core::event::PolicySource;
use zt_core::identity::{AttributeValue, Mfa};
use zt_core::time::Timestamp;

use crate::world::{NEW_YEAR, SITE, World, numbered};

const PERMIT: &str = "permit (principal, action, resource);";
const IF_PASS: &str = "permit (principal, action, resource) when { context.posture.edr.status == \"pass\" };";
const UNLESS_PASS: &str =
    "forbid (principal, action, resource) unless { context.posture.edr.status == \"pass\" };";

fn before(at: Timestamp, span: Duration) -> Timestamp {
    Timestamp::from_millis(at.as_millis() - i64::try_from(span.as_millis()).expect("short"))
}

#[test]
fn inv_p2_absent_stale_or_foreign_posture_is_never_a_pass() {
    let pass = |at| (FactStatus::Pass, FactValue::Bool(true), at);
    let day = Duration::from_hours(24);
    let reports = [
        None,
        Some((FactStatus::Unknown, FactValue::Bool(true), NEW_YEAR)),
        Some((FactStatus::Unsupported, FactValue::Bool(true), NEW_YEAR)),
        Some((FactStatus::Fail, FactValue::Bool(true), NEW_YEAR)),
        Some((FactStatus::Pass, FactValue::Long(1), NEW_YEAR)),
        Some(pass(before(NEW_YEAR, day * 300))),
        Some(pass(NEW_YEAR.after(Duration::from_millis(1)))),
        Some(pass(Timestamp::from_millis(i64::MIN))),
        Some(pass(Timestamp::from_millis(i64::MAX))),
    ];
    for report in reports {
        for (source, cause) in
            [(&[IF_PASS][..], DenyCause::NotPermitted), (&[PERMIT, UNLESS_PASS], DenyCause::Forbidden)]
        {
            let mut world = World::with(&numbered(source));
            if let Some((status, value, at)) = report.clone() {
                world.report("edr", (status, value), at);
            }
            assert_eq!(world.denied("wiki"), cause, "{report:?}");
            world.report("edr", (FactStatus::Pass, FactValue::Bool(true)), NEW_YEAR);
            assert_eq!(world.effect("wiki"), Effect::Allow, "the control");
        }
    }
}

#[test]
fn inv_p2_times_in_the_future_deny_until_they_are_past() {
    let fresh = "permit (principal, action, resource)
        when { context.now.durationSince(context.session.mfa.at) < duration(\"8h\") };";
    let later = NEW_YEAR.after(Duration::from_millis(5));
    let shifts: [fn(&mut World, Timestamp); 3] = [
        |world, at| world.session.started_at = at,
        |world, at| world.session.assurance.authenticated_at = at,
        |world, at| world.session.assurance.mfa = Mfa::At(at),
    ];
    for shift in shifts {
        for source in [fresh, PERMIT] {
            let mut world = World::with(&numbered(&[source]));
            world.session.assurance.mfa = Mfa::At(NEW_YEAR);
            assert_eq!(world.effect("wiki"), Effect::Allow, "the control");
            shift(&mut world, later);
            let answer = world.ask("wiki");
            assert_eq!(answer.effect, Effect::Deny(DenyCause::InvalidFacts));
            assert_eq!(answer.valid, Validity::Until(later));
            world.now = later;
            assert_eq!(world.effect("wiki"), Effect::Allow);
        }
    }
}

#[test]
fn inv_p2_a_second_factor_never_shown_is_never_fresh_even_for_a_clock_that_starts_in_1970() {
    let fresh = "permit (principal, action, resource)
        when { context.now.durationSince(context.session.mfa.at) < duration(\"8h\") };";
    let mut world = World::with(&numbered(&[fresh]));
    assert_eq!(world.denied("wiki"), DenyCause::NotPermitted);
    world.now = Timestamp::from_millis(1_000);
    world.session.started_at = Timestamp::from_millis(0);
    world.session.assurance.authenticated_at = Timestamp::from_millis(0);
    assert_eq!(world.denied("wiki"), DenyCause::NotPermitted);
    world.session.assurance.mfa = Mfa::At(Timestamp::from_millis(0));
    assert_eq!(world.effect("wiki"), Effect::Allow);
}

#[test]
fn inv_p2_facts_that_cedar_cannot_represent_deny() {
    let mut world = World::with(&numbered(&[PERMIT]));
    world.session.started_at = Timestamp::from_millis(i64::MIN);
    assert_eq!(world.denied("wiki"), DenyCause::InvalidFacts);
    let mut world = World::with(&numbered(&[PERMIT]));
    world.now = Timestamp::from_millis(i64::MAX);
    assert_eq!(world.denied("wiki"), DenyCause::InvalidFacts);
}

#[test]
fn inv_p2_attributes_that_do_not_fit_the_schema_deny() {
    let mut world = World::with(&numbered(&[PERMIT]));
    world.set("surprise", AttributeValue::Long(1));
    assert_eq!(world.denied("wiki"), DenyCause::InvalidFacts);

    let mut source = numbered(&[PERMIT]);
    let types = "namespace Site { type UserAttributes = { team: Set<String>, level: Long, root?: Bool, name: String }; }";
    source.schema.insert("s".to_owned(), types.to_owned());
    let mut world = World::with(&source);
    let (level, name) = (AttributeValue::Long(1), AttributeValue::String("a\0\u{202e}\"".to_owned()));
    world.set("team", AttributeValue::Strings([].into())).set("level", level).set("name", name);
    assert_eq!(world.effect("wiki"), Effect::Allow);
    for (attribute, wrong) in [
        ("team", AttributeValue::String("a".to_owned())),
        ("level", AttributeValue::Bool(true)),
        ("root", AttributeValue::String("false".to_owned())),
        ("name", AttributeValue::Strings(["a".to_owned()].into())),
    ] {
        let kept = std::sync::Arc::clone(&world.identity.profile);
        world.set(attribute, wrong);
        assert_eq!(world.denied("wiki"), DenyCause::InvalidFacts, "{attribute}");
        world.identity.profile = kept;
    }
    assert_eq!(world.effect("wiki"), Effect::Allow);
}

#[test]
fn inv_p2_another_site_than_the_one_loaded_for_denies() {
    let mut world = World::with(&numbered(&[PERMIT]));
    world.site = crate::world::site(&SITE.replace("id = \"patches\"", "id = \"patched\""));
    assert_eq!(world.denied("wiki"), DenyCause::InvalidFacts);
}

#[test]
fn inv_p2_deny_trumps_allow_and_says_why() {
    let forbid = "forbid (principal, action, resource in Zt::Segment::\"intranet\");";
    let world = World::with(&numbered(&[PERMIT, forbid, PERMIT, forbid]));
    let answer = world.ask("wiki");
    assert_eq!(answer.effect, Effect::Deny(DenyCause::Forbidden));
    assert_eq!(answer.because, ["p1", "p3"]);
    let answer = world.ask("db");
    assert_eq!((answer.effect, answer.because), (Effect::Allow, vec!["p0".to_owned(), "p2".to_owned()]));
}

#[test]
fn inv_p2_what_was_never_loaded_or_does_not_exist_denies() {
    let mut world = World::new(SITE);
    assert_eq!(world.engine.classes().iter().count(), 0);
    assert_eq!(world.ask_class(ClassId(0)).effect, Effect::Deny(DenyCause::InvalidFacts));
    assert!(world.engine.is_empty() && world.engine.version().is_none());
    world.load(&numbered(&[PERMIT])).expect("valid");
    assert_eq!(world.ask_class(ClassId(2)).effect, Effect::Deny(DenyCause::InvalidFacts));
    assert_eq!(world.ask_class(ClassId(u32::MAX)).effect, Effect::Deny(DenyCause::InvalidFacts));
    assert_eq!(world.engine.policy_name(PolicyIndex(1)), "(no such policy)");
}

#[test]
fn inv_p5_an_invalid_set_leaves_the_old_one_in_force() {
    let mut world =
        World::with(&numbered(&["permit (principal, action, resource == Zt::Resource::\"wiki\");"]));
    let version = world.engine.version();
    let classes = world.engine.classes().clone();
    let misfit = PolicySource {
        schema: [("s".to_owned(), "namespace Site { type ResourceAttributes = { tier: Long }; }".to_owned())]
            .into(),
        ..numbered(&[PERMIT])
    };
    let broken = [
        numbered(&[PERMIT, "permit (principal, action, resource) when { context.nothing };"]),
        numbered(&[PERMIT, "nonsense"]),
        numbered(&[PERMIT, "permit (principal, action, resource) when { context.now == context.now };"]),
        PolicySource {
            schema: [("s".to_owned(), "namespace Zt {}".to_owned())].into(),
            ..numbered(&[PERMIT])
        },
        misfit,
    ];
    for source in broken {
        assert!(world.load(&source).is_err(), "{source:?}");
        assert_eq!(world.engine.version(), version);
        assert_eq!(world.engine.classes(), &classes);
        assert_eq!(world.ask("wiki").because, ["p0"]);
        assert_eq!(world.denied("db"), DenyCause::NotPermitted);
    }
    world.load(&numbered(&[PERMIT])).expect("valid");
    assert_ne!(world.engine.version(), version);
    assert_eq!(world.effect("db"), Effect::Allow);
}

#[test]
fn inv_p5_an_empty_set_means_no_access() {
    let mut world = World::with(&numbered(&[PERMIT]));
    assert!(!world.engine.is_empty());
    world.load(&PolicySource::default()).expect("valid");
    assert!(world.engine.is_empty());
    assert_eq!(world.denied("wiki"), DenyCause::NotPermitted);
    assert_eq!(world.ask("wiki").valid, Validity::Unlimited);
}

/// The controller never tells the engine of such an approval; it was taken for one of all that policies cannot tell apart
/// from that resource.
#[test]
fn an_approval_of_what_cannot_be_requested_is_of_that_resource_at_most() {
    let more = "[[resource]]\nid = \"wiki2\"\ngateways = \"main\"\naddresses = [\"10.100.0.3/32\"]\n\
                services = [\"tcp/2\"]\nsegments = [\"intranet\"]\n";
    let mut world = World::new(&(SITE.to_owned() + more));
    let permit = "permit (principal, action, resource) when { context.approved.contains(resource) };";
    world.load(&numbered(&[permit])).expect("valid");
    world.approve("wiki");
    assert_eq!(world.denied("wiki2"), DenyCause::NotPermitted);
}
