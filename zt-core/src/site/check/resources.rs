//! The rules for resources.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::super::attributes::check_attributes;
use super::super::fault::{Kind, SiteFault};
use super::super::limits::{MAX_PREFIXES, MAX_SEGMENTS_OF_RESOURCE, MAX_SERVICES};
use super::super::{ApprovalRule, DefaultRoute, MAX_APPROVALS, Resource, Site, special};
use super::routes::default_routes;
use super::{Place, Refusal, within, within_span};
use crate::id::GatewayGroupId;
use crate::net::Prefix;

/// Checks the resources for a site that has everything else.
pub(super) fn check(site: &Site, resources: &[Resource]) -> Result<(), Refusal> {
    let gateway_groups: BTreeSet<_> = site.gateways.values().map(|gateway| &gateway.group).collect();
    for (index, resource) in resources.iter().enumerate() {
        check_one(resource).map_err(|fault| Place::Listed(Kind::Resource, index).refuse(fault))?;
        if !gateway_groups.contains(&resource.gateways) {
            let fault = SiteFault::UnknownGatewayGroup(resource.gateways.clone());
            return Err(Place::ResourceGateways(index).refuse(fault));
        }
        if let Some(segment) = resource.segments.iter().find(|segment| !site.segments.contains(*segment)) {
            let fault = SiteFault::UnknownSegment(segment.clone());
            return Err(Place::ResourceSegment(index, segment.clone()).refuse(fault));
        }
        if let Some(rule) = &resource.approval {
            check_approval(site, rule).map_err(|fault| Place::ResourceApproval(index).refuse(fault))?;
        }
    }
    check_prefixes(site, resources)
}

fn check_one(resource: &Resource) -> Result<(), SiteFault> {
    if resource.prefixes.is_empty() {
        return Err(SiteFault::NoAddresses(resource.id.clone()));
    }
    if resource.services.is_empty() {
        return Err(SiteFault::NoServices(resource.id.clone()));
    }
    within(resource.prefixes.len(), ("prefixes of a resource", MAX_PREFIXES))?;
    within(resource.services.len(), ("services of a resource", MAX_SERVICES))?;
    within(resource.segments.len(), ("segments of a resource", MAX_SEGMENTS_OF_RESOURCE))?;
    Ok(check_attributes(&resource.attributes)?)
}

fn check_approval(site: &Site, rule: &ApprovalRule) -> Result<(), SiteFault> {
    if let Some(group) = rule.approvers.iter().find(|group| !site.groups.contains_key(*group)) {
        return Err(SiteFault::UnknownApprovers(group.clone()));
    }
    if rule.approvers.is_empty() || !(1..=MAX_APPROVALS).contains(&rule.count) {
        return Err(SiteFault::ApprovalCount { groups: rule.approvers.len(), count: rule.count });
    }
    within_span(rule.longest)
}

fn check_prefixes(site: &Site, resources: &[Resource]) -> Result<(), Refusal> {
    let routes = default_routes(resources, &site.protected());
    let endpoints = site.gateways.values().map(|gateway| gateway.endpoint.ip()).collect();
    let mut owners: BTreeMap<Prefix, &Resource> = BTreeMap::new();
    for (index, resource) in resources.iter().enumerate() {
        for prefix in &resource.prefixes {
            let refuse = |fault| Place::ResourcePrefix(index, *prefix).refuse(fault);
            if !prefix.is_host() && is_default_route(&routes, resource, prefix) {
                check_opt_in(site, resource, *prefix).map_err(refuse)?;
            } else {
                check_apart(site, resource, *prefix).map_err(refuse)?;
                check_endpoints(&endpoints, resource, *prefix).map_err(refuse)?;
            }
            let owner = owners.entry(*prefix).or_insert(resource);
            if owner.gateways != resource.gateways {
                let (resource, other) = (resource.id.clone(), owner.id.clone());
                return Err(refuse(SiteFault::SharedPrefix { prefix: *prefix, resource, other }));
            }
        }
    }
    Ok(())
}

fn is_default_route(
    routes: &BTreeSet<(GatewayGroupId, Prefix)>,
    resource: &Resource,
    prefix: &Prefix,
) -> bool {
    !routes.is_empty() && routes.contains(&(resource.gateways.clone(), *prefix))
}

fn check_opt_in(site: &Site, resource: &Resource, prefix: Prefix) -> Result<(), SiteFault> {
    match site.default_route {
        DefaultRoute::Carve => Ok(()),
        DefaultRoute::Refuse => {
            let (gateways, resource) = (resource.gateways.clone(), resource.id.clone());
            Err(SiteFault::DefaultRoute { gateways, resource, prefix })
        }
    }
}

fn check_apart(site: &Site, resource: &Resource, prefix: Prefix) -> Result<(), SiteFault> {
    let id = || resource.id.clone();
    if let Some(pool) = site.pools.iter().find(|pool| pool.overlaps(&prefix)) {
        return Err(SiteFault::OverlapsPool { resource: id(), prefix, pool });
    }
    match special::overlapped(&prefix) {
        Some(special) if !prefix.is_host() => {
            Err(SiteFault::SpecialAddresses { resource: id(), prefix, special })
        }
        Some(_) | None => Ok(()),
    }
}

fn check_endpoints(
    endpoints: &BTreeSet<IpAddr>,
    resource: &Resource,
    prefix: Prefix,
) -> Result<(), SiteFault> {
    let range = prefix.range();
    match endpoints.range(range.first..=range.last).next() {
        Some(address) => {
            let resource = resource.id.clone();
            Err(SiteFault::HoldsEndpoint { resource, prefix, address: *address })
        }
        None => Ok(()),
    }
}
