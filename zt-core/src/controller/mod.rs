//! The controller: a deterministic fold over the log.

mod addresses;
mod apply;
mod approved;
mod classes;
mod deadlines;
mod devices;
mod groups;
mod keys;
mod load;
mod locks;
mod people;
mod query;
mod redecide;
mod requests;
mod round;
mod rows;
mod sessions;
mod state;
mod timers;

use crate::decide::{ClassId, Decide, View};
use crate::event::Entry;
use crate::grant::{Outcome, Refusal};
use crate::session::EndReason;
use crate::time::Timestamp;

pub use query::Deadline;
use round::{Mark, Round};
use state::State;
use timers::Timer;

/// The policy administrator (NIST SP 800-207): takes events, holds all facts, and says what each gateway is to install.
///
/// It reads no clock and does no I/O. The same entries in the same order, with the same policy engine, give the same
/// outcomes and the same desired states, byte for byte.
#[derive(Debug)]
pub struct Controller<D> {
    decide: D,
    state: State,
    /// Room for one session's view, for the classes it concerns, and for marks.
    view: View,
    affected: Vec<ClassId>,
    room: Vec<Mark>,
}

impl<D: Decide> Controller<D> {
    /// A controller that knows nothing and grants nothing; `decide` has nothing loaded.
    pub fn new(decide: D) -> Self {
        let (view, affected, room) = (View::new(), Vec::new(), Vec::new());
        Self { decide, state: State::new(), view, affected, room }
    }

    /// Folds one entry in.
    ///
    /// Deadlines up to the entry's instant are handled first, as of that instant; then the event; then every session
    /// that either of them concerns is looked at again: where what the policies read of it has changed, and no other
    /// session has the same view, decisions that can have changed are made. An entry that is stamped earlier than the
    /// one before is handled as of the latter. A refused event changes nothing but the place in the log; an entry out
    /// of order changes nothing at all.
    pub fn handle(&mut self, entry: &Entry) -> Outcome {
        let expected = self.state.seq.next();
        let now = self.state.now.max(entry.at);
        let mut round = Round::new(entry.seq, now, std::mem::take(&mut self.room));
        if entry.seq != expected {
            self.room = round.take_marks();
            round.outcome.refusal = Some(Refusal::OutOfOrder { got: entry.seq, expected });
            return round.outcome;
        }
        self.state.seq = entry.seq;
        self.state.now = now;
        self.expire(&mut round);
        round.outcome.refusal = self.apply(&entry.event, &mut round).err();
        self.redecide(&mut round);
        self.state.settle(&mut round);
        round.outcome
    }

    /// Handles every deadline that has come.
    fn expire(&mut self, round: &mut Round) {
        while let Some(timer) = self.state.timers.expire(round.outcome.at) {
            match timer {
                Timer::SessionEnd(slot) => self.state.end_session(slot, EndReason::Expire, round),
                Timer::Decide(slot) => {
                    if let Some(live) = self.state.sessions.get(slot) {
                        round.mark(slot, live.session.id, EndReason::Expire);
                    }
                }
                Timer::LockEnd(target) => _ = self.state.unlock(&target, round),
                Timer::RequestEnd(request) => _ = self.state.end_access(request, EndReason::Expire, round),
                Timer::Window(window) => {
                    self.state.set_window(&window, round.outcome.at);
                    round.mark_all(&self.state, EndReason::Expire);
                }
            }
        }
    }

    /// The instant of the last entry.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.state.now
    }

    /// The policy engine.
    #[must_use]
    pub const fn decider(&self) -> &D {
        &self.decide
    }
}
