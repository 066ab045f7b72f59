use super::*;

fn split(text: &str) -> Result<Vec<Statement<'_>>, String> {
    statements("f.cedar", text).map_err(|error| error.to_string())
}

#[test]
fn policies_are_split_at_their_semicolons_only() {
    let text = "// one; two\n@id(\"a;b\")\npermit(a) when { \";\" };\n\n  forbid(b);";
    let found = split(text).expect("two policies");
    assert_eq!(found[0], Statement { text: "@id(\"a;b\")\npermit(a) when { \";\" };", line: 2 });
    assert_eq!(found[1], Statement { text: "forbid(b);", line: 5 });
    assert_eq!(split(" // nothing").expect("none"), []);
}

#[test]
fn what_hides_a_closer_is_refused_or_counted_right() {
    assert_eq!(
        split("permit(a").unwrap_err(),
        "f.cedar:1: a policy that does not end: no `;`, or an open bracket"
    );
    assert_eq!(
        split("permit(a // )\n;").unwrap_err(),
        "f.cedar:1: a policy that does not end: no `;`, or an open bracket"
    );
    assert_eq!(split("\npermit(a \");\" ];").unwrap_err(), "f.cedar:2: `]` closes nothing");
    assert_eq!(split("\n\npermit(a) \" ;").unwrap_err(), "f.cedar:3: a string that does not end");
    let hidden = format!("permit({}{};", "( // )\n".repeat(70), ")".repeat(71));
    assert_eq!(split(&hidden).unwrap_err(), "f.cedar:64: more than 64 brackets within each other");
    let harmless = format!("permit({}) // {}\n;", "\"((((\", ".repeat(100), "(".repeat(100));
    assert!(split(&harmless).is_ok());
}

#[test]
fn each_limit_holds_at_its_edge() {
    let nested = |depth: usize| format!("{}{};", "(".repeat(depth), ")".repeat(depth));
    assert!(split(&nested(MAX_DEPTH)).is_ok());
    assert!(split(&nested(MAX_DEPTH + 1)).is_err());
    for step in ["&&", "||", ".", "!", "[]", "+", "-", "*", "if ", "when ", "unless "] {
        let steps = |count: usize| format!("a {};", step.repeat(count));
        assert!(split(&steps(MAX_STEPS)).is_ok(), "{step}");
        assert!(split(&steps(MAX_STEPS + 1)).unwrap_err().contains("split it"), "{step}");
    }
    let long = |bytes: usize| format!("\"{}\";", "x".repeat(bytes - 3));
    assert!(split(&long(MAX_POLICY_BYTES)).is_ok());
    assert!(split(&long(MAX_POLICY_BYTES + 1)).is_err());
}

#[test]
fn steps_and_bytes_are_counted_for_each_policy_anew() {
    let one = format!("a{};", "&&b".repeat(MAX_STEPS));
    assert_eq!(split(&one.repeat(30)).map(|found| found.len()), Ok(30));
}

#[test]
fn schema_texts_may_not_nest_either() {
    let source =
        |text: String| PolicySource { schema: [("s".to_owned(), text)].into(), ..PolicySource::default() };
    let sets = |depth: usize| source(format!("type A = {}Long{};", "Set<".repeat(depth), ">".repeat(depth)));
    assert!(check(&sets(MAX_DEPTH)).is_ok());
    assert!(check(&sets(MAX_DEPTH + 1)).is_err());
    assert!(check(&source("type A = {".to_owned())).is_err());
    assert!(check(&source(format!("\"{}\"", "x".repeat(MAX_SCHEMA_BYTES)))).is_err());
}

mod agreement {
    //! The split against Cedar's own reading of the same text.

    use std::str::FromStr as _;

    use cedar_policy::{PolicySet, SchemaFragment};
    use proptest::prelude::*;

    use super::split;

    fn piece() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec![
            "permit(principal,action,resource)",
            "permit(principal,action,resource);",
            "forbid(principal,action,resource)when{context.a==\"x\"};",
            "@id(\"a;b\")",
            "@id(\"//\")",
            "when{\"}\"==\"\\\"\"}",
            "unless{1<2&&!(2>3||false)}",
            "when{[\";\",\"(\"].contains(\"//\")}",
            ";",
            "// ; ) \"\n",
            "// \\\" \r",
            "//",
            "\n",
            "\r",
            " ",
            "\u{85}",
            "\u{2028}",
            "\"",
            "\\",
            "/",
            "(",
            ")",
            "}",
        ])
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3_000))]

        #[test]
        fn what_cedar_takes_is_split_into_as_many_policies(pieces in prop::collection::vec(piece(), 0..8)) {
            let text = pieces.concat();
            let Ok(whole) = PolicySet::from_str(&text) else { return Ok(()) };
            let parts = split(&text).map_err(TestCaseError::fail)?;
            prop_assert_eq!(parts.len(), whole.policies().count());
            for part in parts {
                prop_assert!(cedar_policy::Policy::parse(None, part.text).is_ok(), "{}", part.text);
            }
        }

        #[test]
        fn schemas_that_cedar_takes_have_their_brackets_closed(
            pieces in prop::collection::vec(prop::sample::select(vec![
                "namespace Site{type A={\"}<\":Long};}", "type B=Set<Set<Long>>;", "type C={};", "// { \" \n", "//}\r",
                "@doc(\"{\")", "\"", "{", "}", "<", ">", "\n",
            ]), 0..6),
        ) {
            let text = pieces.concat();
            if SchemaFragment::from_cedarschema_str(&text).is_ok() {
                prop_assert_eq!(super::check_schema("s", &text), Ok(()));
            }
        }
    }
}
