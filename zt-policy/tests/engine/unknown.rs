//! Which policies are refused because a fact could widen access by becoming unknown, and which are not.

use crate::world::{SITE, World, numbered};

fn load(policy: &str) -> Result<(), String> {
    let mut source = numbered(&[policy]);
    let types = "namespace Site { type UserAttributes = { level: Long, os: String }; }";
    source.schema.insert("s".to_owned(), types.to_owned());
    let site = SITE.to_owned() + "[[fact]]\nid = \"os\"\nkind = \"string\"\nmax-age = \"1h\"\n";
    World::new(&site).load(&source).map(|_| ()).map_err(|error| error.to_string())
}

/// A policy, with `edr`, `patches` and `os` for their facts.
fn policy(effect: &str, clause: &str, condition: &str) -> String {
    let mut condition = format!("{clause} {{ {condition} }}");
    for fact in ["edr", "patches", "os"] {
        for attribute in ["status", "value", "source", "tier", "age"] {
            let path = format!("context.posture.{fact}.{attribute}");
            condition = condition.replace(&format!("{fact}.{attribute}"), &path);
        }
    }
    format!("{effect} (principal, action, resource)\n{condition};")
}

#[track_caller]
fn loads(effect: &str, clause: &str, condition: &str) {
    let policy = policy(effect, clause, condition);
    load(&policy).unwrap_or_else(|error| panic!("{policy}\n{error}"));
}

#[track_caller]
fn refused(effect: &str, clause: &str, condition: &str, words: &str) {
    let policy = policy(effect, clause, condition);
    let said = load(&policy).expect_err(&policy);
    assert!(said.starts_with("p.cedar:1: policy `p0`: "), "{policy}\n{said}");
    assert!(said.contains(words), "{policy}\n{said}");
}

#[test]
fn what_an_author_is_told() {
    let said = |effect, condition| load(&policy(effect, "when", condition)).expect_err("refused");
    assert_eq!(
        said("forbid", "edr.status == \"fail\""),
        "p.cedar:1: policy `p0`: when `context.posture.edr` becomes unknown, this forbid can lift: the value of such a \
         fact is false, 0 or empty, its tier 0, its age a hundred years; write `unless { context.posture.edr.status == \
         \"pass\" && .. }`, with what it must be like in place of the dots"
    );
    assert_eq!(
        said("permit", "edr.status != \"fail\""),
        "p.cedar:1: policy `p0`: when `context.posture.edr` becomes unknown, this permit can begin to hold: the value \
         of such a fact is false, 0 or empty, its tier 0, its age a hundred years; write \
         `context.posture.edr.status == \"pass\" && ..` with what is asked of it"
    );
}

#[test]
fn permits_that_ask_for_what_is_known() {
    for condition in [
        "edr.status == \"pass\"",
        "edr.value",
        "edr.value == true && context.session.mfa.present",
        "edr.status == \"pass\" && edr.age <= duration(\"15m\") && edr.tier >= 2",
        "edr.status == \"pass\" && edr.value == false",
        "edr.value == false && edr.status == \"pass\"",
        "edr.status == \"pass\" && edr.age > duration(\"15m\")",
        "edr.status == \"pass\" && !(edr.tier < 2)",
        "edr.status == \"pass\" || os.status == \"pass\"",
        "edr.status == \"pass\" || (os.status == \"pass\" && os.value != \"12\")",
        "[\"pass\", \"fail\"].contains(edr.status) && patches.value > 3",
        "edr.status != \"unknown\" && edr.status != \"unsupported\" && !edr.value",
        "edr.status != \"unknown\"",
        "os.status == \"pass\" && (if os.value like \"12*\" then os.tier >= 1 else os.tier >= 2)",
        "if context.session.mfa.present then edr.status == \"pass\" else edr.value",
        "[\"12\", \"13\"].contains(os.value)",
        "os.value == \"12\" && \"osquery\" == os.source && os.status == \"pass\"",
        "patches.status == \"pass\" && patches.value > -5 && 30 >= patches.value",
        "principal.level * 4611686018427387904 > 5 && edr.status == \"pass\"",
    ] {
        loads("permit", "when", condition);
    }
    loads("permit", "unless", "edr.status != \"pass\" || os.value == \"\"");
    loads("permit", "when", "context.posture has edr && edr.status == \"pass\"");
    loads("permit", "when { edr.status == \"pass\" } unless", "edr.value");
}

