//! What is installed: the gate, sources, cells and pairs, and whether they let a flow pass.

use std::net::IpAddr;
use std::sync::Arc;

use ahash::AHashMap;
use zt_core::desired::{Elements, Pair, PairEnd, Source};
use zt_core::id::RegionId;
use zt_core::plan::{Add, Cut, Gate};
use zt_core::time::{Anchor, BootInstant, Timestamp};

use super::cells::CellMap;
use super::counts::DropReason;
use super::flows::{FlowKey, Owner};

/// The installed rules. Empty, and so closed, at first.
#[derive(Debug, Default)]
pub(super) struct Rules {
    gate: Option<Deadline>,
    sources: AHashMap<IpAddr, HeldSource>,
    pub(super) cells: Arc<CellMap>,
    pairs: AHashMap<Pair, HeldPair>,
}

/// An end, as the controller and as the boot clock tell it.
#[derive(Debug, Clone, Copy)]
struct Deadline {
    until: Timestamp,
    ends: BootInstant,
}

impl Deadline {
    /// What has ended by the anchor ends at once (INV-L3).
    fn new(until: Timestamp, anchor: Anchor) -> Self {
        Self { until, ends: anchor.boot.after(until.since(anchor.at)) }
    }
}

#[derive(Debug, Clone, Copy)]
struct HeldSource {
    source: Source,
    ends: BootInstant,
}

impl HeldSource {
    fn new(source: Source, anchor: Anchor) -> Self {
        Self { source, ends: Deadline::new(source.until, anchor).ends }
    }
}

#[derive(Debug, Clone, Copy)]
struct HeldPair {
    end: PairEnd,
    /// None for a pair that ends with its source.
    ends: Option<BootInstant>,
}

impl HeldPair {
    fn new(end: PairEnd, anchor: Anchor) -> Self {
        let ends = match end {
            PairEnd::At(until) => Some(Deadline::new(until, anchor).ends),
            PairEnd::WithSource => None,
        };
        Self { end, ends }
    }

    fn has_ended(&self, now: BootInstant) -> bool {
        self.ends.is_some_and(|ends| ends <= now)
    }
}

impl Rules {
    /// Carries out a cut of anything but a cell.
    pub(super) fn cut(&mut self, cut: &Cut, anchor: Anchor) {
        match cut {
            Cut::Gate => self.gate = None,
            Cut::Source(address) => {
                self.sources.remove(address);
            }
            Cut::SourceUntil(address, sooner) => self.cut_source(*address, *sooner, anchor),
            Cut::Pair(pair) => {
                self.pairs.remove(pair);
            }
            Cut::PairUntil(pair, sooner) => self.cut_pair(*pair, *sooner, anchor),
            Cut::Cell(_) | Cut::AllowedIp(..) => {}
        }
    }

    /// A source of another session than the one that is to end sooner is not wanted at all.
    fn cut_source(&mut self, address: IpAddr, sooner: Source, anchor: Anchor) {
        let Some(held) = self.sources.get_mut(&address) else { return };
        if Owner::of(&held.source) == Owner::of(&sooner) {
            held.ends = held.ends.min(HeldSource::new(sooner, anchor).ends);
            held.source.until = held.source.until.min(sooner.until);
        } else {
            self.sources.remove(&address);
        }
    }

    fn cut_pair(&mut self, pair: Pair, sooner: PairEnd, anchor: Anchor) {
        if let Some(held) = self.pairs.get_mut(&pair).filter(|held| sooner < held.end) {
            let cut = HeldPair::new(sooner, anchor);
            // a plan that comes late counts from a later instant
            let ends = held.ends.into_iter().chain(cut.ends).min();
            *held = HeldPair { ends, ..cut };
        }
    }

    /// Carries out an addition of anything but a cell. An addition never takes anything away: of two ends of one gate,
    /// session or pair the later one holds.
    pub(super) fn add(&mut self, add: &Add, anchor: Anchor) {
        match add {
            Add::Gate(until)
                if self.gate.is_none_or(|gate| gate.ends < Deadline::new(*until, anchor).ends) =>
            {
                self.gate = Some(Deadline::new(*until, anchor));
            }
            Add::Source(address, source) => self.add_source(*address, *source, anchor),
            Add::Pair(pair, end) => {
                if self.pairs.get(pair).is_none_or(|held| held.end < *end) {
                    self.pairs.insert(*pair, HeldPair::new(*end, anchor));
                }
            }
            Add::Gate(_) | Add::Peer(_) | Add::AllowedIp(..) | Add::Cell(..) => {}
        }
    }

    fn add_source(&mut self, address: IpAddr, source: Source, anchor: Anchor) {
        let ends_later = |held: &HeldSource| {
            Owner::of(&held.source) == Owner::of(&source) && held.source.until >= source.until
        };
        if !self.sources.get(&address).is_some_and(ends_later) {
            self.sources.insert(address, HeldSource::new(source, anchor));
        }
    }

    /// Whether anything passes at all.
    pub(super) fn gate(&self, now: BootInstant) -> Result<(), DropReason> {
        self.gate.filter(|gate| now < gate.ends).map(|_| ()).ok_or(DropReason::Gate)
    }

    /// The owner of the flows of a device's address, if its session lives.
    pub(super) fn owner(&self, device: IpAddr, now: BootInstant) -> Result<Owner, DropReason> {
        let held = self.sources.get(&device).filter(|held| now < held.ends);
        held.map(|held| Owner::of(&held.source)).ok_or(DropReason::Source)
    }

    /// The region that a flow leads to, if the device's address may use it.
    pub(super) fn reach(&self, flow: &FlowKey, now: BootInstant) -> Result<RegionId, DropReason> {
        let found = self.cells.find(flow.resource, flow.protocol, flow.resource_port);
        let region = found.ok_or(DropReason::Cell)?;
        let held = self.pairs.get(&Pair { source: flow.device, region }).filter(|held| !held.has_ended(now));
        held.map(|_| region).ok_or(DropReason::Pair)
    }

    /// A copy of what is installed, without peers.
    pub(super) fn installed(&self, now: BootInstant) -> Installed {
        let gate = match self.gate {
            Some(gate) if now < gate.ends => Gate::OpenUntil(gate.until),
            _ => Gate::Closed,
        };
        Installed {
            gate,
            sources: self.sources.iter().map(|(address, held)| (*address, held.source)).collect(),
            cells: Arc::clone(&self.cells),
            pairs: self.pairs.iter().map(|(pair, held)| (*pair, held.end)).collect(),
        }
    }
}

/// A copy of what is installed, in no order: no packet passes while it is made, but while it is sorted.
pub(super) struct Installed {
    gate: Gate,
    sources: Vec<(IpAddr, Source)>,
    cells: Arc<CellMap>,
    pairs: Vec<(Pair, PairEnd)>,
}

impl Installed {
    /// The gate and the elements.
    pub(super) fn sorted(mut self) -> (Gate, Elements) {
        self.pairs.sort_unstable_by_key(|(pair, _)| *pair);
        let elements = Elements {
            sources: self.sources.into_iter().collect(),
            cells: self.cells.regions().clone(),
            pairs: self.pairs.into_iter().collect(),
            ..Elements::default()
        };
        (self.gate, elements)
    }
}
