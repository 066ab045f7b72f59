//! A site: its gateways, resources, pools, groups and windows, as declared in `site.toml`.

mod approval;
pub(crate) mod attributes;
mod check;
mod clock;
mod description;
mod fault;
mod file;
pub mod limits;
mod parse;
pub(crate) mod source;
mod special;
mod window;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::device::FactKind;
use crate::id::{FactName, GatewayGroupId, GatewayId, GroupId, Issuer, ResourceId, SegmentId, WindowId};
use crate::identity::{AttributeValue, Subject};
use crate::net::{AddressRange, Prefix, Service};

pub use approval::{ApprovalRule, MAX_APPROVALS};
pub use attributes::AttributeError;
pub use clock::{ClockTime, Weekday};
pub use description::SiteDescription;
pub use fault::{Kind, SiteError, SiteFault};
pub use source::{InFile, MAX_TEXT_BYTES, Malformed};
pub use special::Special;
pub use window::{Window, WindowError};

/// What a site consists of; it is made only in valid form (see [`Site::parse`] and [`Site::new`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// How long a gateway goes on without hearing from the controller; 5 seconds at least.
    pub lease: Duration,
    /// The longest that a session may be asked to last.
    pub max_session: Duration,
    /// Where devices get their addresses from.
    pub pools: Pools,
    /// The groups that policies may name.
    pub groups: BTreeMap<GroupId, BTreeSet<Claim>>,
    /// The sets of resources that policies may name.
    pub segments: BTreeSet<SegmentId>,
    /// The spans of time that policies may name.
    pub windows: BTreeMap<WindowId, Window>,
    /// The posture facts that policies may read.
    pub facts: Arc<BTreeMap<FactName, FactDeclaration>>,
    /// The gateways.
    pub gateways: BTreeMap<GatewayId, Gateway>,
    /// Whether a resource may hold everything (`0.0.0.0/0`, `::/0`, or prefixes that sum to it).
    pub default_route: DefaultRoute,
    resources: Vec<Resource>,
}

/// Whether a resource may hold the whole of an address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultRoute {
    /// It may not.
    Refuse,
    /// It may; pools, gateways and other protected addresses are carved out.
    Carve,
}

/// The prefixes that devices get their addresses from, at most one of each family and at least one in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pools {
    /// IPv4.
    pub v4: Option<Prefix>,
    /// IPv6.
    pub v6: Option<Prefix>,
}

impl Pools {
    /// The pools there are, IPv4 first.
    pub fn iter(&self) -> impl Iterator<Item = Prefix> {
        self.v4.into_iter().chain(self.v6)
    }
}

/// A statement of an identity provider that puts people into a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    /// The provider.
    pub issuer: Issuer,
    /// The value of its group claim.
    pub value: String,
}

/// A posture fact that policies may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FactDeclaration {
    /// What kind of value it has.
    pub kind: FactKind,
    /// How long a value is believed.
    pub max_age: Duration,
}

/// A gateway as the site declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// The set of gateways that hold the same grants.
    pub group: GatewayGroupId,
    /// Where devices send their WireGuard packets; port 0 if the gateway names it when it enrols.
    pub endpoint: SocketAddr,
    /// Its own addresses in the tunnel and on the networks behind it.
    pub addresses: BTreeSet<IpAddr>,
}

impl Gateway {
    /// Whether a gateway that listens at `endpoint` may be this one: the declared address, and the declared port if it
    /// is not left open.
    #[must_use]
    pub fn may_listen_at(&self, endpoint: SocketAddr) -> bool {
        let port = endpoint.port() != 0 && [0, endpoint.port()].contains(&self.endpoint.port());
        port && self.endpoint.ip() == endpoint.ip()
    }
}

/// Something behind a gateway group that can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its name.
    pub id: ResourceId,
    /// The gateways that lead to it.
    pub gateways: GatewayGroupId,
    /// Its addresses; not empty.
    pub prefixes: BTreeSet<Prefix>,
    /// What it serves there; not empty.
    pub services: BTreeSet<Service>,
    /// The sets it belongs to.
    pub segments: BTreeSet<SegmentId>,
    /// What else is known, for policies that ask for it.
    pub attributes: BTreeMap<String, AttributeValue>,
    /// How requests for it are approved; without this there can be none.
    pub approval: Option<ApprovalRule>,
}

/// A resource, by its place in [`Site::resources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResourceIndex(pub u32);

impl Site {
    /// All resources, in the order of their ids.
    #[must_use]
    pub fn resources(&self) -> &[Resource] {
        &self.resources
    }

    /// The resource at a place; `None` for a place beyond the last.
    #[must_use]
    pub fn resource(&self, index: ResourceIndex) -> Option<&Resource> {
        usize::try_from(index.0).ok().and_then(|index| self.resources.get(index))
    }

    /// The place of a resource; `None` if the site has none of that name.
    #[must_use]
    pub fn resource_index(&self, id: &ResourceId) -> Option<ResourceIndex> {
        let index = self.resources.binary_search_by(|resource| resource.id.cmp(id)).ok()?;
        u32::try_from(index).ok().map(ResourceIndex)
    }

    /// The addresses that no grant covers unless a resource names exactly that one address: the pools, loopback,
    /// link-local, multicast, broadcast, unspecified and IPv4-mapped addresses, and the gateways' own and endpoint
    /// addresses. Sorted by the first address, IPv4 before IPv6; ranges may overlap.
    #[must_use]
    pub fn protected(&self) -> Vec<AddressRange> {
        let pools = self.pools.iter().map(|pool| pool.range());
        let special = special::RANGES.iter().map(|(_, range)| *range);
        let own = self.gateways.values().flat_map(|gateway| gateway.addresses.iter().copied());
        let endpoints = self.gateways.values().map(|gateway| gateway.endpoint.ip());
        let gateways = own.chain(endpoints).map(|address| AddressRange { first: address, last: address });
        let ranges: BTreeSet<_> = pools.chain(special).chain(gateways).collect();
        ranges.into_iter().collect()
    }

    /// How many of a person's claims no declared group names; they have no effect.
    #[must_use]
    pub fn ignored_claims(&self, subject: &Subject, claims: &BTreeSet<String>) -> usize {
        let names =
            |claim: &Claim, value: &String| claim.issuer == *subject.issuer() && claim.value == *value;
        let named = |value: &&String| self.groups.values().flatten().any(|claim| names(claim, value));
        claims.iter().filter(|value| !named(value)).count()
    }

    /// The declared groups that follow from a person's claims; claims that no group names are left out.
    #[must_use]
    pub fn groups_of(&self, subject: &Subject, claims: &BTreeSet<String>) -> BTreeSet<GroupId> {
        let holds = |claim: &Claim| claim.issuer == *subject.issuer() && claims.contains(&claim.value);
        let named = self.groups.iter().filter(|(_, group)| group.iter().any(holds));
        named.map(|(id, _)| id.clone()).collect()
    }
}
