//! Each way in which plain Cedar lets an erring forbid through, one by one: here it is refused at load, or denies.
//!
//! The rows are measured against plain Cedar, beside a permit that matches. None of these may end in an allow.

use zt_core::decide::{DenyCause, Effect};
use zt_core::device::{FactStatus, FactValue};
use zt_core::event::PolicySource;
use zt_core::identity::AttributeValue;

use crate::world::{NEW_YEAR, SITE, World, numbered};

const PERMIT: &str = "permit (principal, action, resource);";

fn forbid(condition: &str) -> PolicySource {
    numbered(&[PERMIT, &format!("forbid (principal, action, resource) when {{ {condition} }};")])
}

fn refused(source: &PolicySource) {
    let loaded = World::new(SITE).load(source);
    assert!(loaded.is_err(), "{source:?}");
}

fn with_schema(mut source: PolicySource, user: &str) -> PolicySource {
    let text = format!("namespace Site {{ type UserAttributes = {user}; }}");
    source.schema.insert("s.cedarschema".to_owned(), text);
    source
}

#[test]
fn row_1_an_attribute_that_is_absent() {
    refused(&forbid("context.device.compromised == true"));
    refused(&with_schema(forbid("principal.risk > 5"), "{ risk?: Long }"));
    let world = World::with(&with_schema(forbid("principal.risk > 5"), "{ risk: Long }"));
    assert_eq!(world.denied("wiki"), DenyCause::InvalidFacts);
}

#[test]
fn row_2_an_attribute_of_another_type() {
    let mut world =
        World::with(&with_schema(forbid("principal.compromised == true"), "{ compromised: Bool }"));
    world.set("compromised", AttributeValue::String("true".to_owned()));
    assert_eq!(world.denied("wiki"), DenyCause::InvalidFacts);
    world.set("compromised", AttributeValue::Bool(true));
    assert_eq!(world.denied("wiki"), DenyCause::Forbidden);
    world.set("compromised", AttributeValue::Bool(false));
    assert_eq!(world.effect("wiki"), Effect::Allow);
}

#[test]
fn row_2_a_fact_of_another_kind_is_unknown() {
    let unless = forbid("!(context.posture.edr.status == \"pass\" && context.posture.edr.value)");
    let mut world = World::with(&unless);
    world.report("edr", (FactStatus::Pass, FactValue::String("true".to_owned())), NEW_YEAR);
    assert_eq!(world.denied("wiki"), DenyCause::Forbidden);
    world.report("edr", (FactStatus::Pass, FactValue::Bool(true)), NEW_YEAR);
    assert_eq!(world.effect("wiki"), Effect::Allow);
}

#[test]
fn row_3_an_attribute_of_an_entity_that_is_not_there() {
    refused(&with_schema(forbid("Zt::User::\"i|a\".risk > 5"), "{ risk: Long }"));
    refused(&with_schema(forbid("principal.manager in Zt::Group::\"staff\""), "{ manager: Zt::User }"));
    // An attribute that is an entity has no value that a site or a provider could give.
    refused(&with_schema(forbid("!principal.manager.trusted"), "{ manager: Zt::User, trusted: Bool }"));
}

#[test]
fn row_4_arithmetic_that_overflows() {
    refused(&with_schema(forbid("principal.risk * 4611686018427387904 > 5"), "{ risk: Long }"));
    refused(&forbid("context.posture.patches.value + 9223372036854775807 > 5"));
}

#[test]
fn row_4_in_a_permit_beside_one_that_matches() {
    let overflow = "permit (principal, action, resource) when { principal.risk * 4611686018427387904 > 5 };";
    let mut world = World::with(&with_schema(numbered(&[PERMIT, overflow]), "{ risk: Long }"));
    world.set("risk", AttributeValue::Long(0));
    assert_eq!(world.ask("wiki").because, ["p0"]);
    world.set("risk", AttributeValue::Long(4));
    let answer = world.ask("wiki");
    assert_eq!(
        (answer.effect, answer.because),
        (Effect::Deny(DenyCause::EvaluationError), vec!["p1".to_owned()])
    );
}

#[test]
fn row_5_an_offset_that_overflows() {
    refused(&forbid("context.now.offset(duration(\"9223372036854775807ms\")) > context.session.mfa.at"));
    refused(&forbid(
        "context.session.mfa.at.offset(duration(\"9223372036854775807ms\")) > datetime(\"2026-01-01\")",
    ));
}

#[test]
fn row_6_a_stack_too_small_to_evaluate_on() {
    let chain = "context.posture.edr.status != \"pass\" || ".repeat(49);
    let nested = format!("{}{chain}context.posture.edr.status != \"pass\"{}", "(".repeat(60), ")".repeat(60));
    let steps = "if context.session.mfa.present then false else ".repeat(60);
    let mut world = World::with(&forbid(&nested));
    world.report("edr", (FactStatus::Fail, FactValue::Bool(false)), NEW_YEAR);
    let other = World::with(&forbid(&format!("{steps}true")));
    let small = std::thread::Builder::new().stack_size(96 * 1024);
    let check = move || {
        assert_eq!(world.denied("wiki"), DenyCause::Forbidden);
        assert_eq!(other.denied("wiki"), DenyCause::Forbidden);
    };
    small.spawn(check).expect("a thread").join().expect("no panic");
}

/// The deepest trees within the limits, on stacks of all sizes.
#[test]
fn row_6_the_deepest_policies_decide_as_they_read() {
    let deepest = [
        format!("{}false", "true && ".repeat(254)),
        format!("{}true", "false || ".repeat(254)).replace("false || true", "false || false"),
        format!("{}false{}", "if true then ".repeat(254), " else true".repeat(254)),
        format!("{}1{} == {}2{}", "[".repeat(60), "]".repeat(60), "[".repeat(60), "]".repeat(60)),
    ];
    for condition in deepest {
        let source =
            numbered(&[PERMIT, &format!("forbid (principal, action, resource) unless {{ {condition} }};")]);
        let world = World::with(&source);
        for kib in [96, 600, 1_100, 8_192, 17 * 1_024] {
            let cause = std::thread::scope(|scope| {
                let thread = std::thread::Builder::new().stack_size(kib * 1024);
                thread
                    .spawn_scoped(scope, || world.denied("wiki"))
                    .expect("a thread")
                    .join()
                    .expect("no panic")
            });
            assert_eq!(cause, DenyCause::Forbidden, "{kib} KiB: {condition}");
        }
    }
}

#[test]
fn row_7_a_person_in_no_store() {
    refused(&forbid("principal in Zt::Group::\"undeclared\""));
    let mut world = World::with(&forbid("principal in Zt::Group::\"quarantine\""));
    assert_eq!(world.effect("wiki"), Effect::Allow);
    world.join("quarantine");
    assert_eq!(world.denied("wiki"), DenyCause::Forbidden);
    world.join("undeclared");
    assert_eq!(world.denied("wiki"), DenyCause::InvalidFacts);
}

#[test]
fn row_8_in_applied_to_strings() {
    refused(&forbid("context.device.id in Zt::Group::\"quarantine\""));
    refused(&forbid("\"quarantine\" in context.windows"));
}

#[test]
fn row_9_four_thousand_brackets_on_a_small_stack() {
    let source = forbid(&format!("{}true{}", "(".repeat(4_000), ")".repeat(4_000)));
    let small = std::thread::Builder::new().stack_size(128 * 1024);
    small.spawn(move || refused(&source)).expect("a thread").join().expect("no panic");
}
