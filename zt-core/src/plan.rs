//! From what is installed to what is to be installed, removals first.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::desired::{Cell, DesiredState, Elements, Pair, PairEnd, Source};
use crate::id::{Generation, RegionId};
use crate::key::PublicKey;
use crate::net::Prefix;
use crate::time::Timestamp;

/// What a gateway has installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedState {
    /// Until when the gateway lets anything through.
    pub gate: Gate,
    /// What decides about packets.
    pub elements: Elements,
}

/// Whether, and until when, a gateway lets anything through at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Gate {
    /// Nothing passes.
    Closed,
    /// What the elements allow passes until then.
    OpenUntil(Timestamp),
}

/// The steps that lead from an observed state to a desired one: every cut, then every addition, then every destruction.
///
/// After any number of its steps, what is let through is allowed by the observed or by the desired state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The generation that is installed once all steps are done.
    pub generation: Generation,
    /// The controller's time at which the plan was made; `until`s are to be understood relative to it.
    pub now: Timestamp,
    /// What to do, in this order.
    pub steps: Vec<Step>,
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Step {
    /// Takes access away.
    Cut(Cut),
    /// Gives access.
    Add(Add),
    /// Tidies up what no longer gives access.
    Destroy(Destroy),
}

/// Takes access away. What is to be cut may be absent already; that is success.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Cut {
    /// Closes the whole gateway.
    Gate,
    /// Ends a source.
    Source(IpAddr),
    /// Makes a source end sooner.
    SourceUntil(IpAddr, Source),
    /// Ends a pair.
    Pair(Pair),
    /// Makes a pair end sooner.
    PairUntil(Pair, PairEnd),
    /// Takes a cell out of every region.
    Cell(Cell),
    /// Takes a source address from a peer.
    AllowedIp(PublicKey, Prefix),
}

/// Gives access.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Add {
    /// Adds a peer that has no source addresses as yet.
    Peer(PublicKey),
    /// Gives a source address to a peer.
    AllowedIp(PublicKey, Prefix),
    /// Puts a cell into a region.
    Cell(Cell, RegionId),
    /// Joins a source to a region until an end, or until a later one.
    Pair(Pair, PairEnd),
    /// Gives a source its session, or a later end.
    Source(IpAddr, Source),
    /// Opens the gateway, or keeps it open for longer.
    Gate(Timestamp),
}

/// Tidies up what no longer gives access.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Destroy {
    /// Removes a peer with its WireGuard session.
    Peer(PublicKey),
}

/// Steps of a plan that may be carried out together: its cuts, then its additions, then its destructions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Phase<'a> {
    /// What is cut.
    pub cuts: Vec<&'a Cut>,
    /// What is added.
    pub additions: Vec<&'a Add>,
    /// The peers that are removed.
    pub destroyed: BTreeSet<PublicKey>,
}

impl Plan {
    /// Splits the steps wherever one that takes away follows one that gives: what [`plan`] makes is one phase.
    pub fn phases(&self) -> impl Iterator<Item = Phase<'_>> {
        let rank = |step: &Step| match step {
            Step::Cut(_) => 0,
            Step::Add(_) => 1,
            Step::Destroy(_) => 2,
        };
        self.steps.chunk_by(move |one, next| rank(one) <= rank(next)).map(|steps| {
            let mut phase = Phase::default();
            for step in steps {
                match step {
                    Step::Cut(cut) => phase.cuts.push(cut),
                    Step::Add(add) => phase.additions.push(add),
                    Step::Destroy(Destroy::Peer(key)) => drop(phase.destroyed.insert(*key)),
                }
            }
            phase
        })
    }
}

impl Phase<'_> {
    /// Whether it takes cells away and puts others in.
    #[must_use]
    pub fn recuts(&self) -> bool {
        let cuts = self.cuts.iter().any(|cut| matches!(cut, Cut::Cell(_)));
        cuts && self.additions.iter().any(|add| matches!(add, Add::Cell(..)))
    }

    /// The allowed IPs that are cut, by peer.
    #[must_use]
    pub fn lost_allowed_ips(&self) -> BTreeMap<PublicKey, BTreeSet<Prefix>> {
        let mut lost: BTreeMap<PublicKey, BTreeSet<Prefix>> = BTreeMap::new();
        for cut in &self.cuts {
            match cut {
                Cut::AllowedIp(key, prefix) => drop(lost.entry(*key).or_default().insert(*prefix)),
                Cut::Gate
                | Cut::Source(_)
                | Cut::SourceUntil(..)
                | Cut::Pair(_)
                | Cut::PairUntil(..)
                | Cut::Cell(_) => {}
            }
        }
        lost
    }
}

