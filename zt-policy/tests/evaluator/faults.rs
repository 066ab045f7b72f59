//! What goes wrong must deny, and must not depend on whose stack it goes wrong on.
//!
//! Entities and requests that fit no schema are part of the random worlds.

use std::str::FromStr as _;
use std::thread::Builder;

use cedar_policy::{Context, Decision, Entities, PolicySet, Request};
use zt_policy::{Answer, Engine, Evaluator, MAX_LEVELS, MAX_LOWERED_STEPS, Unlowered};

use crate::compare::{Seen, check, expected, seen};

/// The forbids that Cedar is known to skip, each beside a permit: it allows, and says why it should not have.
#[test]
fn a_forbid_that_fails_denies() {
    let cases = [
        ("context.device.compromised == true", 1),
        ("!User::\"absent\".edr", 1),
        ("context.risk * 4611686018427387904 > 5", 1),
        ("context.now.offset(duration(\"9223372036854775807ms\")) > context.now", 1),
        ("ip(context.address).isLoopback()", 1),
        ("context.risk", 1),
        ("context.risk < \"high\"", 1),
        ("principal.getTag(\"team\") == \"red\"", 1),
        // Of these Cedar does not even say so: a value of another type, and somebody of whom nothing is known.
        ("context.risk == \"high\"", 0),
        ("principal in Group::\"quarantine\"", 0),
    ];
    for (condition, errors) in cases {
        let text = format!(
            "permit (principal, action, resource); forbid (principal, action, resource) when {{ {condition} }};"
        );
        let policies = PolicySet::from_str(&text).unwrap();
        let (evaluator, entities, request) = (compile(&policies), Entities::empty(), request());
        let store = evaluator.store(entities.clone()).unwrap();
        let prepared = store.prepare(request.clone()).unwrap();
        let expected = expected(&policies, &entities, &request);
        let mut answer = Answer::new();
        check(&evaluator, &prepared, &expected, &mut answer).unwrap();
        assert_eq!(answer.decision(), Decision::Allow, "{condition}");
        assert_eq!(answer.errors().len(), errors, "{condition}");
        let closed = if errors > 0 { Decision::Deny } else { Decision::Allow };
        assert_eq!(answer.fail_closed(), closed, "{condition}");
    }
}

/// Deep conditions have the outcome that Cedar finds when it has room, also on a stack of 128 KiB.
#[test]
fn depth_is_no_fault() {
    let shallow = MAX_LEVELS / 2;
    let deep = MAX_LEVELS * 2;
    let long = MAX_LOWERED_STEPS * 2;
    for (condition, lowered) in [
        (sum(shallow), None),
        (sum(deep), Some(Unlowered::TooDeep)),
        (sum(long), Some(Unlowered::TooLong(MAX_LOWERED_STEPS))),
        (choices(shallow), None),
        (choices(deep), Some(Unlowered::TooDeep)),
        (junction("&&", "true", MAX_LOWERED_STEPS - 100), None),
        (junction("||", "false", MAX_LOWERED_STEPS - 100) + " || true", None),
        (junction("&&", "true", long), Some(Unlowered::TooLong(MAX_LOWERED_STEPS))),
        (format!("context.nested{} == 1", ".a".repeat(60)), None),
        (format!("{}1{} == 1 || true", "(".repeat(60), ")".repeat(60)), None),
        (format!("{}1{} != [1]", "[".repeat(60), "]".repeat(60)), None),
    ] {
        let start: String = condition.chars().take(60).collect();
        let decided = with_stack(256, || decide(&condition, lowered.as_ref()));
        assert_eq!(decided.decision, Decision::Allow, "{start}");
        assert!(decided.errors.is_empty(), "{start}");
    }
}

/// Decides by all engines on a stack of 128 KiB, and compares with Cedar on this one.
fn decide(condition: &str, unlowered: Option<&Unlowered>) -> Seen {
    let text = format!("permit (principal, action, resource) when {{ {condition} }};");
    let policies = PolicySet::from_str(&text).unwrap();
    let (evaluator, entities, request) = (compile(&policies), Entities::empty(), request());
    assert_eq!(evaluator.unlowered().map(|(_, reason)| reason).next(), unlowered);
    let store = evaluator.store(entities.clone()).unwrap();
    let prepared = store.prepare(request.clone()).unwrap();
    let expected = expected(&policies, &entities, &request);
    std::thread::scope(|scope| {
        let small = Builder::new().stack_size(128 * 1024);
        let job = || {
            let mut answer = Answer::new();
            for engine in [Engine::Indexed, Engine::Stock, Engine::Lowered] {
                prepared.evaluate_with(engine, &mut answer);
                assert_eq!(seen(&evaluator, &answer), expected, "{engine:?}");
            }
            assert_eq!(answer.is_lowered(), unlowered.is_none());
        };
        small.spawn_scoped(scope, job).unwrap().join().unwrap();
    });
    expected
}

fn sum(terms: usize) -> String {
    format!("{} == {terms}", vec!["1"; terms].join(" + "))
}

fn junction(op: &str, operand: &str, count: usize) -> String {
    vec![operand; count].join(&format!(" {op} "))
}

fn choices(count: usize) -> String {
    format!("{}true", "if context.risk < 0 then false else ".repeat(count))
}

fn compile(policies: &PolicySet) -> Evaluator {
    Evaluator::new(policies.clone()).unwrap()
}

fn request() -> Request {
    let nested = format!("{}1{}", "{\"a\": ".repeat(60), "}".repeat(60));
    let context = format!(
        r#"{{"device": {{}}, "risk": 2, "address": "::ffff:10.0.0.1", "nested": {nested},
            "now": {{"__extn": {{"fn": "datetime", "arg": "2026-01-01"}}}}}}"#
    );
    let context = Context::from_json_str(&context, None).unwrap();
    let uid = |text: &str| text.parse().unwrap();
    Request::new(uid("User::\"alice\""), uid("Action::\"view\""), uid("Photo::\"beach\""), context, None)
        .unwrap()
}

fn with_stack<T: Send>(mebibytes: usize, job: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = Builder::new().stack_size(mebibytes * 1024 * 1024);
        thread.spawn_scoped(scope, job).unwrap().join().unwrap()
    })
}
