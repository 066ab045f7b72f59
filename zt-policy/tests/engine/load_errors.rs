//! What is refused at load, and in which words.

use zt_core::event::PolicySource;
use zt_policy::MAX_POLICIES;

use crate::world::{World, numbered, policies};

const PERMIT: &str = "permit (principal, action, resource)";

fn error(source: &PolicySource) -> String {
    World::new(crate::world::SITE).load(source).expect_err("refused").to_string()
}

/// `permit .. when { condition };` is refused, in these words.
#[track_caller]
fn refused(condition: &str, words: &str) {
    for effect in ["permit", "forbid"] {
        let said =
            error(&numbered(&[&format!("{effect} (principal, action, resource)\nwhen {{ {condition} }};")]));
        assert!(said.starts_with("p.cedar:1: "), "{condition}: {said}");
        assert!(said.contains("p0"), "{condition}: names no policy: {said}");
        assert!(said.contains(words), "{condition}: {said}");
    }
}

fn loads(condition: &str) {
    let source = numbered(&[&format!("{PERMIT} when {{ {condition} }};")]);
    World::new(crate::world::SITE).load(&source).unwrap_or_else(|error| panic!("{condition}: {error}"));
}

#[test]
fn time_that_cannot_be_scheduled() {
    let at = "context.session.mfa.at";
    for condition in [
        format!("context.now == {at}"),
        format!("context.now != {at}"),
        format!("context.now.toDate() == {at}.toDate()"),
        "context.now.toTime() < duration(\"17h\")".to_owned(),
        format!("context.now.offset(duration(\"1h\")) < {at}"),
        format!("{at}.offset(duration(\"1h\")) < context.now"),
        format!("{at}.durationSince(context.now) < duration(\"1h\")"),
        format!("context.now.durationSince({at}) == duration(\"1h\")"),
        format!("context.now.durationSince({at}).toHours() < 3"),
        format!("context.now.durationSince({at}) < context.posture.edr.age"),
        "context.now.durationSince(datetime(\"2026-01-01\")) < duration(\"1h\")".to_owned(),
        format!("(if context.session.mfa.present then context.now else {at}) < datetime(\"2026-01-01\")"),
        format!("[context.now].contains({at})"),
        format!("{{ a: context.now }}.a < {at}"),
        "context[\"now\"] == datetime(\"2026-01-01\")".to_owned(),
    ] {
        refused(&condition, "`context.now` cannot be scheduled like this");
    }
    for condition in [
        "context.posture.edr.age == duration(\"1h\")",
        "context.posture.edr.age.toHours() < 1",
        "context.posture.edr.age < context.posture.patches.age",
        "context.posture[\"edr\"][\"age\"] != duration(\"1h\")",
    ] {
        refused(condition, ".age` cannot be scheduled like this");
    }
}

#[test]
fn time_that_hides_in_a_whole() {
    refused("context == context", "`context` is used as a whole");
    refused("context.posture.edr == context.posture.edr", "`context.posture.edr` is used as a whole");
    refused(
        "(if context.session.mfa.present then context.posture.edr else context.posture.edr).tier > 0",
        "as a whole",
    );
    refused("[context.posture].contains(context.posture)", "`context.posture` is used as a whole");
}

#[test]
fn time_that_can_be_scheduled_loads() {
    let at = "context.session.mfa.at";
    for op in ["<", "<=", ">", ">="] {
        loads(&format!("context.now.durationSince({at}) {op} duration(\"1h\")"));
        loads(&format!("duration(\"1h\") {op} context.now.durationSince({at})"));
        loads(&format!(
            "context.posture.edr.status == \"pass\" && context.posture.edr.age {op} duration(\"15m\")"
        ));
        loads(&format!("context.now {op} datetime(\"2026-01-01T10:00:00Z\")"));
        loads(&format!("context.session.startedAt {op} context.now"));
    }
    loads("context.windows.contains(\"office\") && context.session.startedAt < context.session.mfa.at");
}

