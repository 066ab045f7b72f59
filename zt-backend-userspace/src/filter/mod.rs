//! The packet filter: judges every packet of both directions, whatever was let through before.
//!
//! A packet from a device passes iff the gate is open, its source address has a live session, and its destination
//! lies in a region that is granted to that address. A packet to a device passes iff the same holds for the way back
//! *and* it belongs to a flow that the device opened in this session. An ICMP error passes iff it is about a packet
//! that would pass the other way. As nothing is let through because something was let through before, a cut needs no
//! flushing of flows.

mod cells;
mod counts;
mod deadline;
mod flows;
mod fragments;
mod record;
mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use zt_core::desired::{Cell, Elements};
use zt_core::id::RegionId;
use zt_core::net::Prefix;
use zt_core::plan::{Add, Cut, Gate};
use zt_core::time::{Anchor, BootInstant};

use self::cells::CellMap;
pub use self::counts::{Counts, DirectionCounts, DropReason};
use self::flows::{FlowKey, FlowTable, Owner, Use};
use self::fragments::{Fragments, Taken};
pub use self::record::{FlowEnd, FlowRecord, Flows, Traffic};
use self::rules::{Installed, Rules};
use crate::clock::BootClock;
use crate::packet::{self, Body, Packet, ParseError};

/// How many flows are looked at, or rules changed, under one lock.
const PAGE: usize = 256;

/// Where a packet is going.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// A device sent it.
    FromDevice,
    /// Somebody sent it to a device.
    ToDevice,
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// It was handed on; with a fragment, all of its packet.
    Accept,
    /// It is a fragment that waits for the rest of its packet.
    Hold,
    /// It was not.
    Drop(DropReason),
}

/// Why cells were not added: the first addition at fault, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("addition {at}: {problem}")]
pub struct AddError {
    /// Which addition.
    pub at: usize,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// A packet filter. Nothing is installed at first, so nothing passes.
///
/// A packet is judged and handed on under one lock, and rules change under the same lock: when a change returns, no
/// packet that was judged by the rules before is still on its way through (INV-V4). It is one lock for both directions
/// because both write to the table of flows.
#[derive(Debug)]
pub struct Filter {
    clock: Arc<dyn BootClock>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    mode: Mode,
    rules: Rules,
    flows: FlowTable,
    fragments: Fragments,
    counts: Counts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Mode {
    #[default]
    Judge,
    Stopped,
    #[cfg(feature = "testing")]
    AcceptEverything,
}

impl Filter {
    /// A filter with nothing installed.
    #[must_use]
    pub fn new(clock: Arc<dyn BootClock>) -> Self {
        Self { clock, state: Mutex::default() }
    }

    #[cfg(feature = "testing")]
    pub(crate) fn dangerously_accept_everything(clock: Arc<dyn BootClock>) -> Self {
        let state = State { mode: Mode::AcceptEverything, ..State::default() };
        Self { clock, state: Mutex::new(state) }
    }

    /// Judges a packet and, if it passes, hands it on by calling `forward`, which says whether there was room.
    ///
    /// A fragment waits, some seconds at most, until all of its packet is there; then that is judged, and all fragments
    /// are handed on as they came, in their order. `forward` must not wait: every other packet does meanwhile.
    pub fn pass(
        &self,
        direction: Direction,
        bytes: &[u8],
        mut forward: impl FnMut(&[u8]) -> bool,
    ) -> Verdict {
        let parsed = packet::parse(bytes);
        let Some(mut state) = self.lock() else { return Verdict::Drop(DropReason::Stopped) };
        let now = self.clock.now();
        let judged = match (state.mode, parsed) {
            (Mode::Judge, Ok(packet)) => {
                state.judge((direction, bytes.len()), &packet, now).map(|()| Passing::Packet)
            }
            (Mode::Judge, Err(ParseError::Fragment)) => state.collect(direction, bytes, now),
            (Mode::Judge, Err(error)) => Err(DropReason::Unparsed(error)),
            (Mode::Stopped, _) => Err(DropReason::Stopped),
            #[cfg(feature = "testing")]
            (Mode::AcceptEverything, _) => Ok(Passing::Packet),
        };
        let passing = match judged {
            Ok(passing) => passing,
            Err(reason) => {
                state.counts.count(direction, Err(reason));
                return Verdict::Drop(reason);
            }
        };
        let mut hand_on = |bytes: &[u8]| {
            let outcome = if forward(bytes) { Ok(()) } else { Err(DropReason::Queue) };
            state.counts.count(direction, outcome);
            outcome
        };
        let handed_on = match passing {
            Passing::Nothing => return Verdict::Hold,
            Passing::Packet => hand_on(bytes),
            Passing::Parts(parts) => parts.iter().try_for_each(|part| hand_on(part)),
        };
        handed_on.map_or_else(Verdict::Drop, |()| Verdict::Accept)
    }

