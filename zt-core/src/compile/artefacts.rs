//! What a gateway group is to have installed, kept up to date grant by grant.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::desired::{Cell, Elements, Pair, Peer, Source};
use crate::device::DeviceAddresses;
use crate::id::{RegionId, ResourceId, SessionEpoch, SessionId};
use crate::key::PublicKey;
use crate::net::Prefix;
use crate::session::{Session, SessionState};
use crate::time::Timestamp;

use super::regions::{Cover, Regions};

/// A session as far as gateways are concerned.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Holder {
    session: SessionId,
    epoch: SessionEpoch,
    until: Timestamp,
    public_key: PublicKey,
    addresses: DeviceAddresses,
    state: SessionState,
}

impl Holder {
    pub(crate) const fn new(session: &Session, addresses: DeviceAddresses) -> Self {
        Self {
            session: session.id,
            epoch: session.epoch,
            until: session.ends_at,
            public_key: session.public_key,
            addresses,
            state: session.state,
        }
    }
}

/// The elements of a gateway group, with what is needed to take single grants in and out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Artefacts {
    regions: Regions,
    elements: Arc<Elements>,
    /// How many grants need each pair.
    counts: BTreeMap<Pair, u32>,
    /// How many grants each session has here.
    holders: BTreeMap<SessionId, u32>,
    changed: bool,
}

impl Artefacts {
    /// The same regions with nobody in them, for a site that was loaded anew.
    pub(crate) fn emptied(&self, cut: &BTreeMap<Cell, Cover>) -> Self {
        let mut regions = self.regions.clone();
        let elements = Arc::new(Elements { cells: regions.recut(cut), ..Elements::default() });
        Self { regions, elements, ..Self::default() }
    }

    /// Takes a grant in.
    pub(crate) fn issue(&mut self, holder: &Holder, resource: &ResourceId) {
        let grants = self.holders.entry(holder.session).or_default();
        *grants = grants.saturating_add(1);
        if *grants == 1 {
            self.install(holder);
        }
        for pair in pairs(self.regions.of(resource), holder.addresses) {
            let count = self.counts.entry(pair).or_default();
            *count = count.saturating_add(1);
            if *count == 1 {
                Arc::make_mut(&mut self.elements).pairs.insert(pair);
                self.changed = true;
            }
        }
    }

    /// Takes a grant out.
    pub(crate) fn end(&mut self, holder: &Holder, resource: &ResourceId) {
        for pair in pairs(self.regions.of(resource), holder.addresses) {
            let Some(count) = self.counts.get_mut(&pair) else { continue };
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.counts.remove(&pair);
                Arc::make_mut(&mut self.elements).pairs.remove(&pair);
                self.changed = true;
            }
        }
        let Some(grants) = self.holders.get_mut(&holder.session) else { return };
        *grants = grants.saturating_sub(1);
        if *grants == 0 {
            self.holders.remove(&holder.session);
            let elements = Arc::make_mut(&mut self.elements);
            elements.peers.remove(&holder.public_key);
            holder.addresses.iter().for_each(|address| {
                elements.sources.remove(&address);
            });
            self.changed = true;
        }
    }

    /// Takes over a session's new state or epoch, if it has grants here.
    pub(crate) fn update(&mut self, holder: &Holder) {
        if self.holders.contains_key(&holder.session) {
            self.install(holder);
        }
    }

    /// Ends one round of changes; whether there were any.
    pub(crate) const fn settle(&mut self) -> bool {
        std::mem::replace(&mut self.changed, false)
    }

    pub(crate) const fn elements(&self) -> &Arc<Elements> {
        &self.elements
    }

    /// An active session gets its sources; a suspended one keeps its bare peer, so that restoring needs no handshake.
    fn install(&mut self, holder: &Holder) {
        let elements = Arc::make_mut(&mut self.elements);
        let mut allowed_ips = BTreeSet::new();
        for address in holder.addresses.iter() {
            match holder.state {
                SessionState::Active => {
                    let source = Source { session: holder.session, epoch: holder.epoch, until: holder.until };
                    elements.sources.insert(address, source);
                    allowed_ips.insert(Prefix::host(address));
                }
                SessionState::Suspended => {
                    elements.sources.remove(&address);
                }
            }
        }
        elements.peers.insert(holder.public_key, Peer { allowed_ips });
        self.changed = true;
    }
}

fn pairs(regions: &[RegionId], addresses: DeviceAddresses) -> impl Iterator<Item = Pair> {
    regions.iter().flat_map(move |region| addresses.iter().map(|source| Pair { source, region: *region }))
}