#[test]
fn windows_are_asked_for_by_declared_names_only() {
    refused("context.windows.contains(\"siesta\")", "declares no window `siesta`");
    refused("context.windows.contains(context.session.acr)", "takes the name of a declared window");
    refused("context.windows.containsAny([\"office\"])", "may only be asked");
    refused("context.windows.isEmpty()", "may only be asked");
}

#[test]
fn a_forbid_that_lifts_or_fails() {
    let forbid = |condition: &str| {
        error(&numbered(&[&format!("forbid (principal, action, resource) when {{ {condition} }};")]))
    };
    let status = "context.posture.edr.status == \"fail\"";
    for condition in [
        format!("context.posture has edr && {status}"),
        format!("context has posture && {status}"),
        format!("context has posture.edr && {status}"),
        format!("context.posture.edr has status && {status}"),
    ] {
        assert!(forbid(&condition).contains("`has` on the context in a forbid"), "{}", forbid(&condition));
    }
    for (condition, what) in [
        ("context.posture.patches.value + 1 > 5", "`+` in a forbid"),
        ("context.posture.patches.value - 1 > 5", "`-` in a forbid"),
        ("context.posture.patches.value * 4611686018427387904 > 5", "`*` in a forbid"),
        ("-context.posture.patches.value > 5", "arithmetic in a forbid"),
        (
            "context.session.startedAt.offset(duration(\"1d\")) > context.session.mfa.at",
            "`offset` in a forbid",
        ),
    ] {
        assert!(forbid(condition).contains(what), "{}", forbid(condition));
    }
}

#[test]
fn entities_that_are_not_in_the_store() {
    for condition in [
        "Zt::User::\"i|a\" in Zt::Group::\"staff\"",
        "(if principal == resource then Zt::User::\"i|a\" else principal) in Zt::Group::\"staff\"",
        "(if context.session.mfa.present then principal else principal) in Zt::Group::\"staff\"",
    ] {
        refused(condition, "`in` can be asked of");
    }
    refused("Zt::User::\"i|a\" is Zt::User in Zt::Group::\"staff\"", "`in` can be asked of");
    refused("{ a: true }.a", "attributes can be read of");
    refused("Zt::User::\"i|a\" has risk", "attributes can be asked of");
}

#[test]
fn names_that_the_site_does_not_declare() {
    refused("principal in Zt::Group::\"nobody\"", "declares no group `nobody`");
    refused("principal in [Zt::Group::\"staff\", Zt::Group::\"nobody\"]", "declares no group `nobody`");
    refused("resource in Zt::Segment::\"nowhere\"", "declares no segment `nowhere`");
    refused("resource == Zt::Resource::\"nothing\"", "declares no resource `nothing`");
    refused("principal is Zt::User in Zt::Group::\"nobody\"", "declares no group `nobody`");
    refused("context.posture.edr.status == \"passed\"", "no fact has the status `passed`");
    refused("\"failed\" != context.posture.edr.status", "no fact has the status `failed`");
    refused("principal == Zt::User::\"alice\"", "people are named `issuer|subject`");
    loads("principal == Zt::User::\"https://idp.example|alice\"");
    for scope in [
        "principal in Zt::Group::\"x\", action, resource",
        "principal is Zt::User in Zt::Group::\"x\", action, resource",
        "principal, action, resource == Zt::Resource::\"x\"",
        "principal, action, resource in Zt::Segment::\"x\"",
        "principal, action, resource is Zt::Resource in Zt::Segment::\"x\"",
    ] {
        let said = error(&numbered(&[&format!("permit ({scope});")]));
        assert!(said.contains("the site declares no"), "{scope}: {said}");
    }
}

#[test]
fn what_strict_validation_refuses() {
    refused("context.posture.firewall.status == \"pass\"", "`posture.firewall`");
    refused("context.posture.edr.value == \"true\"", "");
    refused("context.device.compromised == true", "`device.compromised`");
    refused("principal.risk > 5", "`risk`");
    refused("\"staff\" in Zt::Group::\"staff\"", "AnyEntity");
    refused("principal in Group::\"staff\"", "Group");
    refused("context.now < datetime(\"yesterday\")", "");
    refused("context.now.durationSince(context.session.mfa.at) < duration(\"8\")", "");
    refused("false", "impossible");
    refused("context.session.acr == \"a\u{202e}b\"", "BIDI");
    let said = error(&numbered(&["permit (principal, action == Zt::Action::\"fly\", resource);"]));
    assert!(said.contains("fly"), "{said}");
}

