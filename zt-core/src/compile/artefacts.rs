//! What a gateway group is to have installed, kept up to date session by session.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::desired::{Cell, Holder, PairEnd, Reach, Roster, Seat};
use crate::id::ResourceId;
use crate::net::Service;
use crate::store::{Shared, Slot, hash_of};
use crate::time::Timestamp;

use super::regions::{Cover, Regions};

/// The roster of a gateway group, with what is needed to seat sessions in it.
#[derive(Debug, Clone)]
pub(crate) struct Artefacts {
    regions: Regions,
    roster: Roster,
    reaches: Shared<Reach>,
    changed: bool,
}

impl Default for Artefacts {
    fn default() -> Self {
        let (regions, roster) = (Regions::default(), Roster::default());
        Self { regions, roster, reaches: Shared::new(hash_of), changed: false }
    }
}

impl Artefacts {
    /// The same regions with nobody in them, for a site that was loaded anew.
    pub(crate) fn emptied(&self, cut: &BTreeMap<Cell, Cover>) -> Self {
        let mut regions = self.regions.clone();
        let roster = Roster::new(regions.recut(cut));
        Self { regions, roster, reaches: self.reaches.clone(), changed: false }
    }

    /// All regions of some resources, each to be reached until the end of the session.
    pub(crate) fn reach<'r>(&mut self, resources: impl Iterator<Item = &'r ResourceId>) -> Arc<Reach> {
        let regions = resources.flat_map(|resource| self.regions.of(resource));
        let reach = Reach::new(regions.map(|region| (region, PairEnd::WithSource)));
        self.reaches.keep(Arc::new(reach))
    }

    /// The regions of `reach`, and those of some services of resources until the given instants.
    pub(crate) fn reach_beyond(
        &mut self,
        reach: Option<&Arc<Reach>>,
        beyond: &[(&ResourceId, &BTreeSet<Service>, Timestamp)],
    ) -> Arc<Reach> {
        let whole = reach.into_iter().flat_map(|reach| reach.iter());
        let narrow = beyond.iter().flat_map(|(resource, services, ends_at)| {
            let regions = services.iter().flat_map(|service| self.regions.of_service(resource, *service));
            regions.map(|region| (*region, PairEnd::At(*ends_at)))
        });
        let reach = Reach::new(whole.chain(narrow));
        self.reaches.keep(Arc::new(reach))
    }

    /// Gives a session its seat, or another one.
    pub(crate) fn seat(&mut self, slot: Slot, holder: &Arc<Holder>, reach: &Arc<Reach>) {
        let seat = Seat { holder: Arc::clone(holder), reach: Arc::clone(reach) };
        if self.roster.seat(slot.number()) != Some(&seat) {
            self.roster.set_seat(slot.number(), Some(seat));
            self.changed = true;
        }
    }

    /// Takes over what is new of a session, if it has a seat here.
    pub(crate) fn update(&mut self, slot: Slot, holder: &Arc<Holder>) {
        if let Some(reach) = self.roster.seat(slot.number()).map(|seat| Arc::clone(&seat.reach)) {
            self.seat(slot, holder, &reach);
        }
    }

    /// Takes a session's seat away.
    pub(crate) fn unseat(&mut self, slot: Slot) {
        if self.roster.seat(slot.number()).is_some() {
            self.roster.set_seat(slot.number(), None);
            self.changed = true;
        }
    }

    /// Ends one round of changes; whether there were any.
    pub(crate) const fn settle(&mut self) -> bool {
        std::mem::replace(&mut self.changed, false)
    }

    pub(crate) const fn roster(&self) -> &Roster {
        &self.roster
    }
}
