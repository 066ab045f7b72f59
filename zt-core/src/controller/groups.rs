//! The declared groups that follow from claims, found by the claim.

use std::collections::BTreeMap;

use crate::id::{GroupId, Issuer};
use crate::identity::{Groups, Subject};
use crate::site::Site;

/// The groups of a site by the claims that put people into them.
#[derive(Debug, Clone, Default)]
pub(super) struct ClaimedGroups(BTreeMap<Issuer, BTreeMap<String, Vec<GroupId>>>);

impl ClaimedGroups {
    pub(super) fn of(site: &Site) -> Self {
        let mut groups = Self::default();
        for (group, claims) in &site.groups {
            for claim in claims {
                let of_issuer = groups.0.entry(claim.issuer.clone()).or_default();
                of_issuer.entry(claim.value.clone()).or_default().push(group.clone());
            }
        }
        groups
    }

    /// The declared groups that follow from a person's claims.
    pub(super) fn groups<'c>(&self, subject: &Subject, claims: impl Iterator<Item = &'c str>) -> Groups {
        let Some(named) = self.0.get(subject.issuer()) else { return Groups::default() };
        claims.filter_map(|claim| named.get(claim)).flatten().cloned().collect()
    }

    /// How many of a person's claims no group names.
    pub(super) fn ignored<'c>(&self, subject: &Subject, claims: impl Iterator<Item = &'c str>) -> usize {
        let named = self.0.get(subject.issuer());
        claims.filter(|claim| !named.is_some_and(|named| named.contains_key(*claim))).count()
    }
}