#[test]
fn all_problems_are_told_at_once() {
    let said = error(&policies(
        "@id(\"a\") permit (principal, action, resource) when { context.nonsense };\n\n\
         @id(\"b\") forbid (principal, action, resource)\n when { context.windows.contains(\"w\") };",
    ));
    assert!(said.contains("p.cedar:1: ") && said.contains("p.cedar:3: policy `b`"), "{said}");
}

#[test]
fn ids_that_name_nothing_or_two() {
    let unnamed = format!("\n// first\n\n{PERMIT};");
    assert!(error(&policies(&unnamed)).starts_with("p.cedar:4: a policy without `@id(\"..\")`"));
    let twice = format!("@id(\"a\") {PERMIT};\n@id(\"b\") {PERMIT};\n@id(\"a\") {PERMIT};");
    assert_eq!(error(&policies(&twice)), "p.cedar:3: the id `a` is taken by the policy at p.cedar:1");
    assert!(error(&policies(&format!("@id {PERMIT};"))).contains("the id ``: an empty name"));
    assert!(error(&policies(&format!("@id(\"{}\") {PERMIT};", "x".repeat(257)))).contains("256 is the most"));
    assert!(error(&policies(&format!("@id(\"a\\nb\") {PERMIT};"))).contains("control character"));
    assert!(error(&policies(&format!("@id(\"a\") @id(\"b\") {PERMIT};"))).contains("duplicate annotation"));
    let mut source = policies(&format!("@id(\"a\") {PERMIT};"));
    source.policies.insert("q.cedar".to_owned(), format!("@id(\"a\") {PERMIT};"));
    assert_eq!(error(&source), "q.cedar:1: the id `a` is taken by the policy at p.cedar:1");
}

#[test]
fn templates() {
    let said = error(&numbered(&["permit (principal in ?principal, action, resource);"]));
    assert!(said.starts_with("p.cedar:1: ") && said.contains("template"), "{said}");
}

#[test]
fn texts_that_do_not_parse_name_the_line() {
    let said = error(&policies(&format!("@id(\"a\") {PERMIT};\n\n@id(\"b\") permit everything;")));
    assert!(said.starts_with("p.cedar:3: "), "{said}");
    assert!(error(&policies("@id(\"a\") permit (principal, action, resource)")).contains("does not end"));
}

/// Without the caps these end the process: Cedar's parser has no limit on depth.
#[test]
fn texts_too_deep_or_too_long_from_a_thread_with_a_small_stack() {
    let nested = |open: &str, close: &str, depth: usize| {
        format!("{PERMIT} when {{ {}true{} }};", open.repeat(depth), close.repeat(depth))
    };
    let cases = [
        (nested("(", ")", 5_000), "64 brackets"),
        (nested("[", "]", 5_000), "64 brackets"),
        (nested("{a:", "}", 5_000), "64 brackets"),
        (nested("if ", " then true else true", 600), "split it"),
        (nested("true && ", "", 600), "split it"),
        (nested("", ".a", 5_000), "split it"),
        (nested("!", "", 5_000), "split it"),
        (nested("1 + ", "", 600), "split it"),
        (nested("", "[\"a\"]", 2_000), "split it"),
        (nested("", "()", 5_000), "function calls"),
        (nested("(\")\") == (", "// )\n)", 5_000), "64 brackets"),
        (format!("{PERMIT} {};", "when { true } ".repeat(600)), "split it"),
        (nested("", "// (\n", 50), ""),
    ];
    let small = std::thread::Builder::new().stack_size(128 * 1024);
    let check = move || {
        for (text, words) in cases {
            let source = numbered(&[&text]);
            let outcome = crate::world::World::new(crate::world::SITE).load(&source);
            match outcome {
                Err(error) if !words.is_empty() => {
                    assert!(error.to_string().contains(words), "{words}: {error}");
                }
                Ok(_) => assert_eq!(words, ""),
                Err(error) => panic!("{error}"),
            }
        }
    };
    small.spawn(check).expect("a thread").join().expect("no panic");
}