#[test]
fn permits_that_begin_to_hold() {
    for condition in [
        "edr.status != \"fail\"",
        "edr.status == \"unknown\"",
        "edr.value == false",
        "!edr.value",
        "patches.value <= 30",
        "patches.value >= 0",
        "os.value == \"\"",
        "os.value != \"11\"",
        "os.value like \"*\"",
        "edr.tier < 2",
        "edr.age > duration(\"15m\")",
        "edr.age <= duration(\"36500d\")",
        "edr.status == \"pass\" || edr.value == false",
        "context.session.mfa.present || edr.value == false",
        "edr.status == \"pass\" && os.value == \"\"",
        "if edr.status == \"pass\" then edr.value else true",
        "if edr.status == \"pass\" then !edr.value else os.value == \"12\"",
        "if edr.status == \"fail\" then context.session.mfa.present else edr.value == false",
    ] {
        refused("permit", "when", condition, "becomes unknown, this permit can begin to hold");
    }
    for condition in
        ["edr.status == \"unsupported\"", "edr.status == \"pass\" || edr.status == \"unsupported\""]
    {
        refused("permit", "when", condition, "becomes unsupported, this permit can begin to hold");
    }
    refused("permit", "when", "edr.source == \"osquery\"", "can begin to hold");
    refused("permit", "unless", "edr.status == \"fail\"", "can begin to hold");
    refused("permit", "when { edr.status == \"pass\" || true } unless", "edr.value", "can begin to hold");
}

#[test]
fn forbids_that_stand() {
    for condition in [
        "edr.status != \"pass\"",
        "edr.status == \"unknown\"",
        "edr.age > duration(\"15m\")",
        "edr.value == false",
        "os.value == \"\"",
        "edr.tier < 2",
        "edr.status != \"pass\" || os.value == \"11\" || os.status != \"pass\"",
        "edr.status == \"fail\" || edr.status == \"unknown\" || edr.status == \"unsupported\"",
        "edr.status != \"pass\" && !edr.value",
        "if edr.status == \"pass\" then edr.value else true",
    ] {
        loads("forbid", "when", condition);
    }
    loads("forbid", "unless", "edr.status == \"pass\"");
    loads("forbid", "unless", "edr.status == \"pass\" && edr.age < duration(\"15m\") && edr.value == false");
    loads("forbid", "unless", "os.status == \"pass\" && os.value != \"12\"");
    loads("forbid", "unless", "edr.status == \"pass\" || os.status == \"pass\"");
    loads("forbid", "unless { resource in Zt::Segment::\"intranet\" } unless", "edr.status == \"pass\"");
}

#[test]
fn forbids_that_lift() {
    for condition in [
        "edr.status == \"fail\"",
        "edr.value == true",
        "edr.value",
        "patches.value > 30",
        "os.value like \"11*\"",
        "edr.age < duration(\"15m\")",
        "edr.status == \"fail\" || edr.age < duration(\"15m\")",
        "edr.status != \"pass\" && edr.value",
        "edr.status == \"unsupported\"",
    ] {
        refused("forbid", "when", condition, "becomes unknown, this forbid can lift");
    }
    // What is not known need not be unsupported.
    let unknown = "edr.status == \"fail\" || edr.status == \"unknown\"";
    refused("forbid", "when", unknown, "becomes unsupported, this forbid can lift");
    refused("forbid", "unless", "edr.status != \"fail\"", "this forbid can lift");
    refused("forbid", "unless", "edr.value == false", "this forbid can lift");
}

#[test]
fn tests_of_more_than_one_fact_and_constants() {
    for effect in ["permit", "forbid"] {
        for condition in [
            "edr.value == (patches.value > 3)",
            "edr.tier <= patches.tier",
            "os.value == principal.os",
            "(if context.session.mfa.present then os.value else \"12\") == \"12\"",
            "[edr.value].contains(context.session.mfa.present)",
            "principal in (if edr.value then Zt::Group::\"staff\" else Zt::Group::\"quarantine\")",
        ] {
            refused(effect, "when", condition, "` compares a fact with what is not a constant");
        }
    }
}

/// A failure denies, so it must not go away.
#[test]
fn failures_that_go_away() {
    for condition in [
        "patches.value * 4611686018427387904 > 5",
        "patches.status == \"pass\" && patches.value + 1 > 5",
        "patches.status == \"pass\" && principal.level * 4611686018427387904 > 5",
    ] {
        refused("permit", "when", condition, "arithmetic that can fail");
    }
}

#[test]
fn conditions_too_many_to_tell() {
    let all_of = |count: u32, test: &str| {
        (0..count).map(|n| test.replace('N', &n.to_string())).collect::<Vec<_>>().join(" && ")
    };
    // Each of these is always true, but has to be taken apart to see it.
    let always =
        "(patches.value > N && os.tier < N || patches.value > N && !(os.tier < N) || !(patches.value > N))"
            .replace("os.tier", "patches.tier");
    loads("permit", "when", &all_of(4, &always));
    refused("permit", "when", &all_of(8, &always), "too many conditions to tell");
    // What people write is far from it.
    loads("permit", "when", &all_of(30, "(patches.value == 10N || principal.level == N)"));
    let each = all_of(40, "os.value != \"N\"");
    loads("forbid", "unless", &format!("os.status == \"pass\" && {each}"));
    loads("permit", "when", &format!("{each} && os.status == \"pass\""));
}
