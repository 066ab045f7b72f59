//! The same world for regorus: one rule for each permit, compiled to its register machine.

use std::fmt::Write as _;

use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::RegoVM;
use regorus::{PolicyModule, Value, compile_policy_with_entrypoint};
use serde_json::json;

use super::policies::Permit;
use super::{BEGIN, GROUPS_OF_PERSON, group, segment, segment_of, sensitivity_of, stock};
use crate::Error;

const ENTRY: &str = "data.zt.allow";

/// The machine, with the compiled rules of these permits and the two forbids.
///
/// # Errors
/// If regorus refuses the rules.
pub fn machine(permits: &[Permit]) -> Result<RegoVM, Error> {
    let module = PolicyModule { id: "zt.rego".into(), content: text(permits).into() };
    let compiled =
        compile_policy_with_entrypoint(Value::new_object(), &[module], ENTRY.into()).map_err(rego)?;
    let program = Compiler::compile_from_policy(&compiled, &[ENTRY]).map_err(rego)?;
    let mut machine = RegoVM::new_with_policy(compiled);
    machine.load_program(program);
    machine.set_data(Value::new_object()).map_err(rego)?;
    Ok(machine)
}

/// The request that [`stock::request`] makes, as regorus takes it.
///
/// # Errors
/// If regorus refuses it.
pub fn input(index: usize) -> Result<Value, Error> {
    let set = |names: Vec<String>| names.into_iter().map(|name| (name, json!(true))).collect();
    let groups: serde_json::Map<_, _> = set((0..GROUPS_OF_PERSON).map(group).collect());
    let segments: serde_json::Map<_, _> = set(vec![segment(segment_of(index))]);
    let posture: serde_json::Map<_, _> = stock::facts()
        .into_iter()
        .map(|(name, value)| (name.to_owned(), json!({ "status": "pass", "value": value })))
        .collect();
    let input = json!({
        "groups": groups,
        "segments": segments,
        "sensitivity": sensitivity_of(index),
        "now": BEGIN,
        "mfa": { "present": true, "at": BEGIN - 600_000 },
        "posture": posture,
    });
    Value::from_json_str(&input.to_string()).map_err(rego)
}

/// Whether the machine allows the request.
///
/// # Errors
/// If the evaluation fails.
pub fn allows(machine: &mut RegoVM, input: &Value) -> Result<bool, Error> {
    machine.set_input(input.clone());
    machine.execute_entry_point_by_name(ENTRY).map(|answer| answer == Value::Bool(true)).map_err(rego)
}

/// Instants are numbers and groups are keys: the fastest forms that Rego has for both.
fn text(permits: &[Permit]) -> String {
    let mut text = String::from(
        r#"package zt
default allow := false
allow if { permit; not forbid }
forbid if not is_managed
forbid if not is_calm
is_managed if input.posture.managed.status == "pass"
is_calm if { input.posture.risk.status == "pass"; input.posture.risk.value < 80 }
"#,
    );
    for permit in permits {
        // Writing to a `String` cannot fail.
        let _ = writeln!(
            text,
            r#"permit if {{
    input.groups.{group}
    input.segments.{segment}
    input.posture.disk_encrypted.status == "pass"
    input.posture.edr_running.status == "pass"
    input.posture.os_version.status == "pass"
    input.posture.os_version.value >= {os_version}
    input.mfa.present
    input.now - input.mfa.at <= {span}
    input.sensitivity <= {sensitivity}
}}"#,
            group = group(permit.group),
            segment = segment(permit.segment),
            os_version = permit.os_version,
            span = permit.hours * 3_600_000,
            sensitivity = permit.sensitivity,
        );
    }
    text
}

fn rego(error: impl std::fmt::Display) -> Error {
    Error::world("regorus", error)
}
