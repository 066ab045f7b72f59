//! The same input gives the same version and the same answers; any other input another version.

use std::collections::BTreeSet;

use zt_core::decide::Decide as _;
use zt_core::event::PolicySource;
use zt_core::id::Issuer;
use zt_core::identity::Subject;
use zt_policy::{PolicyEngine, read_bundle, schema_text, user_id};

use crate::world::{SITE, World, numbered, policies, site};

const PERMIT: &str = "permit (principal, action, resource)";

#[test]
fn versions_tell_apart_what_decides_differently() {
    let base = || PolicySource {
        policies: [("a".to_owned(), format!("@id(\"a\") {PERMIT};")), ("b".to_owned(), String::new())].into(),
        schema: [("s".to_owned(), "namespace Site {}".to_owned())].into(),
    };
    let mut versions = BTreeSet::new();
    let mut load = |source: &PolicySource, text: &str| {
        let version = PolicyEngine::new().load(source, &site(text)).expect("valid");
        assert_eq!(PolicyEngine::new().load(source, &site(text)), Ok(version), "the same again");
        versions.insert(version);
    };
    load(&base(), SITE);
    let mut moved = base();
    moved.policies =
        [("a".to_owned(), String::new()), ("b".to_owned(), format!("@id(\"a\") {PERMIT};"))].into();
    load(&moved, SITE);
    let mut other = base();
    other.schema.insert("s".to_owned(), "namespace Site { type X = Long; }".to_owned());
    load(&other, SITE);
    for (from, to) in [
        ("id = \"patches\"", "id = \"patched\""),
        ("kind = \"long\"", "kind = \"string\""),
        ("id = \"quarantine\"", "id = \"guests\""),
        ("id = \"office\"", "id = \"night\""),
        ("id = \"db\"", "id = \"dc\""),
        ("segments = [\"intranet\"]", "segments = []"),
    ] {
        load(&base(), &SITE.replace(from, to));
    }
    // The same letters, cut into names elsewhere.
    load(&base(), &SITE.replace("\"staff\"", "\"taff\"").replace("\"quarantine\"", "\"quarantines\""));
    // What routes packets but decides nothing is no part of the version.
    load(&base(), &SITE.replace("tcp/1", "tcp/9"));
    assert_eq!(versions.len(), 10);
}

#[test]
fn policies_are_known_by_their_ids_whatever_their_order() {
    let one =
        World::with(&policies(&format!("@id(\"b\") {PERMIT}; @id(\"a\") {PERMIT}; @id(\"C\") {PERMIT};")));
    assert_eq!(one.ask("wiki").because, ["C", "a", "b"]);
    let two =
        World::with(&policies(&format!("@id(\"a\") {PERMIT}; @id(\"C\") {PERMIT}; @id(\"b\") {PERMIT};")));
    assert_eq!(one.ask("wiki"), two.ask("wiki"));
    for _ in 0..20 {
        assert_eq!(one.ask("wiki"), one.ask("wiki"), "not in the order of a hash map");
    }
}

#[test]
fn an_engine_may_be_shared_by_threads() {
    const fn shared<T: Send + Sync>() {}
    shared::<PolicyEngine>();
}

#[test]
fn people_have_one_id_each() {
    let id = |issuer: &str, name: &str| {
        user_id(&Subject::new(Issuer::new(issuer).expect("an issuer"), name).expect("a name"))
    };
    assert_eq!(id("https://idp.example", "alice"), "https://idp.example|alice");
    let pairs =
        [("a", "b|c"), ("a|b", "c"), ("a%7Cb", "c"), ("a%257Cb", "c"), ("a%", "7Cb|c"), ("a", "b%7Cc")];
    let ids: BTreeSet<_> = pairs.iter().map(|(issuer, name)| id(issuer, name)).collect();
    assert_eq!(ids.len(), pairs.len());
}

#[test]
fn a_policy_names_one_person_of_one_issuer() {
    let mut world = World::with(&numbered(&[
        "permit (principal == Zt::User::\"https://idp.example|alice\", action, resource);",
    ]));
    assert_eq!(world.ask("wiki").because, ["p0"]);
    world.identity.subject =
        Subject::new(Issuer::new("https://other.example").expect("an issuer"), "alice").expect("a name");
    assert!(world.ask("wiki").because.is_empty());
}

#[test]
fn names_with_quotes_and_other_scripts_are_names() {
    let text = SITE
        .replace("id = \"edr\"", "id = 'läuft \"gut\\'")
        .replace("id = \"staff\"", "id = 'Leute \"x\\'")
        .replace("by = [\"staff\"]", "by = ['Leute \"x\\']");
    let condition =
        r#"context.posture["läuft \"gut\\"].status == "pass" || principal in Zt::Group::"Leute \"x\\""#;
    let mut world = World::new(&text);
    let source = numbered(&[&format!("{PERMIT} when {{ {condition} }};")]);
    world.load(&source).unwrap_or_else(|error| panic!("{error}\n{}", schema_text(&world.site)));
    assert!(world.ask("wiki").because.is_empty());
    world.join("Leute \"x\\");
    assert_eq!(world.ask("wiki").because, ["p0"]);
}

#[test]
fn bundles_are_read_whole_or_not_at_all() {
    let dir = std::env::temp_dir().join(format!("zt-policy-bundle-{}", std::process::id()));
    let said = |dir: &std::path::Path| read_bundle(dir).expect_err("refused").to_string();
    assert!(said(&dir).contains(&*dir.to_string_lossy()), "a missing folder");
    std::fs::create_dir(&dir).expect("a folder");
    assert_eq!(read_bundle(&dir).expect("an empty folder"), PolicySource::default());
    for (name, text) in [("b.cedar", "b"), ("a.cedar", "a"), ("s.cedarschema", "s"), ("README.md", "no")] {
        std::fs::write(dir.join(name), text).expect("a file");
    }
    let source = read_bundle(&dir).expect("a bundle");
    assert_eq!(source.policies.keys().collect::<Vec<_>>(), ["a.cedar", "b.cedar"]);
    assert_eq!(source.schema.keys().collect::<Vec<_>>(), ["s.cedarschema"]);
    std::fs::create_dir(dir.join("c.cedar")).expect("a folder");
    assert!(said(&dir).ends_with("c.cedar` is not a file"));
    std::fs::remove_dir(dir.join("c.cedar")).expect("removed");
    std::fs::write(dir.join("c.cedar"), [0xff]).expect("a file");
    assert!(said(&dir).ends_with("c.cedar` is not UTF-8"));
    let file = std::fs::File::create(dir.join("c.cedar")).expect("a file");
    file.set_len(zt_policy::MAX_BUNDLE_BYTES as u64).expect("a large file");
    assert!(said(&dir).contains("c.cedar` the bundle has more than"));
    std::fs::remove_dir_all(&dir).expect("removed");
}
