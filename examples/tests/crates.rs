//! Which crate may depend on which, and that every dependency has a reason.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says so by panicking"
)]

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

/// The crates of the workspace, each with those it may depend on: dependencies point one way, never to a sibling.
const MAY_USE: [(&str, &[&str]); 10] = [
    ("zt-core", &[]),
    ("zt-policy", &["zt-core"]),
    ("zt-posture", &["zt-core"]),
    ("zt-linux", &["zt-core"]),
    ("zt-backend-userspace", &["zt-core", "zt-linux"]),
    ("zt-kernel-tests", &["zt-backend-kernel", "zt-core", "zt-linux"]),
    ("zt-backend-kernel", &["zt-core", "zt-linux"]),
    ("zt-examples", &["zt-core", "zt-policy", "zt-posture", "zt-backend-userspace"]),
    ("zt-fuzz", &["zt-core", "zt-policy", "zt-posture", "zt-backend-kernel", "zt-backend-userspace"]),
    ("zt-benches", &["zt-core", "zt-policy", "zt-backend-userspace"]),
];

/// Parts of names of crates that zt-core has nothing to do with.
const FOREIGN_TO_CORE: [&str; 6] = ["cedar", "dalek", "gotatun", "netlink", "rustix", "tokio"];

/// The workspace's packages, as their manifests say.
fn packages() -> Vec<Value> {
    let output = Command::new(std::env::var("CARGO").unwrap())
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn name(package: &Value) -> &str {
    package["name"].as_str().unwrap()
}

fn dependencies(package: &Value) -> impl Iterator<Item = &Value> {
    package["dependencies"].as_array().unwrap().iter()
}

#[test]
fn crates_depend_one_way_and_never_on_a_sibling() {
    let packages = packages();
    let members: BTreeSet<&str> = packages.iter().map(name).collect();
    for package in &packages {
        let found = MAY_USE.iter().find(|(member, _)| *member == name(package));
        let (member, may_use) = found.unwrap_or_else(|| panic!("{} has no place here yet", name(package)));
        for used in dependencies(package).map(name).filter(|used| members.contains(used)) {
            // A crate takes itself into its own tests, to have its `testing` feature there.
            assert!(used == *member || may_use.contains(&used), "{member} may not depend on {used}");
        }
    }
}

#[test]
fn core_depends_on_nothing_that_does_io_and_no_engine() {
    let packages = packages();
    let core = packages.iter().find(|package| name(package) == "zt-core").unwrap();
    let normal = dependencies(core).filter(|dependency| dependency["kind"].is_null());
    let names: BTreeSet<&str> = normal.map(name).collect();
    assert!(names.contains("serde"), "no dependencies were found at all");
    for found in names {
        // x25519-dalek is used inside only; `PublicKey` is zt-core's own.
        let foreign = FOREIGN_TO_CORE.iter().any(|part| found.contains(part)) && found != "x25519-dalek";
        assert!(!foreign, "zt-core may not depend on {found}");
    }
}

#[test]
fn every_crate_is_under_both_licences() {
    for package in packages() {
        assert_eq!(package["license"], "MIT OR Apache-2.0", "{}", name(&package));
    }
}

/// Each dependency has a comment on its line in the crate's manifest, or on another line with the same name.
#[test]
fn every_dependency_has_a_reason() {
    for package in packages() {
        let manifest = std::fs::read_to_string(package["manifest_path"].as_str().unwrap()).unwrap();
        let mut section = "";
        let mut reasoned = BTreeSet::new();
        for line in manifest.lines() {
            if line.starts_with('[') {
                section = line;
            } else if section.ends_with("dependencies]")
                && let Some((entry, reason)) = line.split_once(" # ")
                && !reason.trim().is_empty()
            {
                reasoned.insert(entry.split(['.', ' ', '=']).next().unwrap_or_default());
            }
        }
        for dependency in dependencies(&package).map(name).filter(|used| *used != name(&package)) {
            assert!(reasoned.contains(dependency), "{}: no reason for {dependency}", name(&package));
        }
    }
}
