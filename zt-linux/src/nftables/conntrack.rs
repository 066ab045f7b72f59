//! The flows that the kernel tracks (`net/netfilter/nf_conntrack_netlink.c`).

use std::net::IpAddr;

use rustix::io::Errno;

use super::{Attributes, Nftables, attributes};
use crate::netlink::NetlinkError;

/// A flow that the kernel tracks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TrackedFlow {
    /// Who sent its first packet.
    pub(crate) source: IpAddr,
    /// Where that went.
    pub(crate) destination: IpAddr,
    /// What the kernel calls it: its first packet's tuple, its id, and its zone.
    name: Attributes,
}

pub(super) const SUBSYSTEM: u16 = 1;
const GET: u8 = 1;
const DELETE: u8 = 2;
const TUPLE_ORIGINAL: u16 = 1;
const ID: u16 = 12;
const ZONE: u16 = 18;

impl Nftables {
    /// All flows that are tracked.
    pub(crate) async fn flows(&self) -> Result<Vec<TrackedFlow>, NetlinkError> {
        self.list((SUBSYSTEM, GET, 0), &Attributes::new(), TrackedFlow::read).await
    }

    /// Forgets flows. One that ended meanwhile is forgotten already.
    pub(crate) async fn forget(&self, flows: &[TrackedFlow]) -> Result<(), NetlinkError> {
        for flow in flows {
            let family = if flow.source.is_ipv4() { 2 } else { 10 };
            match self.change((SUBSYSTEM, DELETE, family), &flow.name).await {
                Err(error) if error.is(Errno::NOENT) => {}
                forgotten => forgotten?,
            }
        }
        Ok(())
    }
}

impl TrackedFlow {
    fn read(message: &[u8]) -> Option<Self> {
        const ADDRESSES: u16 = 1;
        let tuple = find(message, TUPLE_ORIGINAL)?;
        let addresses = find(tuple, ADDRESSES)?;
        let address = |v4, v6| {
            let v4 = find(addresses, v4).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok()).map(IpAddr::from);
            v4.or_else(|| {
                find(addresses, v6).and_then(|bytes| <[u8; 16]>::try_from(bytes).ok()).map(IpAddr::from)
            })
        };
        let mut name = Attributes::new().nested(TUPLE_ORIGINAL, tuple);
        for kind in [ID, ZONE] {
            name = find(message, kind).map_or(name.clone(), |value| name.bytes(kind, value));
        }
        Some(Self { source: address(1, 3)?, destination: address(2, 4)?, name })
    }
}

fn find(bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
}
