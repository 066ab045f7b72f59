//! The heads of policies.

use cedar_policy::pst::{EntityOrSlot, EntityUID, PrincipalConstraint, ResourceConstraint, Template};
use zt_core::id::GroupId;
use zt_core::site::Resource;

use crate::person::Person;

/// For whom a policy is.
#[derive(Debug)]
pub(super) enum Who {
    Anyone,
    Group(GroupId),
    User(Person),
    /// Somebody with an id that is nobody's.
    Nobody,
}

pub(super) fn who(policy: &Template) -> Who {
    let named = match &policy.principal {
        PrincipalConstraint::Any | PrincipalConstraint::Is(_) => return Who::Anyone,
        PrincipalConstraint::Eq(named) | PrincipalConstraint::In(named) => named,
        PrincipalConstraint::IsIn(_, named) => named,
    };
    let EntityOrSlot::Entity(named) = named else { return Who::Nobody };
    let id = named.eid.as_str();
    let found = match named.ty.to_string().as_str() {
        "Zt::Group" if !matches!(policy.principal, PrincipalConstraint::Eq(_)) => {
            GroupId::new(id).ok().map(Who::Group)
        }
        "Zt::User" => Person::parse(id).map(Who::User),
        _ => None,
    };
    found.unwrap_or(Who::Nobody)
}

/// The segment or resource that the head of a policy asks for; `None` if it takes all.
pub(super) fn what(policy: &Template) -> Option<&EntityUID> {
    let named = match &policy.resource {
        ResourceConstraint::Any | ResourceConstraint::Is(_) => return None,
        ResourceConstraint::Eq(named) | ResourceConstraint::In(named) => named,
        ResourceConstraint::IsIn(_, named) => named,
    };
    match named {
        EntityOrSlot::Entity(named) => Some(named),
        EntityOrSlot::Slot(_) => None,
    }
}

/// Whether a resource is, or is in, the entity of this type and id.
pub(super) fn is_in(resource: &Resource, (ty, id): (&str, &str)) -> bool {
    match ty {
        "Zt::Resource" => resource.id.as_str() == id,
        "Zt::Segment" => resource.segments.contains(id),
        _ => false,
    }
}
