//! Deadlines by their instants: a heap whose members know their places.
//!
//! Setting, moving and stopping a deadline touch one path of the heap; nothing is scanned, nothing is allocated once
//! there is room, and nothing happens between deadlines. The next deadline is known at any time, to the millisecond,
//! which the slots of a timer wheel could say only by looking through all that fall into one.

use crate::time::Timestamp;

/// Each place in the heap has so many below it.
const WIDTH: usize = 4;
const NOWHERE: u32 = u32::MAX;

/// Deadlines by their instants, each named by a number and set at most once. Numbers are to be dense.
#[derive(Debug, Clone, Default)]
pub(crate) struct Deadlines {
    heap: Vec<(Timestamp, u32)>,
    /// Where in the heap each number is.
    places: Vec<u32>,
}

impl Deadlines {
    /// Sets a deadline, or moves it.
    pub(crate) fn set(&mut self, number: u32, at: Timestamp) {
        let Ok(index) = usize::try_from(number) else { return };
        if self.places.len() <= index {
            self.places.resize(index.saturating_add(1), NOWHERE);
        }
        let place = match self.place(number) {
            Some(place) => {
                if let Some(entry) = self.heap.get_mut(place) {
                    entry.0 = at;
                }
                place
            }
            None => {
                self.heap.push((at, number));
                self.heap.len().saturating_sub(1)
            }
        };
        self.note(place);
        self.settle(place);
    }

    /// Stops a deadline if it is set.
    pub(crate) fn stop(&mut self, number: u32) {
        let Some(place) = self.place(number) else { return };
        self.heap.swap_remove(place);
        if let Some(index) = usize::try_from(number).ok().and_then(|index| self.places.get_mut(index)) {
            *index = NOWHERE;
        }
        if place < self.heap.len() {
            self.note(place);
            self.settle(place);
        }
    }

    /// The earliest deadline, of equal ones that of the lowest number.
    pub(crate) fn next(&self) -> Option<(Timestamp, u32)> {
        self.heap.first().copied()
    }

    /// The deadline of a number, if it is set.
    pub(crate) fn at(&self, number: u32) -> Option<Timestamp> {
        self.heap.get(self.place(number)?).map(|(at, _)| *at)
    }

    fn place(&self, number: u32) -> Option<usize> {
        let place = self.places.get(usize::try_from(number).ok()?).filter(|place| **place != NOWHERE)?;
        usize::try_from(*place).ok()
    }

    /// Moves the entry at a place up or down to where it belongs.
    fn settle(&mut self, place: usize) {
        let mut place = place;
        while let Some(above) = place.checked_sub(1).and_then(|before| before.checked_div(WIDTH))
            && self.heap.get(place) < self.heap.get(above)
        {
            self.swap(place, above);
            place = above;
        }
        while let Some(below) = self.least_below(place)
            && self.heap.get(below) < self.heap.get(place)
        {
            self.swap(place, below);
            place = below;
        }
    }

    fn least_below(&self, place: usize) -> Option<usize> {
        let first = place.saturating_mul(WIDTH).saturating_add(1);
        let end = first.saturating_add(WIDTH).min(self.heap.len());
        let below = self.heap.get(first..end)?;
        (first..end).zip(below).min_by_key(|(_, entry)| **entry).map(|(place, _)| place)
    }

    fn swap(&mut self, one: usize, two: usize) {
        if one.max(two) < self.heap.len() {
            self.heap.swap(one, two);
            self.note(one);
            self.note(two);
        }
    }

    /// Notes where the entry at a place is.
    fn note(&mut self, place: usize) {
        let Some((_, number)) = self.heap.get(place) else { return };
        let known = usize::try_from(*number).ok().and_then(|index| self.places.get_mut(index));
        if let (Some(known), Ok(place)) = (known, u32::try_from(place)) {
            *known = place;
        }
    }
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
            4 => (0_u8..40, spans.clone()).prop_map(|(timer, span)| Act::Set(timer, span)),
            1 => (0_u8..40).prop_map(Act::Stop),
            3 => spans.prop_map(Act::Advance),
        ];
        proptest::collection::vec(act, 1..200)
    }

    proptest! {
        /// The heap fires what a sorted list would fire, in the same order.
        #[test]
        fn deadlines_equal_sorted_list(acts in acts(), start in 0_i64..1 << 42) {
            let mut now = start;
            let mut deadlines = Deadlines::default();
            let mut list: Vec<(i64, u8)> = Vec::new();
            for act in acts {
                match act {
                    Act::Set(timer, span) => {
                        list.retain(|(_, other)| *other != timer);
                        list.push((now + span, timer));
                        deadlines.set(timer.into(), Timestamp::from_millis(now + span));
                    }
                    Act::Stop(timer) => {
                        list.retain(|(_, other)| *other != timer);
                        deadlines.stop(timer.into());
                    }
                    Act::Advance(span) => {
                        now = now.max(now + span);
                        list.sort_unstable();
                        let due: Vec<_> = list.iter().copied().filter(|(at, _)| *at <= now).collect();
                        list.retain(|(at, _)| *at > now);
                        let mut fired = Vec::new();
                        while let Some((at, timer)) =
                            deadlines.next().filter(|(at, _)| at.as_millis() <= now)
                        {
                            deadlines.stop(timer);
                            fired.push((at.as_millis(), u8::try_from(timer).unwrap()));
                        }
                        prop_assert_eq!(fired, due);
                    }
                }
                let next = list.iter().min().map(|(at, timer)| (Timestamp::from_millis(*at), u32::from(*timer)));
                prop_assert_eq!(deadlines.next(), next);
            }
        }
    }
}
