//! What a state lets through, by linear scans, and that no step of a plan lets through more than both of its ends.

use std::collections::BTreeSet;
use std::net::IpAddr;

use zt_core::desired::{Cell, DesiredState, Elements, Pair, PairEnd};
use zt_core::id::SessionId;
use zt_core::key::PublicKey;
use zt_core::net::Protocol;
use zt_core::plan::{Add, Gate, ObservedState, Plan, Step};
use zt_core::testing::FakeBackend;
use zt_core::time::Timestamp;

use crate::naive::assert_peers_disjoint;
use crate::script::apply;

/// A place that packets go to: the first address and port of a cell.
type Place = (IpAddr, Protocol, u16);

/// Who may send where: a peer, with a source address, in a session, to a place.
type Admitted = BTreeSet<(PublicKey, IpAddr, SessionId, Place)>;

/// G2: cuts come first and destructions last; each step changes something; and after each of them, what is let
/// through is let through before the plan or after it.
pub(crate) fn assert_prefixes_safe(observed: &ObservedState, desired: &DesiredState, plan: &Plan) {
    if plan.steps.is_empty() {
        return;
    }
    let order = |step: &Step| match step {
        Step::Cut(_) => 0,
        Step::Add(_) => 1,
        Step::Destroy(_) => 2,
    };
    assert!(plan.steps.is_sorted_by_key(order), "removals come first: {:?}", plan.steps);
    let cells = observed.elements.cells.keys().chain(desired.roster.cells().keys());
    let places: BTreeSet<Place> = cells.map(place).collect();
    let mut allowed = admitted(&observed.elements, &places, plan.now);
    let mut last = allowed.clone();
    let wanted = desired.elements();
    allowed.extend(admitted(&wanted, &places, plan.now));
    let scratch = FakeBackend::default();
    apply(&scratch, &Plan { steps: install(observed), ..plan.clone() });
    let mut before = scratch.installed();
    assert_eq!(before, *observed);
    for step in &plan.steps {
        apply(&scratch, &Plan { steps: vec![step.clone()], ..plan.clone() });
        let after = scratch.installed();
        assert_ne!(before, after, "{step:?} changes nothing");
        assert_peers_disjoint(&after.elements.peers);
        let through = admitted(&after.elements, &places, plan.now);
        assert!(through.is_subset(&allowed), "{step:?} lets through what neither end of {plan:?} does");
        match step {
            Step::Cut(_) => assert!(through.is_subset(&last), "{step:?} gives access"),
            Step::Add(_) => assert!(last.is_subset(&through), "{step:?} takes access away"),
            Step::Destroy(_) => assert_eq!(through, last, "{step:?} changes access"),
        }
        (before, last) = (after, through);
    }
    assert_eq!(last, admitted(&wanted, &places, plan.now), "{plan:?} leads elsewhere");
}

const fn place(cell: &Cell) -> Place {
    (cell.addresses.first, cell.protocol, cell.ports.first)
}

/// What some elements let through behind an open gate.
fn admitted(elements: &Elements, places: &BTreeSet<Place>, now: Timestamp) -> Admitted {
    let mut admitted = Admitted::new();
    for (address, protocol, port) in places {
        let inside = |cell: &&Cell| cell.contains(*address, *protocol, *port);
        let regions: Vec<_> =
            elements.cells.iter().filter(|(cell, _)| inside(cell)).map(|(_, region)| *region).collect();
        let lives = |(pair, end): &(Pair, PairEnd)| regions.contains(&pair.region) && !end.has_come(now);
        for (pair, _) in elements.pairs.iter().filter(lives) {
            let source = elements.sources.get(&pair.source).filter(|source| now < source.until);
            let Some(source) = source else { continue };
            let holds = |peer: &zt_core::desired::Peer| {
                peer.allowed_ips.iter().any(|prefix| prefix.contains(pair.source))
            };
            let keys = elements.peers.iter().filter(|(_, peer)| holds(peer));
            let place = (*address, *protocol, *port);
            admitted.extend(keys.map(|(key, _)| (*key, pair.source, source.session, place)));
        }
    }
    admitted
}

/// The steps that build a state from nothing.
fn install(state: &ObservedState) -> Vec<Step> {
    let elements = &state.elements;
    let peers = elements.peers.iter().flat_map(|(key, peer)| {
        let ips = peer.allowed_ips.iter().map(|prefix| Add::AllowedIp(*key, *prefix));
        [Add::Peer(*key)].into_iter().chain(ips)
    });
    let cells = elements.cells.iter().map(|(cell, region)| Add::Cell(*cell, *region));
    let pairs = elements.pairs.iter().map(|(pair, end)| Add::Pair(pair, end));
    let sources = elements.sources.iter().map(|(address, source)| Add::Source(*address, *source));
    let gate = match state.gate {
        Gate::Closed => None,
        Gate::OpenUntil(until) => Some(Add::Gate(until)),
    };
    peers.chain(cells).chain(pairs).chain(sources).chain(gate).map(Step::Add).collect()
}
