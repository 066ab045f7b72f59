//! The sessions that a gateway admits.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::seats::Seats;
use super::{Cell, Elements, Peer, Reach, Source};
use crate::device::DeviceAddresses;
use crate::id::{RegionId, SessionEpoch, SessionId};
use crate::key::PublicKey;
use crate::net::Prefix;
use crate::session::{Session, SessionState};
use crate::time::Timestamp;

/// The cut of the address space, and the sessions that are admitted to some of it.
///
/// A copy costs nothing, and copies share all that they have in common: a change costs the same however many sessions
/// there are, also while somebody holds an earlier copy.
#[derive(Clone, Default)]
pub struct Roster {
    cells: Arc<BTreeMap<Cell, RegionId>>,
    seats: Seats,
}

/// A session that is admitted, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// The session.
    pub holder: Arc<Holder>,
    /// The regions that it may reach.
    pub reach: Arc<Reach>,
}

/// A session as far as gateways are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The session.
    pub session: SessionId,
    /// How often it was cut.
    pub epoch: SessionEpoch,
    /// When it ends.
    pub until: Timestamp,
    /// The key of its peer.
    pub public_key: PublicKey,
    /// The addresses of its device.
    pub addresses: DeviceAddresses,
    /// An active session has its sources; a suspended one only a bare peer, so that restoring it needs no handshake.
    pub state: SessionState,
}

impl Holder {
    /// What gateways see of a session on a device with these addresses.
    #[must_use]
    pub const fn new(session: &Session, addresses: DeviceAddresses) -> Self {
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

impl Roster {
    /// A roster that admits nobody.
    #[must_use]
    pub(crate) fn new(cells: BTreeMap<Cell, RegionId>) -> Self {
        Self { cells: Arc::new(cells), seats: Seats::default() }
    }

    /// The cut of the address space into regions.
    #[must_use]
    pub fn cells(&self) -> &BTreeMap<Cell, RegionId> {
        &self.cells
    }

    /// How many sessions are admitted.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.seats.len()
    }

    /// Whether none is.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.seats.len() == 0
    }

    /// The sessions that are admitted, in the order of their start. Costs time in proportion to their number.
    #[must_use]
    pub fn seats(&self) -> Vec<&Seat> {
        let mut seats: Vec<_> = self.seats.iter().collect();
        seats.sort_unstable_by_key(|seat| seat.holder.session);
        seats
    }

    /// The same as single elements. Costs time and space in proportion to their number.
    #[must_use]
    pub fn elements(&self) -> Elements {
        let mut elements = Elements { cells: (*self.cells).clone(), ..Elements::default() };
        for Seat { holder, reach } in self.seats.iter() {
            let is_active = holder.state == SessionState::Active;
            let source = Source { session: holder.session, epoch: holder.epoch, until: holder.until };
            for address in holder.addresses.iter() {
                elements.pairs.set(address, Arc::clone(reach));
                if is_active {
                    elements.sources.insert(address, source);
                }
            }
            let hosts = holder.addresses.iter().filter(|_| is_active).map(Prefix::host);
            let allowed_ips: BTreeSet<_> = hosts.collect();
            elements.peers.insert(holder.public_key, Peer { allowed_ips });
        }
        elements
    }

    /// The seat of this number.
    pub(crate) fn seat(&self, number: u32) -> Option<&Seat> {
        self.seats.get(number)
    }

    /// Takes the seat of this number, or gives it up.
    pub(crate) fn set_seat(&mut self, number: u32, seat: Option<Seat>) {
        self.seats.set(number, seat);
    }
}

impl PartialEq for Roster {
    /// Costs nothing for two copies of one, and time in proportion to the number of sessions otherwise.
    fn eq(&self, other: &Self) -> bool {
        self.cells == other.cells
            && self.len() == other.len()
            && (self.seats.is_same(&other.seats) || self.seats() == other.seats())
    }
}

impl Eq for Roster {}

impl fmt::Debug for Roster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roster").field("cells", &self.cells).field("seats", &self.seats()).finish()
    }
}