#[test]
fn texts_at_the_limits_load_from_a_thread_with_a_small_stack() {
    let deep = format!("{PERMIT} when {{ {}true{} }};", "(".repeat(63), ")".repeat(63));
    let sets = format!(
        "{PERMIT} when {{ {}1{} == {}1{} }};",
        "[".repeat(60),
        "]".repeat(60),
        "[".repeat(60),
        "]".repeat(60)
    );
    let long = format!("{PERMIT} when {{ {}true }};", "true && ".repeat(255));
    let ifs = format!("{PERMIT} when {{ {}true{} }};", "if true then ".repeat(254), " else true".repeat(254));
    let small = std::thread::Builder::new().stack_size(128 * 1024);
    let check =
        move || World::new(crate::world::SITE).load(&numbered(&[&deep, &sets, &long, &ifs])).map(|_| ());
    small.spawn(check).expect("a thread").join().expect("no panic").expect("valid");
}

#[test]
fn too_many_policies() {
    let said = error(&policies(&"a;".repeat(MAX_POLICIES + 1)));
    assert_eq!(said, "policy bundle: 100001 policies, 100000 is the most");
}

fn with_schema(schema: &[&str]) -> PolicySource {
    let files = schema.iter().enumerate().map(|(n, text)| (format!("s{n}.cedarschema"), (*text).to_owned()));
    PolicySource { schema: files.collect(), ..PolicySource::default() }
}

#[test]
fn schema_files_that_define_more_than_types_of_the_site() {
    for (text, words) in [
        ("namespace Zt { type X = Long; }", "redefines `Zt`"),
        ("namespace Zt { entity User; }", "redefines `Zt`"),
        ("namespace Site { } namespace Zt { }", "redefines `Zt`"),
        ("namespace Zt::Sub { type X = Long; }", "defines `Zt::Sub`"),
        ("namespace Other { type X = Long; }", "defines `Other`"),
        ("namespace __cedar { type X = Long; }", "reserved"),
        ("type X = Long;", "outside of `namespace Site"),
        ("namespace Site { entity Robot; }", "defines the entity `Site::Robot`"),
        ("namespace Site { action fly; }", "defines the action"),
        ("namespace Site { type UserAttributes = Long; }", "Record"),
        ("namespace Site { type UserAttributes = { a: Nope }; }", "Nope"),
        ("namespace Site { type A = B; type B = A; }", "cycle"),
        ("namespace Site {", "bracket"),
        ("nonsense", "s0.cedarschema: "),
    ] {
        let said = error(&with_schema(&[text]));
        assert!(said.contains(words), "{text}: {said}");
    }
    let twice = "namespace Site { type UserAttributes = {}; }";
    assert!(error(&with_schema(&[twice, twice])).contains("s0.cedarschema, s1.cedarschema: "));
}

#[test]
fn schema_files_too_deep_or_too_long() {
    let sets = format!("namespace Site {{ type A = {}Long{}; }}", "Set<".repeat(5_000), ">".repeat(5_000));
    assert!(error(&with_schema(&[&sets])).contains("64 brackets"));
    let chain: String = (0..2_700).map(|n| format!("type A{n}=A{};", n + 1)).collect();
    let chain = format!("namespace Site {{ {chain} type A2700 = Long; }}");
    World::new(crate::world::SITE).load(&with_schema(&[&chain])).expect("long, but within the limits");
    assert!(error(&with_schema(&[&format!("// {}", "x".repeat(70_000))])).contains("bytes of schema"));
}

