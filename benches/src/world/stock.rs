//! The same world for stock Cedar: one request with everything prepared.

use std::collections::HashMap;
use std::str::FromStr as _;

use cedar_policy::{
    Context, Entities, Entity, EntityUid, PolicySet, Request, RestrictedExpression, Schema, SchemaFragment,
};
use serde_json::{Value, json};
use zt_core::site::Site;

use super::{BEGIN, GROUPS_OF_PERSON, policies, resource, segment, segment_of, sensitivity_of};
use crate::Error;
use crate::world::{ISSUER, group};

/// The entity types of the namespace `Zt`, as zt-policy makes them.
const ENTITIES: &str = r#"{"Zt": {"actions": {}, "entityTypes": {
    "Group": {},
    "User": {"memberOfTypes": ["Group"], "shape": {"type": "Site::UserAttributes"}},
    "Segment": {},
    "Resource": {"memberOfTypes": ["Segment"], "shape": {"type": "Site::ResourceAttributes"}}
}}}"#;

/// The schema of the world.
///
/// # Errors
/// If Cedar refuses it.
pub fn schema(site: &Site) -> Result<Schema, Error> {
    let text =
        |text: &str| SchemaFragment::from_cedarschema_str(text).map(|(fragment, _)| fragment).map_err(cedar);
    let fragments = [
        SchemaFragment::from_json_str(ENTITIES).map_err(cedar)?,
        text(&zt_policy::schema_text(site))?,
        text(policies::SCHEMA)?,
        text("namespace Site { type UserAttributes = {}; }")?,
    ];
    Schema::from_schema_fragments(fragments).map_err(cedar)
}

/// The set of these policies.
///
/// # Errors
/// If Cedar refuses them.
pub fn policy_set(text: &str) -> Result<PolicySet, Error> {
    PolicySet::from_str(text).map_err(cedar)
}

/// The person who is asked about: in groups 0 to 4.
///
/// # Errors
/// If Cedar refuses the name.
pub fn principal() -> Result<EntityUid, Error> {
    uid("User", &format!("{ISSUER}|user-0000000"))
}

/// The entities of the person, of a resource, and of all their ancestors.
///
/// # Errors
/// If Cedar refuses them.
pub fn entities(index: usize, schema: &Schema) -> Result<Entities, Error> {
    let groups: Vec<_> =
        (0..GROUPS_OF_PERSON).map(|index| uid("Group", &group(index))).collect::<Result<_, _>>()?;
    let of = uid("Segment", &segment(segment_of(index)))?;
    let sensitivity = i64::try_from(sensitivity_of(index)).unwrap_or(0);
    let attributes = HashMap::from([("sensitivity".to_owned(), RestrictedExpression::new_long(sensitivity))]);
    let person = Entity::new(principal()?, HashMap::new(), groups.iter().cloned().collect());
    let reached =
        Entity::new(uid("Resource", &resource(index))?, attributes, [of.clone()].into_iter().collect());
    let mut all = vec![person.map_err(cedar)?, reached.map_err(cedar)?];
    let ancestors = groups.into_iter().chain([of]);
    all.extend(ancestors.map(|uid| Entity::new_no_attrs(uid, std::collections::HashSet::new())));
    Entities::from_entities(all, Some(schema)).map_err(cedar)
}

/// The request of the person for a resource, on a device that is in order.
///
/// # Errors
/// If Cedar refuses it.
pub fn request(index: usize, schema: &Schema) -> Result<Request, Error> {
    let action = uid("Action", "connect")?;
    let context = Context::from_json_value(context(), Some((schema, &action))).map_err(cedar)?;
    Request::new(principal()?, action, uid("Resource", &resource(index))?, context, Some(schema))
        .map_err(cedar)
}

fn uid(of: &str, id: &str) -> Result<EntityUid, Error> {
    EntityUid::from_str(&format!("Zt::{of}::\"{id}\"")).map_err(cedar)
}

/// The context of the request, in Cedar's JSON.
fn context() -> Value {
    let extension = |name: &str, argument: &str| json!({ "__extn": { "fn": name, "arg": argument } });
    let instant = |before: i64| {
        let at = zt_core::time::Timestamp::from_millis(BEGIN - before);
        extension("datetime", &at.to_string())
    };
    let posture: serde_json::Map<_, _> = facts()
        .into_iter()
        .map(|(name, value)| {
            let age = extension("duration", "60000ms");
            let source = format!("agent:{name}");
            (
                name.to_owned(),
                json!({ "status": "pass", "value": value, "source": source, "tier": 0, "age": age }),
            )
        })
        .collect();
    let minutes = |minutes: i64| minutes * 60_000;
    json!({
        "now": instant(0),
        "session": {
            "startedAt": instant(minutes(5)),
            "authenticatedAt": instant(minutes(10)),
            "mfa": { "present": true, "at": instant(minutes(10)) },
            "acr": "mfa",
        },
        "device": { "id": "device-0000000" },
        "windows": [],
        "approved": [],
        "posture": posture,
    })
}

/// The facts of a device that is in order.
#[must_use]
pub fn facts() -> [(&'static str, Value); 8] {
    [
        ("disk_encrypted", json!(true)),
        ("edr_running", json!(true)),
        ("kernel", json!("6.12.57+deb13-amd64")),
        ("managed", json!(true)),
        ("os_version", json!(20)),
        ("reboot_required", json!(false)),
        ("risk", json!(10)),
        ("secure_boot", json!(true)),
    ]
}

fn cedar(error: impl std::fmt::Display) -> Error {
    Error::world("cedar", error)
}