    /// Takes access away; cuts of allowed IPs are none of the filter's business and are passed over.
    ///
    /// When it returns, no packet passes any more by what was cut. Ends count from `anchor`.
    pub fn cut(&self, cuts: &[&Cut], anchor: Anchor) {
        self.cut_rules(cuts, anchor);
        self.cut_cells(cuts);
    }

    /// Cuts everything but cells.
    pub(crate) fn cut_rules(&self, cuts: &[&Cut], anchor: Anchor) {
        for cuts in cuts.chunks(PAGE) {
            if let Some(mut state) = self.lock() {
                cuts.iter().for_each(|cut| state.rules.cut(cut, anchor));
            }
        }
    }

    /// Cuts cells and nothing else.
    pub(crate) fn cut_cells(&self, cuts: &[&Cut]) {
        let gone: BTreeSet<Cell> = cuts.iter().filter_map(|cut| cut_cell(cut)).collect();
        if !gone.is_empty() {
            let Ok(()) = self.change_cells(|cells| Ok::<_, Infallible>(cells.without(&gone)));
        }
    }

    /// Gives access; additions of peers and allowed IPs are none of the filter's business and are passed over.
    ///
    /// # Errors
    /// If a cell is not a box, overlaps another one or makes the map of cells too big. Nothing has changed then.
    pub fn add(&self, additions: &[&Add], anchor: Anchor) -> Result<(), AddError> {
        self.recut(&[], additions)?;
        self.add_rules(additions, anchor);
        Ok(())
    }

    /// Adds everything but cells.
    pub(crate) fn add_rules(&self, additions: &[&Add], anchor: Anchor) {
        for additions in additions.chunks(PAGE) {
            if let Some(mut state) = self.lock() {
                additions.iter().for_each(|add| state.rules.add(add, anchor));
            }
        }
    }

    /// Cuts cells and adds others at once: what lies in both is never in none.
    ///
    /// # Errors
    /// As for [`Filter::add`]. Nothing has changed then, and nothing is cut.
    pub(crate) fn recut(&self, cuts: &[&Cut], additions: &[&Add]) -> Result<(), AddError> {
        let gone: BTreeSet<Cell> = cuts.iter().filter_map(|cut| cut_cell(cut)).collect();
        let (at, added): (Vec<usize>, Vec<(Cell, RegionId)>) =
            additions.iter().enumerate().filter_map(|(at, add)| add_cell(add).map(|cell| (at, cell))).unzip();
        if gone.is_empty() && added.is_empty() {
            return Ok(());
        }
        self.change_cells(|cells| cells.changed(&gone, &added)).map_err(|problem| AddError {
            at: at.get(problem.at).copied().unwrap_or(0),
            problem: problem.problem,
        })
    }

    /// Whether an address in any of these prefixes has a source, ended or not. One whose rules are not known has none.
    pub(crate) fn has_source<'a>(&self, prefixes: impl IntoIterator<Item = &'a Prefix>) -> bool {
        let prefixes: Vec<&Prefix> = prefixes.into_iter().collect();
        prefixes.chunks(PAGE).any(|prefixes| {
            self.lock().is_some_and(|state| prefixes.iter().any(|prefix| state.rules.has_source(prefix)))
        })
    }

    /// Replaces the map of cells, which is built while packets pass by the old one.
    fn change_cells<E>(&self, change: impl Fn(&CellMap) -> Result<CellMap, E>) -> Result<(), E> {
        while let Some(old) = self.lock().map(|state| Arc::clone(&state.rules.cells)) {
            let new = Arc::new(change(&old)?);
            if let Some(mut state) = self.lock().filter(|state| Arc::ptr_eq(&state.rules.cells, &old)) {
                state.rules.cells = new;
                break;
            }
        }
        Ok(())
    }

    /// What is installed, without peers. Sources and pairs that have ended are listed until they are cut; they let
    /// nothing through.
    pub fn observe(&self) -> (Gate, Elements) {
        let now = self.clock.now();
        let installed = self.lock().map(|state| state.rules.installed(now));
        installed.map_or((Gate::Closed, Elements::default()), Installed::sorted)
    }

    /// What became of the packets so far.
    pub fn counts(&self) -> Counts {
        self.lock().map(|state| state.counts.clone()).unwrap_or_default()
    }

    /// What became of the flows so far: a flow log is what this gives, asked for regularly.
    ///
    /// It takes time in proportion to the flows, but never holds up packets for long.
    pub fn flows(&self) -> Flows {
        let mut living = BTreeMap::new();
        let mut after = None;
        loop {
            let now = self.clock.now();
            let Some(mut state) = self.lock() else { return Flows::default() };
            let State { rules, flows, .. } = &mut *state;
            let ended = |key: &FlowKey, owner| match rules.owner(key.device, now) {
                Ok(present) if present == owner => rules.reach(key, now).is_err().then_some(FlowEnd::Grant),
                _ => Some(FlowEnd::Session),
            };
            let (page, last) = flows.page((after, PAGE), now, ended);
            living.extend(page.into_iter().map(|record| (record.name(), record)));
            if last.is_none() {
                let (ended, lost) = flows.take_ended();
                drop(state);
                for record in &ended {
                    living.remove(&record.name());
                }
                let mut living: Vec<FlowRecord> = living.into_values().collect();
                living.sort_by_key(|record| record.used);
                return Flows { living, ended: ended.into(), lost };
            }
            after = last;
        }
    }

