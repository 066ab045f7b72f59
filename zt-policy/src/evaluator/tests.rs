use std::str::FromStr as _;

use cedar_policy::{Entities, Policy, pst};

use super::*;

/// The way of an embedder who decides without Cedar's request types.
#[test]
fn a_program_runs_on_values_made_by_hand() {
    let policy = Policy::from_str(
        r#"permit (principal, action, resource) when {
            principal.level >= 3 && principal in Group::"staff" && resource in Segment::"office"
            && context.now.durationSince(context.session.at) < duration("8h")
            && context.windows.contains("day") && [principal, resource].contains(resource)
        };"#,
    )
    .unwrap();
    let pst::Policy::Static(policy) = policy.to_pst().unwrap() else { panic!("not static") };
    let mut symbols = Symbols::default();
    let program = Program::lower(policy.body(), &mut symbols).unwrap();

    let store = Entities::from_json_str(
        r#"[
            {"uid": {"type": "Group", "id": "staff"}, "attrs": {}, "parents": []},
            {"uid": {"type": "Segment", "id": "office"}, "attrs": {}, "parents": []},
            {"uid": {"type": "Host", "id": "printer"}, "attrs": {}, "parents": [{"type": "Segment", "id": "office"}]}
        ]"#,
        None,
    );
    let graph = Graph::new(symbols, &store.unwrap()).unwrap();

    let mut facts = Facts::new(&graph);
    let values = facts.values();
    let alice = values.symbols.uid("User", "alice");
    let staff = values.symbols.uid("Group", "staff");
    let printer = values.symbols.uid("Host", "printer");
    let attributes = values.record([("level", Value::Long(3))]);
    let (day, night) = (values.text("day"), values.text("night"));
    let windows = values.set(vec![night, day]);
    let session = values.record([("at", Value::Datetime(1000))]);
    let context = [("now", Value::Datetime(2000)), ("session", session), ("windows", windows)];
    let context = values.record(context);
    facts.bind_principal(alice, attributes, vec![staff]);
    facts.bind_context(context);

    let mut scratch = Scratch::default();
    assert_eq!(program.run(&facts, printer, &mut scratch), Outcome::True);
    assert_eq!(program.run(&facts, alice, &mut scratch), Outcome::False);
    facts.bind_principal(alice, Value::Bool(true), vec![staff]);
    assert_eq!(program.run(&facts, printer, &mut scratch), Outcome::Error);
}
