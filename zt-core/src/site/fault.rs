//! Everything that can be wrong with a site.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::approval::MAX_APPROVALS;
use super::attributes::AttributeError;
use super::limits::{MAX_LEASE, MAX_SPAN, MIN_LEASE};
use super::source::{InFile, Malformed};
use super::special::Special;
use super::window::WindowError;
use crate::id::{GatewayGroupId, GatewayId, GroupId, NameError, ResourceId, SegmentId};
use crate::net::{Prefix, PrefixError, ServiceError};

/// Why a site file was refused, with file and line; no site comes of it.
pub type SiteError = InFile<SiteFault>;

/// What is wrong with a site.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SiteFault {
    /// The text cannot be read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// A text is no name.
    #[error("`{0}` is no name: {1}")]
    Name(String, NameError),
    /// A text is no prefix.
    #[error(transparent)]
    Prefix(#[from] PrefixError),
    /// A text is no address.
    #[error("`{0}` is not an address")]
    Address(String),
    /// A text is no endpoint.
    #[error("`{0}` is not an endpoint; write `192.0.2.1:51820` or `[2001:db8::1]:51820`, without a zone")]
    Endpoint(String),
    /// A text is no service.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// A text is no duration.
    #[error("`{0}` is not a duration; write `5s`, `15m`, `8h` or `2d`")]
    Duration(String),
    /// A window is not one.
    #[error(transparent)]
    Window(#[from] WindowError),
    /// A kind of fact that does not exist.
    #[error("`{0}` is not a kind of fact; write `bool`, `long` or `string`")]
    FactKind(String),
    /// Attributes of a resource are not as they should be.
    #[error(transparent)]
    Attribute(#[from] AttributeError),
    /// There is more of something than a site may hold.
    #[error("{count} {what}, {most} is the most")]
    TooMany {
        /// Of what, in the plural.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        most: usize,
    },
    /// Two things of one kind have the same id.
    #[error("there is another {kind} `{id}`")]
    Duplicate {
        /// What kind.
        kind: Kind,
        /// The id.
        id: String,
    },
    /// The lease is too short or too long.
    #[error("a lease of {0:?}; from {MIN_LEASE:?} to {MAX_LEASE:?} is allowed")]
    LeaseOutOfRange(Duration),
    /// The longest session, or the age that a fact may reach, is zero or too long.
    #[error("{0:?} is out of range; more than zero, and at most {MAX_SPAN:?}, is allowed")]
    SpanOutOfRange(Duration),
    /// There is no pool.
    #[error("no pool; write `v4` or `v6` under `[pools]`")]
    NoPool,
    /// A pool is of the other address family.
    #[error("pool `{0}` is of the other address family")]
    PoolFamily(Prefix),
    /// A pool has too few addresses.
    #[error("pool `{0}` is too small; /30 (IPv4) and /126 (IPv6) are the longest prefixes")]
    PoolTooSmall(Prefix),
    /// A pool is where no device can have an address.
    #[error("pool `{pool}` overlaps {special}")]
    SpecialPool {
        /// The pool.
        pool: Prefix,
        /// What is there.
        special: Special,
    },
    /// An address or endpoint of a gateway lies in a pool.
    #[error("address `{address}` of gateway `{gateway}` lies in pool `{pool}`")]
    GatewayInPool {
        /// The gateway.
        gateway: GatewayId,
        /// Its address.
        address: IpAddr,
        /// The pool.
        pool: Prefix,
    },
    /// No host can have this address.
    #[error("`{0}` cannot be the address of a gateway")]
    GatewayAddress(IpAddr),
    /// Two gateways have the same endpoint.
    #[error("endpoint `{endpoint}` is also that of gateway `{other}`")]
    EndpointTaken {
        /// The endpoint.
        endpoint: SocketAddr,
        /// The gateway that has it already.
        other: GatewayId,
    },
    /// The people who are to approve are in a group that the site does not declare.
    #[error("no group `{0}` is declared, so nobody in it can approve")]
    UnknownApprovers(GroupId),
    /// Nobody is to approve, or too few or too many are needed.
    #[error(
        "{count} approvals by {groups} groups; from 1 to {MAX_APPROVALS}, by at least one group, are allowed"
    )]
    ApprovalCount {
        /// How many groups of approvers there are.
        groups: usize,
        /// How many approvals are needed.
        count: u32,
    },
    /// A resource has no addresses.
    #[error("resource `{0}` has no addresses")]
    NoAddresses(ResourceId),
    /// A resource has no services.
    #[error("resource `{0}` has no services")]
    NoServices(ResourceId),
    /// A resource is behind a group without gateways.
    #[error("no gateway is in group `{0}`")]
    UnknownGatewayGroup(GatewayGroupId),
    /// A resource belongs to a segment that is not declared.
    #[error("segment `{0}` is not declared")]
    UnknownSegment(SegmentId),
    /// A resource has addresses that are for devices.
    #[error("`{prefix}` of resource `{resource}` overlaps pool `{pool}`")]
    OverlapsPool {
        /// The resource.
        resource: ResourceId,
        /// Its prefix.
        prefix: Prefix,
        /// The pool.
        pool: Prefix,
    },
    /// A resource has the address at which devices reach a gateway: the tunnel would lead into itself.
    #[error("`{prefix}` of resource `{resource}` holds the endpoint address `{address}` of a gateway")]
    HoldsEndpoint {
        /// The resource.
        resource: ResourceId,
        /// Its prefix.
        prefix: Prefix,
        /// The address of the endpoint.
        address: IpAddr,
    },
    /// A resource has addresses that no route should lead to, without naming just one of them.
    #[error(
        "`{prefix}` of resource `{resource}` overlaps {special}; only single addresses of it may be named"
    )]
    SpecialAddresses {
        /// The resource.
        resource: ResourceId,
        /// Its prefix.
        prefix: Prefix,
        /// What is there.
        special: Special,
    },
    /// The prefixes behind a gateway group sum to a whole address family.
    #[error(
        "`{prefix}` of resource `{resource}` sums to a whole address family, alone or with others behind \
         `{gateways}`; if that is wanted, write `default-route = true` under `[site]`"
    )]
    DefaultRoute {
        /// The gateway group.
        gateways: GatewayGroupId,
        /// The first resource that takes part.
        resource: ResourceId,
        /// Its prefix.
        prefix: Prefix,
    },
    /// Resources of two gateway groups have the same prefix: a device could not tell where to send packets.
    #[error("`{prefix}` of resource `{resource}` is also that of `{other}`, behind another gateway group")]
    SharedPrefix {
        /// The prefix.
        prefix: Prefix,
        /// The resource.
        resource: ResourceId,
        /// The resource that has it already.
        other: ResourceId,
    },
}

/// What kind of thing a site declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A group of people.
    Group,
    /// A set of resources.
    Segment,
    /// A span of time that recurs.
    Window,
    /// A posture fact.
    Fact,
    /// A gateway.
    Gateway,
    /// A resource.
    Resource,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Group => "group",
            Self::Segment => "segment",
            Self::Window => "window",
            Self::Fact => "fact",
            Self::Gateway => "gateway",
            Self::Resource => "resource",
        })
    }
}