    /// Whether its rules are known; if not, nothing passes, and changes do nothing.
    pub(crate) fn is_sound(&self) -> bool {
        !self.state.is_poisoned()
    }

    /// Lets nothing through ever again.
    pub fn stop(&self) {
        if let Some(mut state) = self.lock() {
            state.mode = Mode::Stopped;
        }
    }

    /// Whether it was told to let nothing through ever again.
    pub(crate) fn is_stopped(&self) -> bool {
        self.lock().is_some_and(|state| state.mode == Mode::Stopped)
    }

    /// None if a thread died in the middle of a change: what the rules are is not known then, and nothing passes.
    fn lock(&self) -> Option<MutexGuard<'_, State>> {
        self.state.lock().ok()
    }
}

const fn cut_cell(cut: &Cut) -> Option<Cell> {
    match cut {
        Cut::Cell(cell) => Some(*cell),
        Cut::Gate
        | Cut::Source(_)
        | Cut::SourceUntil(..)
        | Cut::Pair(_)
        | Cut::PairUntil(..)
        | Cut::AllowedIp(..) => None,
    }
}

const fn add_cell(add: &Add) -> Option<(Cell, RegionId)> {
    match add {
        Add::Cell(cell, region) => Some((*cell, *region)),
        Add::Peer(_) | Add::AllowedIp(..) | Add::Pair(..) | Add::Source(..) | Add::Gate(_) => None,
    }
}

/// What may be handed on.
enum Passing {
    /// Nothing as yet.
    Nothing,
    /// The packet that was judged.
    Packet,
    /// The fragments of a packet.
    Parts(Vec<Vec<u8>>),
}

impl State {
    /// Keeps a fragment of a device whose session lives, and judges its packet if all of it is there.
    fn collect(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        now: BootInstant,
    ) -> Result<Passing, DropReason> {
        let piece = packet::fragment(bytes).map_err(DropReason::Unparsed)?;
        let (owner, device, _) = self.device(direction, (piece.key.source, piece.key.destination), now)?;
        match self.fragments.take((device, owner, direction), (bytes, &piece), now) {
            Taken::Waits => Ok(Passing::Nothing),
            Taken::Spoilt => Err(DropReason::Fragments),
            Taken::Complete { packet: whole, parts } => {
                let packet = packet::parse(&whole).map_err(DropReason::Unparsed)?;
                self.judge((direction, whole.len()), &packet, now).map(|()| Passing::Parts(parts))
            }
        }
    }

    /// The owner and the address of the device that a packet is from or to, and the other address.
    fn device(
        &self,
        direction: Direction,
        (source, destination): (IpAddr, IpAddr),
        now: BootInstant,
    ) -> Result<(Owner, IpAddr, IpAddr), DropReason> {
        self.rules.gate(now)?;
        let (device, other) = match direction {
            Direction::FromDevice => (source, destination),
            Direction::ToDevice => (destination, source),
        };
        Ok((self.rules.owner(device, now)?, device, other))
    }

    fn judge(
        &mut self,
        (direction, length): (Direction, usize),
        packet: &Packet,
        now: BootInstant,
    ) -> Result<(), DropReason> {
        let (owner, device, other) = self.device(direction, (packet.source, packet.destination), now)?;
        let flow = match (direction, packet.body) {
            (Direction::FromDevice, Body::Message(message)) => FlowKey::of_sent(device, other, message),
            (Direction::ToDevice, Body::Message(message)) => FlowKey::of_received(device, other, message),
            // an error goes back to the sender of the quoted packet, and a device reports on its own behalf only
            (Direction::FromDevice, Body::Error(quote))
                if (quote.destination, quote.source) == (device, other) =>
            {
                FlowKey::of_received(device, other, quote.message)
            }
            // any router on the way may report to the device
            (Direction::ToDevice, Body::Error(quote)) if quote.source == device => {
                FlowKey::of_sent(device, quote.destination, quote.message)
            }
            (_, Body::Error(_)) => return Err(DropReason::Quote),
        };
        let key = flow.ok_or(DropReason::Direction)?;
        let region = self.rules.reach(&key, now)?;
        let packet_of = Use { key, owner, direction, length };
        let known = match (direction, packet.body) {
            (Direction::FromDevice, Body::Message(_)) => {
                self.flows.remember(packet_of, region, now);
                true
            }
            (Direction::ToDevice, Body::Message(_)) => self.flows.use_again(packet_of, now),
            (_, Body::Error(_)) => self.flows.knows(&key, owner, now),
        };
        if known { Ok(()) } else { Err(DropReason::Flow) }
    }
}