#[test]
fn attributes_of_resources_that_do_not_fit() {
    let site =
        |attributes: &str| crate::world::SITE.to_owned() + &format!("attributes = {{ {attributes} }}\n");
    let schema =
        with_schema(&["namespace Site { type ResourceAttributes = { tier: Long, note?: String }; }"]);
    let load = |text: &str, schema: &PolicySource| {
        let text =
            text.replace("services = [\"tcp/1\"]", "services = [\"tcp/1\"]\nattributes = { tier = 1 }");
        World::new(&text).load(schema).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(load(&site("tier = 2, note = \"x\""), &schema), Ok(()));
    for attributes in ["tier = true", "tier = 2, note = 3", "tier = 2, colour = \"red\"", "note = \"x\""] {
        let said = load(&site(attributes), &schema).expect_err("refused");
        assert!(said.starts_with("site, resource `wiki`: "), "{said}");
        let attribute = ["colour", "note"]
            .into_iter()
            .find(|name| attributes.starts_with("tier = 2") && attributes.contains(name));
        assert!(said.contains(attribute.unwrap_or("tier")), "{attributes}: {said}");
    }
    let said =
        World::new(&site("tier = 2")).load(&PolicySource::default()).expect_err("no type, no attributes");
    assert!(said.to_string().contains("tier"), "{said}");
}

/// Cedar told one of several, or all of them in the order of a hash table.
#[test]
fn the_same_schema_is_refused_in_the_same_words() {
    for text in [
        "namespace Site { entity Robot; entity Android; entity Golem; entity Cyborg; }",
        "namespace Site { action fly; action swim; action walk; action run; }",
        "namespace Site { type UserAttributes = { a: Nope, b: Never, c: Nothing, d: Nowhere }; }",
        "namespace Site { type A = B; type B = A; type C = D; type D = C; type E = F; type F = E; }",
        "namespace Site { type A = A; type B = B; type C = C; }",
        "namespace Site { type A = Long; type A = Bool; type B = Long; type B = Long; type C = Long; type C = Bool; }",
        "namespace Site { type UserAttributes = { a: datetime, b: datetime, c: ipaddr, d: {} }; }",
        "namespace Zt { type A = Long; } namespace Other { type A = Long; } namespace Third { type A = Long; }",
        "type X = Long; namespace Zt { type A = Long; } namespace Other { type A = Long; }",
        "namespace Site { type A = { x: Nope }; type B = { x: Never }; type C = { x: No }; type D = { x: Nowhere }; }",
        "namespace Site { type A = Nope; type B = Never; type C = No; type D = Nowhere; }",
        "namespace Site { action a in [b]; action b in [a]; action c in [d]; action d in [c]; }",
        "namespace Site { type Long = Bool; type Bool = Long; type String = Long; }",
        "namespace Site { type Set = Long; type Record = Long; type Entity = Long; type Extension = Long; }",
    ] {
        let first = error(&with_schema(&[text]));
        let others = (0..40).filter(|_| error(&with_schema(&[text])) != first).count();
        assert_eq!(others, 0, "{text}: {first}");
    }
}

/// Cedar gathers the errors of a policy in a hash set, so that each load told them in another order.
#[test]
fn the_same_policies_are_refused_in_the_same_words() {
    let text = format!(
        "@id(\"a\") {PERMIT} when {{ principal.one == 1 && principal.two == 2 && principal.three == 3 && \
         resource.four == 4 && ip(principal.five).isLoopback() }};"
    );
    let first = error(&policies(&text));
    for _ in 0..50 {
        assert_eq!(error(&policies(&text)), first);
    }
}

/// Names that are taken were told before a text that does not parse, if another processor had that.
#[test]
fn what_is_said_does_not_depend_on_the_number_of_processors() {
    // Two policies of one name at the front, one that cannot be parsed at the end; in one part, and in several.
    for policies_between in [2, 600] {
        let mut text = format!("@id(\"a\") {PERMIT};\n@id(\"a\") {PERMIT};\n");
        for n in 0..policies_between {
            text.push_str(&format!("@id(\"p{n}\") {PERMIT};\n"));
        }
        text.push_str("@id(\"z\") permit everything;\n");
        let said = error(&policies(&text));
        assert!(!said.contains("is taken by"), "{said}");
    }
}