/// Plans the way from `observed` to `desired` at `now`.
///
/// Steps that would not change anything are left out: `plan` of a state that is installed has no steps. The gate is
/// not planned here; it follows the lease (see [`crate::lease`]). Sources and pairs that have ended by `now` are not
/// added. Costs time and space in proportion to the size of both states.
#[must_use]
pub fn plan(observed: &ObservedState, desired: &DesiredState, now: Timestamp) -> Plan {
    let steps = steps(&observed.elements, &desired.elements(), now);
    Plan { generation: desired.generation, now, steps }
}

/// The steps of a plan that leads from some elements to others.
#[must_use]
pub fn steps(observed: &Elements, desired: &Elements, now: Timestamp) -> Vec<Step> {
    let mut steps = Vec::new();
    cut(observed, desired, now, &mut steps);
    add(observed, desired, now, &mut steps);
    let gone = observed.peers.keys().filter(|key| !desired.peers.contains_key(key));
    steps.extend(gone.map(|key| Step::Destroy(Destroy::Peer(*key))));
    steps
}

fn cut(old: &Elements, new: &Elements, now: Timestamp, steps: &mut Vec<Step>) {
    for (address, source) in &old.sources {
        match new.sources.get(address).filter(|wanted| wanted.until > now) {
            Some(wanted) if wanted == source => {}
            Some(wanted) if same_session(wanted, source) && wanted.until > source.until => {}
            Some(wanted) if same_session(wanted, source) => {
                steps.push(Step::Cut(Cut::SourceUntil(*address, *wanted)));
            }
            Some(_) | None => steps.push(Step::Cut(Cut::Source(*address))),
        }
    }
    let pairs = old.pairs.beyond(&new.pairs).map(|(pair, _)| {
        let wanted = new.pairs.end(&pair).filter(|end| !end.has_come(now));
        wanted.map_or(Cut::Pair(pair), |end| Cut::PairUntil(pair, end))
    });
    steps.extend(pairs.map(Step::Cut));
    let moved = old.cells.iter().filter(|(cell, region)| new.cells.get(cell) != Some(region));
    steps.extend(moved.map(|(cell, _)| Step::Cut(Cut::Cell(*cell))));
    for (key, peer) in &old.peers {
        let kept = new.peers.get(key).map(|wanted| &wanted.allowed_ips);
        let lost = peer.allowed_ips.iter().filter(|prefix| kept.is_none_or(|kept| !kept.contains(prefix)));
        steps.extend(lost.map(|prefix| Step::Cut(Cut::AllowedIp(*key, *prefix))));
    }
}

fn add(old: &Elements, new: &Elements, now: Timestamp, steps: &mut Vec<Step>) {
    let none = BTreeSet::new();
    for (key, peer) in &new.peers {
        let present = old.peers.get(key);
        if present.is_none() {
            steps.push(Step::Add(Add::Peer(*key)));
        }
        let present = present.map_or(&none, |peer| &peer.allowed_ips);
        let gained = peer.allowed_ips.difference(present);
        steps.extend(gained.map(|prefix| Step::Add(Add::AllowedIp(*key, *prefix))));
    }
    let moved = new.cells.iter().filter(|(cell, region)| old.cells.get(cell) != Some(region));
    steps.extend(moved.map(|(cell, region)| Step::Add(Add::Cell(*cell, *region))));
    let pairs = new.pairs.beyond(&old.pairs).filter(|(_, end)| !end.has_come(now));
    steps.extend(pairs.map(|(pair, end)| Step::Add(Add::Pair(pair, end))));
    for (address, source) in new.sources.iter().filter(|(_, source)| source.until > now) {
        let shortened = |present: &Source| same_session(present, source) && present.until > source.until;
        let present = old.sources.get(address);
        if present != Some(source) && !present.is_some_and(shortened) {
            steps.push(Step::Add(Add::Source(*address, *source)));
        }
    }
}

fn same_session(one: &Source, two: &Source) -> bool {
    (one.session, one.epoch) == (two.session, two.epoch)
}
