//! Entries of the log, in JSON.

use std::collections::BTreeMap;

use zt_core::controller::Controller;
use zt_core::desired::DesiredState;
use zt_core::event::{Entry, Event, PolicySource};
use zt_core::id::{GatewayId, Seq};
use zt_core::plan::{Gate, ObservedState, plan};
use zt_core::testing::TableEngine;
use zt_core::time::Timestamp;

use crate::example::controller;
use crate::naive::{assert_cells_disjoint, assert_peers_disjoint};

/// So many lines are looked at.
const LINES: usize = 64;

/// Takes each line of `bytes` for an entry, and folds them into the example site at work.
///
/// An entry that can be read is written the same. One that is out of order changes nothing at all; one that is refused
/// changes no gateway, unless a deadline had come; and whatever happens, every gateway's state is sound.
pub fn body(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let permits = "staff wiki\ndevelopers staging-k8s\noperations grafana\ncontractors tickets\n";
    let policies = [("table".to_owned(), permits.to_owned())].into();
    let policies = PolicySource { policies, ..PolicySource::default() };
    let mut controller = controller(TableEngine::default(), policies);
    for line in text.lines().take(LINES) {
        let Ok(entry) = serde_json::from_str::<Entry>(line) else { continue };
        let written = serde_json::to_string(&entry).unwrap_or_default();
        assert_eq!(
            serde_json::from_str(&written).ok(),
            Some(entry.clone()),
            "an entry is read back otherwise"
        );
        misplace(&mut controller, &entry);
        fold(&mut controller, entry);
    }
}

/// An entry out of order changes nothing.
fn misplace(controller: &mut Controller<TableEngine>, entry: &Entry) {
    if entry.seq != controller.next_seq() {
        let before = (controller.next_seq(), controller.now(), states(controller));
        assert!(controller.handle(entry).refusal.is_some(), "an entry out of order was taken");
        assert_eq!((controller.next_seq(), controller.now(), states(controller)), before);
    }
}

/// Folds the entry in at its right place.
fn fold(controller: &mut Controller<TableEngine>, entry: Entry) {
    let entry = Entry { seq: controller.next_seq(), ..entry };
    let (now, before) = (controller.now(), states(controller));
    let due = controller.next_deadline().is_some_and(|deadline| deadline.at <= entry.at);
    let outcome = controller.handle(&entry);
    assert_eq!((outcome.seq, controller.next_seq()), (entry.seq, Seq(entry.seq.0.saturating_add(1))));
    assert_eq!(controller.now(), now.max(entry.at), "time does not run backwards");
    assert!(controller.next_deadline().is_none_or(|next| next.at > controller.now()), "a deadline was left");
    let after = states(controller);
    if outcome.refusal.is_some() && !due {
        assert_eq!(after, before, "{:?} changed something", outcome.refusal);
    }
    for (id, state) in &after {
        let old = before.get(id).map(|old| old.roster.clone()).unwrap_or_default();
        let changed = old != state.roster;
        assert!(!changed || outcome.gateways.get(id) == Some(&state.generation), "a silent change at {id}");
        let elements = state.elements();
        assert_peers_disjoint(&elements.peers);
        if matches!(entry.event, Event::SiteLoaded(_)) {
            assert_cells_disjoint(&elements);
        }
        let installed = ObservedState { gate: Gate::Closed, elements };
        let steps = plan(&installed, state, Timestamp::from_millis(i64::MIN)).steps;
        assert_eq!(steps, [], "what is installed needs steps");
    }
    for session in controller.sessions() {
        assert!(session.ends_at > controller.now(), "{session:?} lives on");
        let _ = controller.routes(session.id);
    }
}

/// What each gateway is to install.
fn states(controller: &Controller<TableEngine>) -> BTreeMap<GatewayId, DesiredState> {
    let ids = controller.site().into_iter().flat_map(|site| site.gateways.keys());
    ids.filter_map(|id| controller.desired(id).map(|state| (id.clone(), state))).collect()
}
