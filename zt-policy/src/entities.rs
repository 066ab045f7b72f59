//! People, groups, resources and segments as Cedar's entities.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::str::FromStr as _;

use cedar_policy::{Entities, Entity, EntityId, EntityTypeName, EntityUid, RestrictedExpression, Schema};
use zt_core::decide::{PolicyError, SessionFacts};
use zt_core::identity::{AttributeValue, Subject};
use zt_core::site::Resource;

use crate::problem::{at, chain};

/// The id of a person in policies: `issuer|subject`, as in `Zt::User::"https://id.example.com|alice"`.
///
/// A `|` or `%` in the issuer is written `%7C` or `%25`; so the first `|` ends the issuer, and no two people have the
/// same id.
#[must_use]
pub fn user_id(subject: &Subject) -> String {
    let issuer = subject.issuer().as_str().replace('%', "%25").replace('|', "%7C");
    format!("{issuer}|{}", subject.name())
}

/// Whether an id can be that of a person.
pub(crate) fn names_user(id: &str) -> bool {
    id.split_once('|').is_some_and(|(issuer, name)| !issuer.is_empty() && !name.is_empty())
}

/// The entity types of the namespace `Zt`, and its action.
#[derive(Debug)]
pub(crate) struct Names {
    user: EntityTypeName,
    group: EntityTypeName,
    resource: EntityTypeName,
    segment: EntityTypeName,
    /// `Zt::Action::"connect"`
    pub(crate) connect: EntityUid,
}

impl Names {
    pub(crate) fn new() -> Result<Self, PolicyError> {
        let name =
            |text: &str| EntityTypeName::from_str(text).map_err(|error| at("schema of `Zt`", chain(&error)));
        Ok(Self {
            user: name("Zt::User")?,
            group: name("Zt::Group")?,
            resource: name("Zt::Resource")?,
            segment: name("Zt::Segment")?,
            connect: uid(&name("Zt::Action")?, "connect"),
        })
    }
}

/// Entities of which one is asked about, and the others are its ancestors.
#[derive(Debug, Clone)]
pub(crate) struct Family {
    /// The one asked about.
    pub(crate) uid: EntityUid,
    /// It and its ancestors.
    pub(crate) entities: Vec<Entity>,
}

/// A resource with its segments.
///
/// # Errors
/// If its attributes are not what `Site::ResourceAttributes` asks for.
pub(crate) fn resource(resource: &Resource, names: &Names, schema: &Schema) -> Result<Family, PolicyError> {
    let place = || format!("site, resource `{}`", resource.id);
    let segments: Vec<_> = resource.segments.iter().map(|id| uid(&names.segment, id.as_str())).collect();
    let of = uid(&names.resource, resource.id.as_str());
    let family = family(of, segments, &resource.attributes).map_err(|problem| at(place(), problem))?;
    match Entities::from_entities(family.entities.iter().cloned(), Some(schema)) {
        Ok(_) => Ok(family),
        Err(error) => Err(at(place(), chain(&error))),
    }
}

/// A person with their groups, checked against the schema; `None` if they do not fit it, or are in a group that the
/// site does not declare.
pub(crate) fn user(
    facts: &SessionFacts<'_>,
    names: &Names,
    schema: &Schema,
) -> Option<(EntityUid, Entities)> {
    if !facts.groups().iter().all(|group| facts.site.groups.contains_key(group)) {
        return None;
    }
    let groups: Vec<_> = facts.groups().iter().map(|id| uid(&names.group, id.as_str())).collect();
    let family =
        family(uid(&names.user, &user_id(&facts.identity.subject)), groups, facts.attributes()).ok()?;
    let entities = Entities::from_entities(family.entities, Some(schema)).ok()?;
    Some((family.uid, entities))
}

/// Whether `uid` and all its ancestors are in the store: of an entity that is not, Cedar believes it has no ancestors,
/// and a forbid of one of them does not hold.
pub(crate) fn is_complete(uid: &EntityUid, entities: &Entities) -> bool {
    let present = |uid: &EntityUid| entities.get(uid).is_some();
    present(uid) && entities.ancestors(uid).is_some_and(|mut ancestors| ancestors.all(present))
}

fn family(
    of: EntityUid,
    parents: Vec<EntityUid>,
    attributes: &BTreeMap<String, AttributeValue>,
) -> Result<Family, String> {
    let attributes: HashMap<_, _> =
        attributes.iter().map(|(name, value)| (name.clone(), expression(value))).collect();
    let child = Entity::new(of.clone(), attributes, parents.iter().cloned().collect())
        .map_err(|error| chain(&error))?;
    let parents = parents.into_iter().map(|uid| Entity::new_no_attrs(uid, HashSet::new()));
    Ok(Family { uid: of, entities: std::iter::once(child).chain(parents).collect() })
}

fn uid(of: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(of.clone(), EntityId::new(id))
}

fn expression(value: &AttributeValue) -> RestrictedExpression {
    match value {
        AttributeValue::Bool(value) => RestrictedExpression::new_bool(*value),
        AttributeValue::Long(value) => RestrictedExpression::new_long(*value),
        AttributeValue::String(value) => RestrictedExpression::new_string(value.clone()),
        AttributeValue::Strings(values) => {
            RestrictedExpression::new_set(values.iter().cloned().map(RestrictedExpression::new_string))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cedar itself says nothing of this: to it, a group that is not there is just a group without members.
    #[test]
    fn a_store_without_an_ancestor_is_not_complete() {
        let uid = |text: &str| EntityUid::from_str(text).expect("an entity");
        let (alice, staff) = (uid("Zt::User::\"i|alice\""), uid("Zt::Group::\"staff\""));
        let group = Entity::new_no_attrs(staff.clone(), HashSet::new());
        let user = Entity::new_no_attrs(alice.clone(), [staff].into());
        let store = |entities: &[&Entity]| {
            Entities::from_entities(entities.iter().copied().cloned(), None).expect("a store")
        };
        assert!(is_complete(&alice, &store(&[&user, &group])));
        assert!(!is_complete(&alice, &store(&[&user])));
        assert!(!is_complete(&alice, &store(&[&group])));
    }
}
