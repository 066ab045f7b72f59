//! A hierarchical timer wheel: 11 levels of 64 slots, a millisecond at the finest.
//!
//! Setting, moving and stopping a timer touch one slot; nothing is scanned, and nothing happens between deadlines.
//! (Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", 1987, scheme 7.)

use std::collections::{BTreeMap, BTreeSet};

use crate::time::Timestamp;

const SLOT_BITS: u32 = 6;
const SLOTS: usize = 64;
const LEVELS: u32 = 11;

/// Timers by their deadlines, each timer at most once.
#[derive(Debug, Clone)]
pub(crate) struct Wheel<T> {
    now: u64,
    deadlines: BTreeMap<T, Timestamp>,
    /// Timers that were set for an instant that had come already.
    due: BTreeSet<(Timestamp, T)>,
    levels: Vec<Level<T>>,
}

#[derive(Debug, Clone)]
struct Level<T> {
    /// One bit for each slot that is not empty.
    occupied: u64,
    slots: Vec<BTreeSet<(Timestamp, T)>>,
}

impl<T: Ord + Clone> Wheel<T> {
    /// A wheel without timers.
    pub(crate) fn new() -> Self {
        let level = Level { occupied: 0, slots: vec![BTreeSet::new(); SLOTS] };
        let levels = (0..LEVELS).map(|_| level.clone()).collect();
        Self { now: 0, deadlines: BTreeMap::new(), due: BTreeSet::new(), levels }
    }

    /// Sets a timer, or moves it.
    pub(crate) fn set(&mut self, timer: T, deadline: Timestamp) {
        self.stop(&timer);
        self.deadlines.insert(timer.clone(), deadline);
        self.insert(deadline, timer);
    }

    /// Stops a timer if it runs.
    pub(crate) fn stop(&mut self, timer: &T) {
        let Some(deadline) = self.deadlines.remove(timer) else { return };
        let entry = (deadline, timer.clone());
        if self.due.remove(&entry) {
            return;
        }
        let place = self.place(deadline);
        if let Some((level, slot)) = place.and_then(|(level, slot)| Some((self.levels.get_mut(level)?, slot)))
            && let Some(timers) = level.slots.get_mut(slot)
        {
            timers.remove(&entry);
            if timers.is_empty() {
                level.occupied &= !bit(slot);
            }
        }
    }

    /// The earliest deadline, if any timer runs.
    pub(crate) fn next(&self) -> Option<(Timestamp, &T)> {
        let next = self.due.first().or_else(|| {
            let level = self.levels.iter().find(|level| level.occupied != 0)?;
            level.slots.get(lowest(level.occupied))?.first()
        });
        next.map(|(deadline, timer)| (*deadline, timer))
    }

    /// Moves time on to `now` and takes out the earliest timer whose deadline has come, if there is one.
    ///
    /// Call it until it returns `None`. Timers come in the order of their deadlines, equal ones in their own order.
    /// Time never moves back.
    pub(crate) fn expire(&mut self, now: Timestamp) -> Option<(Timestamp, T)> {
        let to = millis(now);
        loop {
            if let Some((deadline, timer)) = self.due.pop_first() {
                self.deadlines.remove(&timer);
                return Some((deadline, timer));
            }
            let Some((level, slot, start)) = self.next_slot().filter(|(_, _, start)| *start <= to) else {
                self.now = self.now.max(to);
                return None;
            };
            self.now = self.now.max(start);
            for (deadline, timer) in self.take(level, slot) {
                self.insert(deadline, timer);
            }
        }
    }

    fn insert(&mut self, deadline: Timestamp, timer: T) {
        let Some((level, slot)) = self.place(deadline) else {
            self.due.insert((deadline, timer));
            return;
        };
        let Some(level) = self.levels.get_mut(level) else { return };
        level.occupied |= bit(slot);
        if let Some(timers) = level.slots.get_mut(slot) {
            timers.insert((deadline, timer));
        }
    }

    fn take(&mut self, level: usize, slot: usize) -> BTreeSet<(Timestamp, T)> {
        let Some(level) = self.levels.get_mut(level) else { return BTreeSet::new() };
        level.occupied &= !bit(slot);
        level.slots.get_mut(slot).map(std::mem::take).unwrap_or_default()
    }

