//! What is installed: the gate, sources, cells and pairs, and whether they let a flow pass.

use std::net::IpAddr;
use std::sync::Arc;

use ahash::AHashMap;
use zt_core::desired::{Elements, Pair, PairEnd, Source};
use zt_core::id::RegionId;
use zt_core::net::Prefix;
use zt_core::plan::{Add, Cut, Gate};
use zt_core::time::{Anchor, BootInstant, Timestamp};

use super::cells::CellMap;
use super::counts::DropReason;
use super::deadline::Deadline;
use super::flows::{FlowKey, Owner};

/// The installed rules. Empty, and so closed, at first.
#[derive(Debug, Default)]
pub(super) struct Rules {
    gate: Option<Deadline>,
    sources: AHashMap<IpAddr, HeldSource>,
    pub(super) cells: Arc<CellMap>,
    pairs: AHashMap<Pair, HeldPair>,
}

#[derive(Debug, Clone, Copy)]
struct HeldSource {
    owner: Owner,
    end: Deadline,
}

#[derive(Debug, Clone, Copy)]
enum HeldPair {
    WithSource,
    At(Deadline),
}

impl HeldPair {
    const fn deadline(self) -> Option<Deadline> {
        match self {
            Self::At(deadline) => Some(deadline),
            Self::WithSource => None,
        }
    }

    fn end(self) -> PairEnd {
        self.deadline().map_or(PairEnd::WithSource, |deadline| PairEnd::At(deadline.until))
    }

    fn has_ended(self, now: BootInstant) -> bool {
        self.deadline().is_some_and(|deadline| deadline.has_come(now))
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
        if held.owner != Owner::of(&sooner) {
            self.sources.remove(&address);
        } else if sooner.until < held.end.until {
            held.end = held.end.moved(sooner.until, anchor);
        }
    }

    fn cut_pair(&mut self, pair: Pair, sooner: PairEnd, anchor: Anchor) {
        if let PairEnd::At(until) = sooner
            && let Some(held) = self.pairs.get_mut(&pair).filter(|held| sooner < held.end())
        {
            let end = held.deadline().map(|end| end.moved(until, anchor));
            *held = HeldPair::At(end.unwrap_or_else(|| Deadline::new(until, anchor)));
        }
    }

    /// Carries out an addition of anything but a cell. An addition never takes anything away: of two ends of one session
    /// or pair, or of a gate that is open, the later one holds.
    pub(super) fn add(&mut self, add: &Add, anchor: Anchor) {
        match add {
            Add::Gate(until) => self.add_gate(*until, anchor),
            Add::Source(address, source) => self.add_source(*address, *source, anchor),
            Add::Pair(pair, end) => self.add_pair(*pair, *end, anchor),
            Add::Peer(_) | Add::AllowedIp(..) | Add::Cell(..) => {}
        }
    }

    fn add_gate(&mut self, until: Timestamp, anchor: Anchor) {
        let holds = |gate: Deadline| !gate.has_come(anchor.boot) && gate.until >= until;
        if !self.gate.is_some_and(holds) {
            self.gate = Some(Deadline::following(self.gate, until, anchor));
        }
    }

    fn add_source(&mut self, address: IpAddr, source: Source, anchor: Anchor) {
        let owner = Owner::of(&source);
        let held = self.sources.get(&address).filter(|held| held.owner == owner).map(|held| held.end);
        if held.is_none_or(|held| held.until < source.until) {
            let end = Deadline::following(held, source.until, anchor);
            self.sources.insert(address, HeldSource { owner, end });
        }
    }

    fn add_pair(&mut self, pair: Pair, end: PairEnd, anchor: Anchor) {
        let held = self.pairs.get(&pair).copied();
        if held.is_some_and(|held| held.end() >= end) {
            return;
        }
        let held = held.and_then(HeldPair::deadline);
        let end = match end {
            PairEnd::At(until) => HeldPair::At(Deadline::following(held, until, anchor)),
            PairEnd::WithSource => HeldPair::WithSource,
        };
        self.pairs.insert(pair, end);
    }

    /// Whether anything passes at all.
    pub(super) fn gate(&self, now: BootInstant) -> Result<(), DropReason> {
        self.gate.filter(|gate| !gate.has_come(now)).map(|_| ()).ok_or(DropReason::Gate)
    }

    /// The owner of the flows of a device's address, if its session lives.
    pub(super) fn owner(&self, device: IpAddr, now: BootInstant) -> Result<Owner, DropReason> {
        let held = self.sources.get(&device).filter(|held| !held.end.has_come(now));
        held.map(|held| held.owner).ok_or(DropReason::Source)
    }

    /// Whether an address in this prefix has a source, ended or not.
    pub(super) fn has_source(&self, prefix: &Prefix) -> bool {
        let address = prefix.address();
        match *prefix == Prefix::host(address) {
            true => self.sources.contains_key(&address),
            false => self.sources.keys().any(|source| prefix.contains(*source)),
        }
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
            Some(gate) if !gate.has_come(now) => Gate::OpenUntil(gate.until),
            _ => Gate::Closed,
        };
        Installed {
            gate,
            sources: self
                .sources
                .iter()
                .map(|(address, held)| (*address, held.owner.source(held.end.until)))
                .collect(),
            cells: Arc::clone(&self.cells),
            pairs: self.pairs.iter().map(|(pair, held)| (*pair, held.end())).collect(),
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
