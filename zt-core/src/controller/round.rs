//! The scratch of one round of the fold.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::desired::Roster;
use crate::grant::Outcome;
use crate::id::{GatewayId, Seq, SessionId};
use crate::session::EndReason;
use crate::store::Slot;
use crate::time::Timestamp;

use super::rows::RowChange;
use super::state::State;

/// Room for so many marks is kept from one round to the next.
const KEPT: usize = 64;

/// What was done in one round, and what has to be decided again.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) outcome: Outcome,
    marks: Vec<Mark>,
    /// The gateways whose rosters changed.
    pub(super) moved: BTreeSet<GatewayId>,
    /// If all seats are given anew: what each gateway had before.
    pub(super) rosters_before: Option<BTreeMap<GatewayId, Roster>>,
    /// The ways from one row to another that were looked at, by the serial numbers of the two.
    pub(super) changes: BTreeMap<(Option<u64>, u64), Arc<RowChange>>,
}

/// A session to look at again, with the reason to give for grants that end by it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    pub(super) session: SessionId,
    pub(super) slot: Slot,
    pub(super) reason: EndReason,
    order: usize,
}

impl Round {
    /// A round that uses the room of an earlier one's marks.
    pub(super) fn new(seq: Seq, at: Timestamp, room: Vec<Mark>) -> Self {
        let outcome = Outcome {
            seq,
            at,
            refusal: None,
            started: None,
            ended_sessions: BTreeMap::new(),
            issued: Vec::new(),
            ended: BTreeMap::new(),
            gateways: BTreeMap::new(),
            ignored_claims: 0,
            decisions: 0,
        };
        let (moved, changes) = (BTreeSet::new(), BTreeMap::new());
        Self { outcome, marks: room, moved, rosters_before: None, changes }
    }

    /// Has a session looked at again.
    pub(super) fn mark(&mut self, slot: Slot, session: SessionId, reason: EndReason) {
        let order = self.marks.len();
        self.marks.push(Mark { session, slot, reason, order });
    }

    /// Has every session looked at again.
    pub(super) fn mark_all(&mut self, state: &State, reason: EndReason) {
        state.sessions.iter().for_each(|(slot, live)| self.mark(slot, live.session.id, reason));
    }

    /// The marks in the order of the sessions; of several of one session the last counts.
    pub(super) fn take_marks(&mut self) -> Vec<Mark> {
        let mut marks = std::mem::take(&mut self.marks);
        marks.sort_unstable_by(|one, two| (one.session, two.order).cmp(&(two.session, one.order)));
        marks.dedup_by_key(|mark| mark.session);
        marks
    }

    /// Makes room of marks that were dealt with.
    pub(super) fn room(mut marks: Vec<Mark>) -> Vec<Mark> {
        marks.clear();
        marks.shrink_to(KEPT);
        marks
    }
}
