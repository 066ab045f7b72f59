//! What is installed, as far as this process knows: what it found there, and what it did since.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use zt_core::desired::{Cell, Elements, Pair, PairEnd, Pairs, Source};
use zt_core::id::RegionId;
use zt_core::plan::{Add, Cut, Gate};
use zt_core::time::{Anchor, BootInstant, Timestamp};

use super::change::{Changes, End, WITH_SOURCE};

/// The elements that are installed, with their ends.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Books {
    pub(super) gate: Option<End<Timestamp>>,
    pub(super) sources: BTreeMap<IpAddr, End<Source>>,
    pub(super) cells: BTreeMap<Cell, RegionId>,
    pub(super) pairs: BTreeMap<Pair, End<PairEnd>>,
}

/// When changes are made, and from when their ends count.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) now: BootInstant,
    pub(super) anchor: Anchor,
}

impl Moment {
    /// What has ended by the anchor ends at once.
    fn end_of<T>(self, until: T, at: Timestamp) -> End<T> {
        End { until, ends: self.anchor.boot.after(at.since(self.anchor.at)) }
    }

    fn end_of_pair(self, end: PairEnd) -> End<PairEnd> {
        match end {
            PairEnd::At(at) => self.end_of(end, at),
            PairEnd::WithSource => End { until: end, ends: self.now.after(WITH_SOURCE) },
        }
    }
}

/// What keeps an addition from being made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Overlap {
    #[error("it overlaps the cell {0:?}")]
    Cell(Cell),
    #[error("it is no box of addresses of one family with their ports")]
    NoBox,
}

impl Books {
    /// Takes down a cut. What is not there can be cut all the same: it may be there without our knowing.
    pub(super) fn cut(&mut self, cut: &Cut, moment: Moment, changes: &mut Changes) {
        let now = moment.now;
        match cut {
            Cut::Gate => {
                self.gate = None;
                changes.set_gate(None, now);
            }
            Cut::Source(address) => {
                self.sources.remove(address);
                changes.set_source(*address, None, now);
            }
            Cut::SourceUntil(address, sooner) => {
                let kept = self.sources.get(address).filter(|held| owner(&held.until) == owner(sooner));
                let end = kept.map(|held| {
                    let cut = moment.end_of(*sooner, sooner.until);
                    if cut.until.until < held.until.until { sooner_of(*held, cut) } else { *held }
                });
                self.set_source(*address, end, now, changes);
            }
            Cut::Pair(pair) => {
                self.pairs.remove(pair);
                changes.set_pair(*pair, None, now);
            }
            Cut::PairUntil(pair, sooner) => {
                let end = self.pairs.get(pair).map(|held| {
                    if *sooner < held.until { sooner_of(*held, moment.end_of_pair(*sooner)) } else { *held }
                });
                match end {
                    Some(end) => self.pairs.insert(*pair, end),
                    None => self.pairs.remove(pair),
                };
                changes.set_pair(*pair, end, now);
            }
            Cut::Cell(cell) => {
                if let Some(region) = self.cells.remove(cell) {
                    changes.remove_cell(*cell, region);
                }
            }
            Cut::AllowedIp(..) => {}
        }
    }

    /// Takes down an addition. It never takes anything away: of two ends of one gate, session or pair the later holds.
    pub(super) fn add(&mut self, add: &Add, moment: Moment, changes: &mut Changes) -> Result<(), Overlap> {
        let now = moment.now;
        match add {
            Add::Gate(until) => {
                let held = self.gate.filter(|held| now < held.ends);
                if let Some(end) = later(held, moment.end_of(*until, *until), |at| *at) {
                    self.gate = Some(end);
                    changes.set_gate(Some(end), now);
                }
            }
            Add::Source(address, source) => {
                let held = self.sources.get(address).copied();
                let held = held.filter(|held| now < held.ends && owner(&held.until) == owner(source));
                if let Some(end) = later(held, moment.end_of(*source, source.until), |source| source.until) {
                    self.set_source(*address, Some(end), now, changes);
                }
            }
            Add::Pair(pair, until) => {
                let held = self.pairs.get(pair).copied().filter(|held| now < held.ends);
                let end = moment.end_of_pair(*until);
                if held.is_none_or(|held| held.until < *until) {
                    let end = match (held, *until) {
                        (Some(held), PairEnd::At(at)) => capped(held, end, |held| match held {
                            PairEnd::At(held) => at.since(*held),
                            PairEnd::WithSource => Duration::ZERO,
                        }),
                        _ => end,
                    };
                    self.pairs.insert(*pair, end);
                    changes.set_pair(*pair, Some(end), now);
                }
            }
            Add::Cell(cell, region) => {
                self.check(cell)?;
                self.cells.insert(*cell, *region);
                changes.add_cell(*cell, *region);
            }
            Add::Peer(_) | Add::AllowedIp(..) => {}
        }
        Ok(())
    }

