//! Resources and segments as Cedar's entities.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::str::FromStr as _;

use cedar_policy::{Entities, Entity, EntityId, EntityTypeName, EntityUid, RestrictedExpression, Schema};
use zt_core::decide::PolicyError;
use zt_core::identity::AttributeValue;
use zt_core::site::Resource;

use crate::conform::Attributes;
use crate::problem::{at, chain};

/// Makes entities of resources that have what `Site::ResourceAttributes` asks for.
#[derive(Debug)]
pub(crate) struct Families<'a> {
    resource: EntityTypeName,
    segment: EntityTypeName,
    schema: &'a Schema,
    attributes: &'a Attributes,
}

impl<'a> Families<'a> {
    pub(crate) fn new(schema: &'a Schema, attributes: &'a Attributes) -> Result<Self, PolicyError> {
        let name =
            |text: &str| EntityTypeName::from_str(text).map_err(|error| at("schema of `Zt`", chain(&error)));
        Ok(Self { resource: name("Zt::Resource")?, segment: name("Zt::Segment")?, schema, attributes })
    }

    /// Checks the attributes of a resource.
    ///
    /// # Errors
    /// If they are not what `Site::ResourceAttributes` asks for.
    pub(crate) fn check(&self, resource: &Resource) -> Result<(), PolicyError> {
        if self.attributes.fit(&resource.attributes) {
            return Ok(());
        }
        let place = || format!("site, resource `{}`", resource.id);
        let family = self.family(resource).map_err(|problem| at(place(), problem))?;
        match Entities::from_entities(family, Some(self.schema)) {
            Ok(_) => Err(at(place(), "its attributes are not those of `Site::ResourceAttributes`")),
            Err(error) => Err(at(place(), chain(&error))),
        }
    }

    /// The entities of `resources` and their segments.
    pub(crate) fn all<'r>(
        &self,
        resources: impl Iterator<Item = &'r Resource>,
    ) -> Result<Entities, PolicyError> {
        let mut found: BTreeMap<EntityUid, Entity> = BTreeMap::new();
        for resource in resources {
            let family = self.family(resource).map_err(|problem| at("site", problem))?;
            found.extend(family.into_iter().map(|entity| (entity.uid(), entity)));
        }
        Entities::from_entities(found.into_values(), None).map_err(|error| at("site", chain(&error)))
    }

    /// A resource and its segments.
    fn family(&self, resource: &Resource) -> Result<Vec<Entity>, String> {
        let segments: Vec<_> = resource.segments.iter().map(|id| uid(&self.segment, id.as_str())).collect();
        let attributes: HashMap<_, _> =
            resource.attributes.iter().map(|(name, value)| (name.clone(), expression(value))).collect();
        let of = uid(&self.resource, resource.id.as_str());
        let child =
            Entity::new(of, attributes, segments.iter().cloned().collect()).map_err(|error| chain(&error))?;
        let segments = segments.into_iter().map(|uid| Entity::new_no_attrs(uid, HashSet::new()));
        Ok(std::iter::once(child).chain(segments).collect())
    }
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
