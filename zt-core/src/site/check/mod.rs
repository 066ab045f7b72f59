//! The rules that make a description a site.

mod gateways;
mod resources;
mod routes;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::description::SiteDescription;
use super::fault::{Kind, SiteFault};
use super::limits::{
    MAX_CLAIMS, MAX_FACTS, MAX_GATEWAYS, MAX_GROUPS, MAX_LEASE, MAX_RESOURCES, MAX_SEGMENTS, MAX_SPAN,
    MAX_WINDOWS, MIN_LEASE,
};
use super::source::excerpt;
use super::{Site, special};
use crate::id::{SegmentId, check_name};
use crate::net::Prefix;

/// A broken rule, and the part of the description that breaks it.
pub(super) struct Refusal {
    pub(super) place: Place,
    pub(super) fault: SiteFault,
}

/// A part of a description; numbers are places in its lists.
pub(super) enum Place {
    Lease,
    MaxSession,
    PoolV4,
    PoolV6,
    Listed(Kind, usize),
    Endpoint(usize),
    GatewayAddress(usize, IpAddr),
    ResourceGateways(usize),
    ResourcePrefix(usize, Prefix),
    ResourceSegment(usize, SegmentId),
    ResourceApproval(usize),
}

impl Place {
    fn refuse(self, fault: impl Into<SiteFault>) -> Refusal {
        Refusal { place: self, fault: fault.into() }
    }
}

/// Makes a site of a description.
pub(super) fn site(description: SiteDescription) -> Result<Site, Refusal> {
    check_spans(&description)?;
    check_pools(&description)?;
    check_claims(&description)?;
    let SiteDescription { groups, segments, windows, facts, gateways, resources, .. } = description;
    limit(&groups, Kind::Group, ("groups", MAX_GROUPS))?;
    limit(&segments, Kind::Segment, ("segments", MAX_SEGMENTS))?;
    limit(&windows, Kind::Window, ("windows", MAX_WINDOWS))?;
    limit(&facts, Kind::Fact, ("facts", MAX_FACTS))?;
    limit(&gateways, Kind::Gateway, ("gateways", MAX_GATEWAYS))?;
    limit(&resources, Kind::Resource, ("resources", MAX_RESOURCES))?;
    gateways::check(&gateways, &description.pools)?;

    let segments = segments.into_iter().map(|segment| (segment, ())).collect();
    let mut site = Site {
        lease: description.lease,
        max_session: description.max_session,
        pools: description.pools,
        groups: unique(groups, Kind::Group)?,
        segments: unique(segments, Kind::Segment)?.into_keys().collect(),
        windows: unique(windows, Kind::Window)?,
        facts: unique(facts, Kind::Fact)?.into(),
        gateways: unique(gateways, Kind::Gateway)?,
        default_route: description.default_route,
        resources: Vec::new(),
    };
    resources::check(&site, &resources)?;
    let resources = resources.into_iter().map(|resource| (resource.id.clone(), resource)).collect();
    site.resources = unique(resources, Kind::Resource)?.into_values().collect();
    Ok(site)
}

fn check_spans(description: &SiteDescription) -> Result<(), Refusal> {
    if !(MIN_LEASE..=MAX_LEASE).contains(&description.lease) {
        return Err(Place::Lease.refuse(SiteFault::LeaseOutOfRange(description.lease)));
    }
    check_span(description.max_session, || Place::MaxSession)?;
    let mut facts = description.facts.iter().enumerate();
    facts.try_for_each(|(index, (_, fact))| check_span(fact.max_age, || Place::Listed(Kind::Fact, index)))
}

fn check_span(span: Duration, place: impl Fn() -> Place) -> Result<(), Refusal> {
    within_span(span).map_err(|fault| place().refuse(fault))
}

fn within_span(span: Duration) -> Result<(), SiteFault> {
    if span.is_zero() || span > MAX_SPAN { Err(SiteFault::SpanOutOfRange(span)) } else { Ok(()) }
}

fn check_pools(description: &SiteDescription) -> Result<(), Refusal> {
    let pools = &description.pools;
    if pools.iter().next().is_none() {
        return Err(Place::PoolV4.refuse(SiteFault::NoPool));
    }
    let v4 = pools.v4.map_or(Ok(()), |pool| check_pool(pool, (pool.address().is_ipv4(), 30)));
    let v6 = pools.v6.map_or(Ok(()), |pool| check_pool(pool, (pool.address().is_ipv6(), 126)));
    v4.map_err(|fault| Place::PoolV4.refuse(fault))?;
    v6.map_err(|fault| Place::PoolV6.refuse(fault))
}

fn check_pool(pool: Prefix, (right_family, longest): (bool, u8)) -> Result<(), SiteFault> {
    if !right_family {
        return Err(SiteFault::PoolFamily(pool));
    }
    if pool.length() > longest {
        return Err(SiteFault::PoolTooSmall(pool));
    }
    special::overlapped(&pool).map_or(Ok(()), |special| Err(SiteFault::SpecialPool { pool, special }))
}

fn check_claims(description: &SiteDescription) -> Result<(), Refusal> {
    for (index, (_, claims)) in description.groups.iter().enumerate() {
        let refuse = |fault| Place::Listed(Kind::Group, index).refuse(fault);
        within(claims.len(), ("claims in a group", MAX_CLAIMS)).map_err(refuse)?;
        for claim in claims {
            check_name(&claim.value)
                .map_err(|error| refuse(SiteFault::Name(excerpt(&claim.value), error)))?;
        }
    }
    Ok(())
}

/// Refuses a list that is too long, at its first element too many.
fn limit<T>(list: &[T], kind: Kind, (what, most): (&'static str, usize)) -> Result<(), Refusal> {
    within(list.len(), (what, most)).map_err(|fault| Place::Listed(kind, most).refuse(fault))
}

fn within(count: usize, (what, most): (&'static str, usize)) -> Result<(), SiteFault> {
    if count > most { Err(SiteFault::TooMany { what, count, most }) } else { Ok(()) }
}

/// Sorts a list by its ids, and refuses the second use of an id.
fn unique<K: Ord + ToString, V>(list: Vec<(K, V)>, kind: Kind) -> Result<BTreeMap<K, V>, Refusal> {
    let mut map = BTreeMap::new();
    for (index, (id, value)) in list.into_iter().enumerate() {
        if map.contains_key(&id) {
            let fault = SiteFault::Duplicate { kind, id: id.to_string() };
            return Err(Place::Listed(kind, index).refuse(fault));
        }
        map.insert(id, value);
    }
    Ok(map)
}
