//! Bad input ends the quickstart with status 2 and an error that names file, line and value, before anything starts.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails says so by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use zt_examples::site_files::SiteFiles;

/// A copy of the example site that goes away with the value.
struct Folder(PathBuf);

impl Folder {
    fn copy(name: &str) -> Self {
        let to = std::env::temp_dir().join(format!("zt-bad-input-{}-{name}", std::process::id()));
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("site");
        fs::create_dir_all(to.join("policy")).unwrap();
        for file in ["site.toml", "directory.toml"] {
            fs::copy(from.join(file), to.join(file)).unwrap();
        }
        for entry in fs::read_dir(from.join("policy")).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), to.join("policy").join(entry.file_name())).unwrap();
        }
        Self(to)
    }

    /// Replaces the first `from` in a file by `to`, and gives the place at which it stood.
    fn edit(&self, file: &str, from: &str, to: &str) -> String {
        let path = self.0.join(file);
        let text = fs::read_to_string(&path).unwrap();
        let at = text.find(from).unwrap_or_else(|| panic!("{file} has no `{from}`"));
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        format!("{file}:{}", text.get(..=at).unwrap().lines().count())
    }

    fn add(&self, file: &str, text: &str) {
        fs::write(self.0.join(file), text).unwrap();
    }

    fn run(&self) -> Output {
        let mut quickstart = Command::new(env!("CARGO_BIN_EXE_quickstart"));
        quickstart.arg("--json").arg("--site").arg(&self.0).output().unwrap()
    }

    /// Runs the quickstart on the folder and checks that it refuses, naming each of `words`.
    fn refuses(&self, words: &[&str]) {
        let output = self.run();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "", "nothing is played");
        for word in words {
            assert!(error.contains(word), "`{word}` is not in: {error}");
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// One edit of one file; the error must name the place of the edit and each of `words`.
fn check(name: &str, (file, from, to): (&str, &str, &str), words: &[&str]) {
    let folder = Folder::copy(name);
    let place = folder.edit(file, from, to);
    folder.refuses(&[&[place.as_str()], words].concat());
}

#[test]
fn unknown_field() {
    check("field", ("site.toml", "default-route", "defualt-route"), &["defualt-route"]);
}

#[test]
fn b17_torn_file() {
    let folder = Folder::copy("torn");
    let text = fs::read_to_string(folder.0.join("site.toml")).unwrap();
    let end = text.find("[[window]]").unwrap() + "[[window]]\nid = \"contr".len();
    folder.add("site.toml", text.get(..end).unwrap());
    folder.refuses(&["site.toml:", "contr"]);
}

#[test]
fn b5_host_bits() {
    check(
        "host-bits",
        ("site.toml", "10.100.5.10/32", "10.100.5.10/24"),
        &["10.100.5.10/24", "10.100.5.0/24"],
    );
}

#[test]
fn overlapping_pools() {
    check("pools", ("site.toml", "10.98.0.1", "10.99.0.1"), &["10.99.0.1", "10.99.0.0/24"]);
}

#[test]
fn resource_in_a_pool() {
    check("in-pool", ("site.toml", "10.100.5.10/32", "10.99.0.77/32"), &["10.99.0.77/32", "10.99.0.0/24"]);
}

#[test]
fn resource_on_the_underlay() {
    check("underlay", ("site.toml", "10.100.5.10/32", "127.0.0.1/32"), &["127.0.0.1"]);
}

#[test]
fn b7_default_route_without_opt_in() {
    check("everything", ("site.toml", "10.100.5.10/32", "0.0.0.0/0"), &["0.0.0.0/0"]);
}

#[test]
fn two_devices_with_one_key() {
    let folder = Folder::copy("one-key");
    let key = "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=";
    for device in ["dana-laptop", "devon-laptop"] {
        let line = format!("id = \"{device}\"");
        folder.edit("directory.toml", &line, &format!("{line}\npublic-key = \"{key}\""));
    }
    folder.refuses(&["directory.toml:", key]);
}

#[test]
fn b2_bad_keys() {
    let keys = [
        ("zero", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "zero"),
        ("low", "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "low order"),
        ("high", "//////////////////////////////////////////8=", "canonical"),
        ("short", "AAAA", "AAAA"),
    ];
    for (name, key, word) in keys {
        let folder = Folder::copy(name);
        let line = "id = \"dana-laptop\"";
        folder.edit("directory.toml", line, &format!("{line}\npublic-key = \"{key}\""));
        folder.refuses(&["directory.toml:", word]);
    }
}

#[test]
fn undeclared_group() {
    check("group", ("directory.toml", "\"developers\"", "\"develpoers\""), &["develpoers"]);
    let policy = ("policy/access.cedar", "Zt::Group::\"developers\"", "Zt::Group::\"develpoers\"");
    let folder = Folder::copy("group-in-policy");
    folder.edit(policy.0, policy.1, policy.2);
    folder.refuses(&["access.cedar:", "develpoers"]);
}

#[test]
fn policy_that_is_not_valid() {
    let folder = Folder::copy("strict");
    let condition = "context.posture.nonsense.status == \"pass\"";
    let scope = "principal, action == Zt::Action::\"connect\", resource";
    folder.add("policy/extra.cedar", &format!("@id(\"x\") permit ({scope}) when {{ {condition} }};"));
    folder.refuses(&["extra.cedar:1", "nonsense"]);
}

#[test]
fn b10_deep_and_long_policies() {
    let deep = format!("{}true{}", "(".repeat(5_000), ")".repeat(5_000));
    let long = vec!["true"; 600].join(" && ");
    for (name, condition) in [("deep", deep), ("long", long)] {
        let folder = Folder::copy(name);
        let policy = format!("@id(\"x\") permit (principal, action, resource) when {{ {condition} }};");
        folder.add("policy/extra.cedar", &policy);
        folder.refuses(&["extra.cedar:1"]);
    }
}

#[test]
fn redefinition_of_zt() {
    let folder = Folder::copy("redefine");
    folder.add("policy/site.cedarschema", "namespace Zt { entity User; }");
    folder.refuses(&["site.cedarschema", "Zt"]);
}

#[test]
fn missing_folder_and_file() {
    let folder = Folder::copy("missing");
    fs::remove_file(folder.0.join("directory.toml")).unwrap();
    folder.refuses(&["directory.toml"]);
    fs::remove_dir_all(&folder.0).unwrap();
    folder.refuses(&["site.toml"]);
}

/// Nobody gets anywhere: the story is played, says why, and does not hold.
#[test]
fn empty_policy_folder_allows_nothing() {
    let folder = Folder::copy("empty");
    fs::remove_dir_all(folder.0.join("policy")).unwrap();
    fs::create_dir(folder.0.join("policy")).unwrap();
    let output = folder.run();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("no policies"));
    let rows = String::from_utf8(output.stdout).unwrap();
    assert_eq!(rows.lines().count(), 16);
    assert!(!rows.contains(r#""observed":"reachable""#), "{rows}");
}

/// What is built in is what is in the folder.
#[test]
fn built_in_site_is_the_folder() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("site");
    let (embedded, read) = (SiteFiles::embedded(), SiteFiles::read(&folder).unwrap());
    assert_eq!((embedded.site, embedded.directory), (read.site, read.directory));
    assert_eq!(embedded.policy, read.policy);
}
