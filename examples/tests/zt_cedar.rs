//! `zt cedar authorize`, as a command.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails says so by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const EXPECTED: &str = r#"{"decision":"allow","reason":["owner"],"errors":[],"fail_closed":"allow","lowered":true}
{"decision":"allow","reason":["policy0"],"errors":[],"fail_closed":"allow","lowered":true}
{"decision":"deny","reason":["private"],"errors":[],"fail_closed":"deny","lowered":true}
{"decision":"deny","reason":[],"errors":[],"fail_closed":"deny","lowered":true}
{"decision":"allow","reason":["owner","policy0"],"errors":["policy3"],"fail_closed":"deny","lowered":true}
{"decision":"deny","reason":[],"errors":["private"],"fail_closed":"deny","lowered":true}
"#;

#[test]
fn all_engines_print_the_same() {
    for engine in ["stock", "indexed", "lowered"] {
        let output = authorize(&Files::default(), &["--engine", engine]);
        assert_eq!(text(&output.stderr), "", "{engine}");
        assert_eq!(output.status.code(), Some(0), "{engine}");
        assert_eq!(text(&output.stdout), EXPECTED, "{engine}");
    }
}

/// What is wrong is named, with the exit code 2, and nothing is printed before.
#[test]
fn bad_inputs_are_named() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = |name: &str, text: &str| {
        let path = dir.join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let good = fs::read_to_string(fixture("requests.json")).unwrap();
    let request = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        // The last, so that a part of the requests has been seen to be good.
        let (before, after) = good.rsplit_once(from).unwrap();
        let name: String = to.chars().filter(|c| c.is_alphanumeric()).collect();
        file(&format!("{name}.json"), &format!("{before}{to}{after}"))
    };
    let deep = format!(
        "permit (principal, action, resource) when {{ {}1{} == 1 }};",
        "(".repeat(9000),
        ")".repeat(9000)
    );
    let twice = "@id(\"a\") permit (principal, action, resource);\n".repeat(2);
    let files = Files::default;
    let cases = [
        (Files { schema: dir.join("none.cedarschema"), ..files() }, "none.cedarschema: "),
        (Files { schema: file("bad.cedarschema", "entity"), ..files() }, "bad.cedarschema: "),
        (Files { schema: file("bad.json", "{"), ..files() }, "bad.json: "),
        (Files { policies: file("bad.cedar", "\npermit (principal);"), ..files() }, "bad.cedar:2: "),
        (Files { policies: file("deep.cedar", &deep), ..files() }, "deep.cedar:1: more than 64 brackets"),
        (Files { policies: file("twice.cedar", &twice), ..files() }, "twice.cedar:2: the id `a` is taken by"),
        (Files { entities: file("entities.json", "[{\"uid\": 1}]"), ..files() }, "entities.json: "),
        (Files { requests: file("requests-none.json", "{}"), ..files() }, "requests-none.json: "),
        (
            Files { requests: request("User::\\\"nobody\\\"", "User::nobody"), ..files() },
            "request 5: principal `User::nobody`",
        ),
        (
            Files { requests: request("Photo::\\\"mirror\\\"", "Album::\\\"mirror\\\""), ..files() },
            "request 5: ",
        ),
        (
            Files { requests: request("Action::\\\"view\\\"", "Action::\\\"show\\\""), ..files() },
            "request 5: ",
        ),
        (Files { requests: request("10.1.2.3", "10.1.2.300"), ..files() }, "request 5: context {"),
        (
            Files { requests: request("\"at\": \"2026-01-01\"", "\"at\": 1.5"), ..files() },
            "request 5: context {",
        ),
        (
            Files { requests: request("\"at\": \"2026-01-01\"", "\"unknown\": true"), ..files() },
            "request 5: context {",
        ),
        (
            Files { requests: request("\"context\"", "\"contexts\""), ..files() },
            "request 5: unknown field `contexts`",
        ),
    ];
    for (files, wanted) in cases {
        let output = authorize(&files, &[]);
        let error = text(&output.stderr);
        assert!(error.contains(wanted), "`{wanted}` is not in\n{error}");
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert_eq!(text(&output.stdout), "", "{error}");
    }
    assert_eq!(authorize(&files(), &["--engine", "none"]).status.code(), Some(2));
}

/// The same schema in Cedar's other format.
#[test]
fn schemas_may_be_json() {
    let schema = fs::read_to_string(fixture("photos.cedarschema")).unwrap();
    let (schema, _) = cedar_policy::SchemaFragment::from_cedarschema_str(&schema).unwrap();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("photos-schema");
    fs::write(&path, schema.to_json_string().unwrap()).unwrap();
    let output = authorize(&Files { schema: path, ..Files::default() }, &[]);
    assert_eq!(text(&output.stdout), EXPECTED, "{}", text(&output.stderr));
}

struct Files {
    schema: PathBuf,
    policies: PathBuf,
    entities: PathBuf,
    requests: PathBuf,
}

impl Default for Files {
    fn default() -> Self {
        Self {
            schema: fixture("photos.cedarschema"),
            policies: fixture("photos.cedar"),
            entities: fixture("photos.json"),
            requests: fixture("requests.json"),
        }
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/zt_cedar").join(name)
}

fn authorize(files: &Files, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zt"));
    command.args(["cedar", "authorize"]);
    let named = [
        ("--schema", &files.schema),
        ("--policies", &files.policies),
        ("--entities", &files.entities),
        ("--requests", &files.requests),
    ];
    for (name, path) in named {
        command.arg(name).arg(path);
    }
    command.args(more).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn every_policy_of_the_example_site_is_lowered() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("site/policy");
    let mut count = 0_usize;
    for file in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        let policies = zt_policy::read_policies("example", &text).unwrap();
        count = count.saturating_add(policies.policies().count());
        let evaluator = zt_policy::Evaluator::new(policies).unwrap();
        let unlowered: Vec<String> = evaluator.unlowered().map(|(id, why)| format!("{id}: {why}")).collect();
        assert!(unlowered.is_empty(), "{unlowered:?}");
    }
    assert!(count >= 8, "only {count} policies");
}
