//! A peer, and its allowed IPs (`WGPEER_A_*` and `WGALLOWEDIP_A_*` in include/uapi/linux/wireguard.h).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::num::NonZeroU16;
use std::time::Duration;

use zt_core::net::Prefix;

use crate::wireguard::malformed::Malformed;
use crate::wireguard::netlink::Attribute;
use crate::wireguard::status::PeerStatus;

const PUBLIC_KEY: u16 = 1;
const PRESHARED_KEY: u16 = 2;
const ENDPOINT: u16 = 4;
const KEEPALIVE: u16 = 5;
const LAST_HANDSHAKE: u16 = 6;
const RECEIVED: u16 = 7;
const SENT: u16 = 8;
const ALLOWED_IPS: u16 = 9;

const IP_FAMILY: u16 = 1;
const IP_ADDRESS: u16 = 2;
const IP_LENGTH: u16 = 3;

const INET: u16 = 2;
const INET6: u16 = 10;

/// A peer, as far as its messages have come.
#[derive(Debug)]
pub(super) struct Peer {
    /// Addresses with lengths; not all of them need be prefixes of ours.
    pub(super) allowed_ips: Vec<(IpAddr, u8)>,
    status: PeerStatus,
}

impl Peer {
    /// Reads a peer with its key.
    pub(super) fn read(peer: Attribute<'_>) -> Result<([u8; 32], Self), Malformed> {
        let (mut key, mut status, mut allowed_ips) = (None, PeerStatus::default(), Vec::new());
        for attribute in peer.nested() {
            let attribute = attribute?;
            match attribute.kind {
                PUBLIC_KEY => key = Some(attribute.array()?),
                PRESHARED_KEY => status.has_preshared_key = attribute.value.iter().any(|byte| *byte != 0),
                ENDPOINT => status.endpoint = endpoint(attribute)?,
                KEEPALIVE => status.keepalive = NonZeroU16::new(u16::from_ne_bytes(attribute.array()?)),
                LAST_HANDSHAKE => status.last_handshake = instant(attribute)?,
                RECEIVED => status.received = u64::from_ne_bytes(attribute.array()?),
                SENT => status.sent = u64::from_ne_bytes(attribute.array()?),
                ALLOWED_IPS => {
                    for allowed_ip in attribute.nested() {
                        allowed_ips.push(read_allowed_ip(allowed_ip?)?);
                    }
                }
                _ => {}
            }
        }
        let key = key.ok_or(Malformed::Missing { kind: PUBLIC_KEY })?;
        Ok((key, Self { allowed_ips, status }))
    }

    /// What was listed, and whether all its allowed IPs are prefixes of ours.
    pub(super) fn finish(self) -> (PeerStatus, bool) {
        let mut status = self.status;
        let mut is_whole = true;
        for (address, length) in self.allowed_ips {
            match Prefix::new(address, length) {
                Ok(prefix) => drop(status.allowed_ips.insert(prefix)),
                Err(_) => is_whole = false,
            }
        }
        (status, is_whole)
    }
}

fn read_allowed_ip(allowed_ip: Attribute<'_>) -> Result<(IpAddr, u8), Malformed> {
    let (mut family, mut address, mut length) = (None, None, None);
    for attribute in allowed_ip.nested() {
        let attribute = attribute?;
        match attribute.kind {
            IP_FAMILY => family = Some(u16::from_ne_bytes(attribute.array()?)),
            IP_ADDRESS => address = Some(attribute),
            IP_LENGTH => length = Some(u8::from_ne_bytes(attribute.array()?)),
            _ => {}
        }
    }
    let address = address.ok_or(Malformed::Missing { kind: IP_ADDRESS })?;
    let length = length.ok_or(Malformed::Missing { kind: IP_LENGTH })?;
    let (address, bits): (IpAddr, u8) = match family.ok_or(Malformed::Missing { kind: IP_FAMILY })? {
        INET => (address.array::<4>()?.into(), 32),
        INET6 => (address.array::<16>()?.into(), 128),
        _ => return Err(Malformed::Value { kind: IP_FAMILY }),
    };
    if length > bits {
        return Err(Malformed::Value { kind: IP_LENGTH });
    }
    Ok((address, length))
}

/// A `struct sockaddr_in` or `sockaddr_in6`; none if it is of no family, as if it was never known.
fn endpoint(attribute: Attribute<'_>) -> Result<Option<SocketAddr>, Malformed> {
    let malformed = Malformed::Length { kind: attribute.kind, length: attribute.value.len() };
    let (family, rest) = attribute.value.split_first_chunk().ok_or(malformed)?;
    let (port, rest) = rest.split_first_chunk().ok_or(malformed)?;
    let port = u16::from_be_bytes(*port);
    match u16::from_ne_bytes(*family) {
        0 => Ok(None),
        INET => {
            let [a, b, c, d, ..] = <[u8; 12]>::try_from(rest).map_err(|_| malformed)?;
            Ok(Some(SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), port).into()))
        }
        INET6 => {
            let rest: [u8; 24] = rest.try_into().map_err(|_| malformed)?;
            let (flow, rest) = rest.split_first_chunk().ok_or(malformed)?;
            let (address, scope) = rest.split_first_chunk::<16>().ok_or(malformed)?;
            let scope = scope.try_into().map_err(|_| malformed)?;
            let (flow, scope) = (u32::from_ne_bytes(*flow), u32::from_ne_bytes(scope));
            Ok(Some(SocketAddrV6::new(Ipv6Addr::from(*address), port, flow, scope).into()))
        }
        _ => Err(Malformed::Value { kind: attribute.kind }),
    }
}

/// A `struct __kernel_timespec` since the Unix epoch; none if it is zero.
fn instant(attribute: Attribute<'_>) -> Result<Option<Duration>, Malformed> {
    let malformed = Malformed::Length { kind: attribute.kind, length: attribute.value.len() };
    let (seconds, rest) = attribute.value.split_first_chunk().ok_or(malformed)?;
    let nanos: [u8; 8] = rest.try_into().map_err(|_| malformed)?;
    let seconds = u64::try_from(i64::from_ne_bytes(*seconds));
    let nanos = u32::try_from(i64::from_ne_bytes(nanos)).ok().filter(|nanos| *nanos < 1_000_000_000);
    match (seconds, nanos) {
        (Ok(seconds), Some(nanos)) => Ok(Some(Duration::new(seconds, nanos)).filter(|at| !at.is_zero())),
        _ => Err(Malformed::Value { kind: attribute.kind }),
    }
}
