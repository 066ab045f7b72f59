//! Collectors that others add.

use zt_core::device::{FactKind, FactValue};
use zt_posture::{Collector, Finding, Sysroot, collect_with};

use crate::fixture::{Fixture, NOW, shown};

/// Finds what it was made with.
struct Fixed(&'static str, FactKind, Finding);

impl Collector for Fixed {
    fn name(&self) -> &str {
        self.0
    }

    fn kind(&self) -> FactKind {
        self.1
    }

    fn find(&self, _: &Sysroot) -> Finding {
        self.2.clone()
    }
}

fn facts(collectors: &[Fixed]) -> Vec<String> {
    let collectors: Vec<&dyn Collector> = collectors.iter().map(|one| one as &dyn Collector).collect();
    let facts = collect_with(&collectors, &Fixture::new(&[]).root(), NOW);
    facts.iter().map(|fact| format!("{} {}", fact.name, shown(fact))).collect()
}

#[test]
fn findings_become_facts_in_the_order_of_names() {
    let pass = Fixed("b", FactKind::Long, Finding::pass(FactValue::Long(3), "/x"));
    let fail = Fixed("a", FactKind::Bool, Finding::fail(FactValue::Bool(true), "/y"));
    let none = Fixed("c", FactKind::String, Finding::Unsupported("no /z".into()));
    assert_eq!(facts(&[pass, fail, none]), ["a fail true: /y", "b pass 3: /x", r#"c unsupported "": no /z"#]);
}

#[test]
fn values_that_may_not_be_reported_are_unknown() {
    let text = |text: &str| Fixed("a", FactKind::String, Finding::pass(FactValue::String(text.into()), "/x"));
    let wrong = Fixed("a", FactKind::Bool, Finding::pass(FactValue::Long(1), "/x"));
    assert_eq!(facts(&[wrong]), ["a unknown false: a value of the wrong kind from `/x`"]);
    assert_eq!(facts(&[text("")]), [r#"a unknown "": `/x` gives an empty name"#]);
    assert_eq!(facts(&[text("a\nb")]), [r#"a unknown "": `/x` gives the control character '\n' in a name"#]);
    let long = "x".repeat(257);
    assert_eq!(facts(&[text(&long)]), [r#"a unknown "": `/x` gives a name of 257 bytes, 256 is the most"#]);
}

#[test]
fn two_of_one_name_are_unknown_and_a_name_that_is_none_makes_no_fact() {
    let pass = |name| Fixed(name, FactKind::Bool, Finding::pass(FactValue::Bool(true), "/x"));
    assert_eq!(facts(&[pass("a"), pass("a")]), ["a unknown false: two collectors have this name"]);
    assert_eq!(facts(&[pass(""), pass("a\n"), pass("b")]), ["b pass true: /x"]);
}

#[test]
fn reasons_are_short_and_fit_for_logs() {
    let long = Finding::Unknown(format!("a\n{}", "x".repeat(10_000)));
    let facts = facts(&[Fixed("a", FactKind::Bool, long)]);
    assert!(
        facts[0].starts_with("a unknown false: a\u{fffd}xxx")
            && facts[0].len() < 500
            && facts[0].ends_with('…'),
        "{facts:?}"
    );
}
