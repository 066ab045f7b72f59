//! Resources that no policy tells apart.

use std::collections::{BTreeMap, BTreeSet};

use zt_core::decide::ResourceClasses;
use zt_core::identity::AttributeValue;
use zt_core::site::{Resource, ResourceIndex, Site};

use super::{Read, scope};
use crate::bits::Bits;
use crate::reads::key;

/// The classes of a site's resources, and which of them the head of each policy takes.
pub(super) struct Partition {
    pub(super) classes: ResourceClasses,
    pub(super) of_policy: Vec<Bits>,
}

/// What tells resources apart.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key<'a> {
    /// In which of the named segments and resources it is.
    named: Bits,
    /// The attributes that any policy reads.
    attributes: Vec<Option<Ordered<'a>>>,
    /// Itself, where a policy can tell it from any other.
    own: Option<ResourceIndex>,
}

/// An attribute's value, with an order.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Ordered<'a> {
    Bool(bool),
    Long(i64),
    String(&'a str),
    Strings(&'a BTreeSet<String>),
}

/// Puts the resources of a site into classes; a class is numbered by its first resource.
pub(super) fn partition(policies: &[Read<'_>], site: &Site) -> Partition {
    let mut named = BTreeSet::new();
    let mut attributes = BTreeSet::new();
    for read in policies {
        named.extend(scope::what(read.policy).map(key));
        named.extend(read.reads.resource.named.iter().cloned());
        attributes.extend(read.reads.resource.attributes.iter().map(String::as_str));
    }
    let named: Vec<_> = named.into_iter().collect();
    let identity = policies.iter().any(|read| read.reads.resource.identity);
    let approval = policies.iter().any(|read| read.reads.resource.approval);
    let mut numbers: BTreeMap<Key<'_>, usize> = BTreeMap::new();
    let mut members: Vec<Vec<ResourceIndex>> = Vec::new();
    let mut named_in: Vec<Bits> = Vec::new();
    for (index, resource) in (0..).map(ResourceIndex).zip(site.resources()) {
        let key = Key {
            named: holds(&named, resource),
            attributes: attributes.iter().map(|name| resource.attributes.get(*name).map(ordered)).collect(),
            own: (identity || approval && resource.approval.is_some()).then_some(index),
        };
        let within = key.named.clone();
        let number = *numbers.entry(key).or_insert(members.len());
        match members.get_mut(number) {
            Some(class) => class.push(index),
            None => {
                members.push(vec![index]);
                named_in.push(within);
            }
        }
    }
    let takes = |place: usize| (0..).zip(&named_in).filter(move |(_, within)| within.has(place));
    let of_named: BTreeMap<_, Bits> = named
        .iter()
        .zip(0..)
        .map(|(named, place)| (named, takes(place).map(|(class, _)| class).collect()))
        .collect();
    let of_policy = policies.iter().map(|read| match scope::what(read.policy) {
        None => Bits::below(members.len()),
        Some(asked) => of_named.get(&key(asked)).cloned().unwrap_or_default(),
    });
    Partition { of_policy: of_policy.collect(), classes: ResourceClasses::new(members) }
}

fn holds(named: &[(String, String)], resource: &Resource) -> Bits {
    let within = named.iter().enumerate().filter(|(_, (ty, id))| scope::is_in(resource, (ty, id)));
    within.map(|(place, _)| place).collect()
}

fn ordered(value: &AttributeValue) -> Ordered<'_> {
    match value {
        AttributeValue::Bool(value) => Ordered::Bool(*value),
        AttributeValue::Long(value) => Ordered::Long(*value),
        AttributeValue::String(value) => Ordered::String(value),
        AttributeValue::Strings(values) => Ordered::Strings(values),
    }
}