    /// What it says, without what has ended.
    pub(super) fn elements(&self, now: BootInstant) -> (Gate, Elements) {
        let gate = self.gate.filter(|gate| now < gate.ends);
        let sources = self.sources.iter().filter(|(_, held)| now < held.ends);
        let mut pairs = Pairs::default();
        for (pair, held) in self.pairs.iter().filter(|(_, held)| now < held.ends) {
            pairs.insert(*pair, held.until);
        }
        let elements = Elements {
            sources: sources.map(|(address, held)| (*address, held.until)).collect(),
            cells: self.cells.clone(),
            pairs,
            ..Elements::default()
        };
        (gate.map_or(Gate::Closed, |gate| Gate::OpenUntil(gate.until)), elements)
    }

    /// Whether others say the same of what has not ended.
    pub(super) fn is_same(&self, other: &Self, now: BootInstant) -> bool {
        self.elements(now) == other.elements(now)
    }

    /// All of it as changes of a table that has nothing.
    pub(super) fn all(&self, now: BootInstant) -> Changes {
        let mut changes = Changes::default();
        changes.set_gate(self.gate, now);
        self.sources.iter().for_each(|(address, end)| changes.set_source(*address, Some(*end), now));
        self.pairs.iter().for_each(|(pair, end)| changes.set_pair(*pair, Some(*end), now));
        self.cells.iter().for_each(|(cell, region)| changes.add_cell(*cell, *region));
        changes
    }

    fn set_source(
        &mut self,
        address: IpAddr,
        end: Option<End<Source>>,
        now: BootInstant,
        changes: &mut Changes,
    ) {
        match end {
            Some(end) => self.sources.insert(address, end),
            None => self.sources.remove(&address),
        };
        changes.set_source(address, end, now);
    }

    /// The kernel takes cells that overlap, and then finds one of them.
    fn check(&self, cell: &Cell) -> Result<(), Overlap> {
        let (first, last) = (cell.addresses.first, cell.addresses.last);
        if first > last || first.is_ipv4() != last.is_ipv4() || cell.ports.first > cell.ports.last {
            return Err(Overlap::NoBox);
        }
        let overlaps = |other: &&Cell| {
            let ports = other.ports.first <= cell.ports.last && cell.ports.first <= other.ports.last;
            other.protocol == cell.protocol && ports && other.addresses.overlaps(&cell.addresses)
        };
        self.cells.keys().find(overlaps).map_or(Ok(()), |other| Err(Overlap::Cell(*other)))
    }
}

fn owner(source: &Source) -> (zt_core::id::SessionId, zt_core::id::SessionEpoch) {
    (source.session, source.epoch)
}

/// The new end, but no later than the old one: a plan that comes late counts from a later instant.
fn sooner_of<T>(held: End<T>, new: End<T>) -> End<T> {
    End { ends: new.ends.min(held.ends), ..new }
}

/// The new end if it is later; a plan that comes late does not prolong it by more than the controller meant.
fn later<T: Copy>(held: Option<End<T>>, new: End<T>, at: impl Fn(&T) -> Timestamp) -> Option<End<T>> {
    match held {
        None => Some(new),
        Some(held) if at(&new.until) > at(&held.until) => {
            let by = at(&new.until).since(at(&held.until));
            Some(capped(held, new, |_| by))
        }
        Some(_) => None,
    }
}

fn capped<T: Copy>(held: End<T>, new: End<T>, by: impl Fn(&T) -> Duration) -> End<T> {
    End { ends: new.ends.min(held.ends.after(by(&held.until))), ..new }
}
