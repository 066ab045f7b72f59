//! The deadlines of the fold.

use std::collections::{BTreeMap, BTreeSet};

use crate::decide::Validity;
use crate::id::{RequestId, WindowId};
use crate::lock::LockTarget;
use crate::store::Slot;
use crate::time::Timestamp;

use super::deadlines::Deadlines;

/// A deadline of the fold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The session at this place is over.
    SessionEnd(Slot),
    /// What policies read of the session at this place may change.
    Decide(Slot),
    /// The window opens or closes.
    Window(WindowId),
    /// The lock ends.
    LockEnd(LockTarget),
    /// The request ends.
    RequestEnd(RequestId),
}

/// All deadlines; of equal ones those of sessions come first.
#[derive(Debug, Clone, Default)]
pub(super) struct Timers {
    sessions: Deadlines,
    others: BTreeSet<(Timestamp, Timer)>,
    of_other: BTreeMap<Timer, Timestamp>,
}

impl Timers {
    /// Sets a timer, or moves it.
    pub(super) fn set(&mut self, timer: &Timer, at: Timestamp) {
        match timer {
            Timer::Window(_) | Timer::LockEnd(_) | Timer::RequestEnd(_) => {
                self.stop(timer);
                self.others.insert((at, timer.clone()));
                self.of_other.insert(timer.clone(), at);
            }
            Timer::SessionEnd(slot) | Timer::Decide(slot) => {
                if let Some(number) = number(*slot, timer) {
                    self.sessions.set(number, at);
                }
            }
        }
    }

    /// Has the timer of a session's next decision come no later than the end of `valid`.
    pub(super) fn advance(&mut self, timer: &Timer, valid: Validity) {
        if let (Timer::SessionEnd(slot) | Timer::Decide(slot), Validity::Until(at)) = (timer, valid)
            && let Some(number) = number(*slot, timer)
            && self.sessions.at(number).is_none_or(|present| at < present)
        {
            self.sessions.set(number, at);
        }
    }

    /// Stops a timer if it runs.
    pub(super) fn stop(&mut self, timer: &Timer) {
        match timer {
            Timer::Window(_) | Timer::LockEnd(_) | Timer::RequestEnd(_) => {
                if let Some(at) = self.of_other.remove(timer) {
                    self.others.remove(&(at, timer.clone()));
                }
            }
            Timer::SessionEnd(slot) | Timer::Decide(slot) => {
                if let Some(number) = number(*slot, timer) {
                    self.sessions.stop(number);
                }
            }
        }
    }

    /// The earliest deadline, if any timer runs.
    pub(super) fn next(&self) -> Option<(Timestamp, Timer)> {
        let session = self.sessions.next();
        let other = self.others.first().filter(|(at, _)| session.is_none_or(|(sooner, _)| *at < sooner));
        match other {
            Some((at, timer)) => Some((*at, timer.clone())),
            None => session.and_then(|(at, number)| Some((at, timer(number)?))),
        }
    }

    /// Takes out the earliest timer whose deadline has come by `now`, if there is one.
    pub(super) fn expire(&mut self, now: Timestamp) -> Option<Timer> {
        let (_, timer) = self.next().filter(|(at, _)| *at <= now)?;
        self.stop(&timer);
        Some(timer)
    }
}

/// Two numbers for each place: one deadline is the end, the other one the next decision.
fn number(slot: Slot, timer: &Timer) -> Option<u32> {
    let first = slot.number().checked_mul(2)?;
    first.checked_add(u32::from(matches!(timer, Timer::Decide(_))))
}

fn timer(number: u32) -> Option<Timer> {
    let slot = Slot::new(number >> 1)?;
    Some(if number & 1 == 0 { Timer::SessionEnd(slot) } else { Timer::Decide(slot) })
}
