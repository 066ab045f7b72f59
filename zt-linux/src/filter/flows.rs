//! Flows that must not go on.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use zt_core::id::{SessionEpoch, SessionId};
use zt_core::net::Prefix;
use zt_core::plan::Add;

use crate::netlink::NetlinkError;
use crate::nftables::{Nftables, TrackedFlow};

/// Whose the flows of devices' addresses are.
#[derive(Debug, Default)]
pub(super) struct Owners {
    owners: BTreeMap<IpAddr, (SessionId, SessionEpoch)>,
    /// Whether addresses that are not among them were nobody's.
    pub(super) complete: bool,
}

impl Owners {
    /// The addresses that these additions give to a session that did not have them last.
    pub(super) fn strangers(&self, additions: &[&Add]) -> BTreeSet<IpAddr> {
        let strange = |add: &&Add| match add {
            Add::Source(address, source) => {
                let last = self.owners.get(address);
                let strange = last.map_or(!self.complete, |last| *last != (source.session, source.epoch));
                strange.then_some(*address)
            }
            Add::Peer(_) | Add::AllowedIp(..) | Add::Cell(..) | Add::Pair(..) | Add::Gate(_) => None,
        };
        additions.iter().filter_map(strange).collect()
    }

    /// Takes down whose an address is.
    pub(super) fn note(&mut self, address: IpAddr, owner: (SessionId, SessionEpoch)) {
        self.owners.insert(address, owner);
    }
}

/// Forgets the flows that any of these addresses opened: they are of a session that was there before.
pub(super) async fn forget_of(nftables: &Nftables, addresses: &BTreeSet<IpAddr>) -> Result<(), NetlinkError> {
    forget(nftables, |flow| addresses.contains(&flow.source)).await
}

/// Forgets all flows of addresses in these prefixes, in either direction: some may have been opened by the wrong end.
pub(super) async fn forget_in(nftables: &Nftables, pools: &BTreeSet<Prefix>) -> Result<(), NetlinkError> {
    let within = |address| pools.iter().any(|pool| pool.contains(address));
    forget(nftables, |flow| within(flow.source) || within(flow.destination)).await
}

async fn forget(nftables: &Nftables, is_meant: impl Fn(&TrackedFlow) -> bool) -> Result<(), NetlinkError> {
    let mut flows = nftables.flows().await?;
    flows.retain(is_meant);
    nftables.forget(&flows).await
}
