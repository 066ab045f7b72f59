//! What would turn a denial into an allow: who is told what.

use std::path::Path;
use std::time::Duration;

use zt_core::decide::{ClassId, Comparison, Decide as _, DenyCause, Effect, FactTest, Need, Remedy};
use zt_core::device::{FactStatus, FactValue, Facts, Tier};
use zt_core::id::{FactName, ResourceId, WindowId};
use zt_core::identity::{AttributeValue, Mfa};
use zt_core::time::Timestamp;
use zt_policy::read_bundle;

use crate::differential::source;
use crate::world::{NEW_YEAR, SITE, World, numbered};

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

/// The remedies that are told for a resource.
pub(crate) fn remedies(world: &World, resource: &str) -> Vec<Remedy> {
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
    world.device.facts = Facts::default();
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
    let world = World::new(SITE);
    assert_eq!(world.engine.remedies(&world.facts(), ClassId(0)), [], "no policies");
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
        (
            format!("{patches}.status == \"pass\" && {patches}.value != 3"),
            vec![passes("patches"), long(Comparison::NotEqual, 3)],
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
