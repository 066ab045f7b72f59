//! What a site is made from: lists without an order, not checked yet.

use std::collections::BTreeSet;
use std::time::Duration;

use super::limits::{DEFAULT_LEASE, DEFAULT_MAX_SESSION};
use super::{Claim, DefaultRoute, FactDeclaration, Gateway, Pools, Resource, Window};
use crate::id::{FactName, GatewayId, GroupId, SegmentId, WindowId};

/// What a site is made from; [`Site::new`](super::Site::new) checks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteDescription {
    /// How long a gateway goes on without hearing from the controller.
    pub lease: Duration,
    /// The longest that a session may be asked to last.
    pub max_session: Duration,
    /// Whether a resource may hold everything.
    pub default_route: DefaultRoute,
    /// Where devices get their addresses from.
    pub pools: Pools,
    /// The groups, with the claims that put people into them; nobody is in a group without claims.
    pub groups: Vec<(GroupId, BTreeSet<Claim>)>,
    /// The sets of resources.
    pub segments: Vec<SegmentId>,
    /// The spans of time.
    pub windows: Vec<(WindowId, Window)>,
    /// The posture facts.
    pub facts: Vec<(FactName, FactDeclaration)>,
    /// The gateways.
    pub gateways: Vec<(GatewayId, Gateway)>,
    /// The resources.
    pub resources: Vec<Resource>,
}

impl SiteDescription {
    /// A site with nothing but pools: a lease of 60 seconds, sessions of 12 hours, no default route.
    #[must_use]
    pub const fn new(pools: Pools) -> Self {
        Self {
            lease: DEFAULT_LEASE,
            max_session: DEFAULT_MAX_SESSION,
            default_route: DefaultRoute::Refuse,
            pools,
            groups: Vec::new(),
            segments: Vec::new(),
            windows: Vec::new(),
            facts: Vec::new(),
            gateways: Vec::new(),
            resources: Vec::new(),
        }
    }
}