    /// Where a deadline belongs: the level of the highest group of bits in which it differs from now, and the slot of
    /// that group. `None` if it has come. The place stays right until time enters that slot.
    fn place(&self, deadline: Timestamp) -> Option<(usize, usize)> {
        let deadline = millis(deadline);
        if deadline <= self.now {
            return None;
        }
        let level = (deadline ^ self.now).checked_ilog2()?.checked_div(SLOT_BITS)?;
        Some((usize::try_from(level).ok()?, group(deadline, level)))
    }

    /// The slot that time enters next, and when.
    fn next_slot(&self) -> Option<(usize, usize, u64)> {
        let (level, occupied) = (0..)
            .zip(&self.levels)
            .find(|(_, level)| level.occupied != 0)
            .map(|(n, level)| (n, level.occupied))?;
        let slot = lowest(occupied);
        let shift = SLOT_BITS.saturating_mul(level);
        let above = shift.saturating_add(SLOT_BITS);
        let kept = self.now.checked_shr(above).and_then(|high| high.checked_shl(above)).unwrap_or(0);
        let start = kept | u64::try_from(slot).ok()?.checked_shl(shift)?;
        Some((usize::try_from(level).ok()?, slot, start))
    }
}

/// Instants before 1970 count as 1970.
fn millis(at: Timestamp) -> u64 {
    u64::try_from(at.as_millis()).unwrap_or(0)
}

fn group(millis: u64, level: u32) -> usize {
    let shifted = millis.checked_shr(SLOT_BITS.saturating_mul(level)).unwrap_or(0);
    usize::try_from(shifted & 0x3f).unwrap_or(0)
}

fn bit(slot: usize) -> u64 {
    u32::try_from(slot).ok().and_then(|slot| 1_u64.checked_shl(slot)).unwrap_or(0)
}

fn lowest(occupied: u64) -> usize {
    usize::try_from(occupied.trailing_zeros()).unwrap_or(SLOTS)
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "small numbers")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Act {
        Set(u8, i64),
        Stop(u8),
        Advance(i64),
    }

    fn acts() -> impl Strategy<Value = Vec<Act>> {
        let spans = prop_oneof![-5_i64..200, 0_i64..10_000, 0_i64..1 << 40];
        let act = prop_oneof![
            4 => (0_u8..12, spans.clone()).prop_map(|(timer, span)| Act::Set(timer, span)),
            1 => (0_u8..12).prop_map(Act::Stop),
            3 => spans.prop_map(Act::Advance),
        ];
        proptest::collection::vec(act, 1..120)
    }

    proptest! {
        /// The wheel fires what a sorted list would fire, in the same order.
        #[test]
        fn wheel_equals_sorted_list(acts in acts(), start in 0_i64..1 << 42) {
            let mut now = start;
            let mut wheel = Wheel::new();
            let mut list: Vec<(i64, u8)> = Vec::new();
            assert_eq!(wheel.expire(Timestamp::from_millis(now)), None);
            for act in acts {
                match act {
                    Act::Set(timer, span) => {
                        list.retain(|(_, other)| *other != timer);
                        list.push((now + span, timer));
                        wheel.set(timer, Timestamp::from_millis(now + span));
                    }
                    Act::Stop(timer) => {
                        list.retain(|(_, other)| *other != timer);
                        wheel.stop(&timer);
                    }
                    Act::Advance(span) => {
                        now = now.max(now + span);
                        list.sort_unstable();
                        let due: Vec<_> = list.iter().copied().filter(|(at, _)| *at <= now).collect();
                        list.retain(|(at, _)| *at > now);
                        let mut fired = Vec::new();
                        while let Some((at, timer)) = wheel.expire(Timestamp::from_millis(now)) {
                            fired.push((at.as_millis(), timer));
                        }
                        prop_assert_eq!(fired, due);
                    }
                }
                let next = list.iter().min().map(|(at, timer)| (Timestamp::from_millis(*at), timer));
                prop_assert_eq!(wheel.next(), next);
            }
        }
    }
}
