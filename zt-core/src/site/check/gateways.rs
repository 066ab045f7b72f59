//! The rules for gateways.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use super::super::fault::{Kind, SiteFault};
use super::super::limits::MAX_GATEWAY_ADDRESSES;
use super::super::special::{self, Special};
use super::super::{Gateway, Pools};
use super::{Place, Refusal, within};
use crate::id::GatewayId;
use crate::net::{Prefix, PrefixError};

pub(super) fn check(gateways: &[(GatewayId, Gateway)], pools: &Pools) -> Result<(), Refusal> {
    let mut endpoints = BTreeMap::new();
    for (index, (id, gateway)) in gateways.iter().enumerate() {
        within(gateway.addresses.len(), ("addresses of a gateway", MAX_GATEWAY_ADDRESSES))
            .map_err(|fault| Place::Listed(Kind::Gateway, index).refuse(fault))?;
        check_endpoint(gateway.endpoint)
            .and_then(|()| check_address(gateway.endpoint.ip(), id, pools))
            .and_then(|()| check_taken(gateway.endpoint, endpoints.insert(gateway.endpoint, id)))
            .map_err(|fault| Place::Endpoint(index).refuse(fault))?;
        for address in &gateway.addresses {
            check_address(*address, id, pools)
                .map_err(|fault| Place::GatewayAddress(index, *address).refuse(fault))?;
        }
    }
    Ok(())
}

fn check_endpoint(endpoint: SocketAddr) -> Result<(), SiteFault> {
    match endpoint {
        SocketAddr::V6(v6) if v6.scope_id() != 0 || v6.flowinfo() != 0 => {
            Err(SiteFault::Endpoint(endpoint.to_string()))
        }
        SocketAddr::V4(_) | SocketAddr::V6(_) => Ok(()),
    }
}

/// Port 0 stands for a port that is named later, so it may stand more than once.
fn check_taken(endpoint: SocketAddr, other: Option<&GatewayId>) -> Result<(), SiteFault> {
    match other {
        Some(other) if endpoint.port() != 0 => {
            Err(SiteFault::EndpointTaken { endpoint, other: other.clone() })
        }
        Some(_) | None => Ok(()),
    }
}

fn check_address(address: IpAddr, gateway: &GatewayId, pools: &Pools) -> Result<(), SiteFault> {
    match special::overlapped(&Prefix::host(address)) {
        Some(Special::Mapped) => return Err(PrefixError::Mapped(address.to_string()).into()),
        Some(Special::Multicast | Special::Broadcast | Special::Unspecified) => {
            return Err(SiteFault::GatewayAddress(address));
        }
        Some(Special::Loopback | Special::LinkLocal) | None => {}
    }
    match pools.iter().find(|pool| pool.contains(address)) {
        Some(pool) => Err(SiteFault::GatewayInPool { gateway: gateway.clone(), address, pool }),
        None => Ok(()),
    }
}
