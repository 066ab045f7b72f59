//! Seats by number, in a tree whose copies share all that is equal.
//!
//! The tree has the same depth whatever it holds, so that a change costs the same in a small fleet and in a great one,
//! also while somebody holds an earlier copy.

use std::sync::Arc;

use super::Seat;

const WIDTH: usize = 32;
const BITS: u32 = 5;
/// Levels above the leaves: places for 2^30 seats.
const LEVELS: u32 = 5;

/// Seats by number. A copy costs nothing; a change copies one path if somebody else holds it.
#[derive(Debug, Clone, Default)]
pub(super) struct Seats {
    root: Option<Arc<Node>>,
    count: usize,
}

#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "there are thirty-two leaves for each inner node")]
enum Node {
    Inner([Option<Arc<Node>>; WIDTH]),
    Leaf([Option<Seat>; WIDTH]),
}

impl Node {
    const fn empty(level: u32) -> Self {
        if level == 0 { Self::Leaf([const { None }; WIDTH]) } else { Self::Inner([const { None }; WIDTH]) }
    }
}

impl Seats {
    /// How many seats are taken.
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    /// Whether the two are one copy.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (&self.root, &other.root) {
            (Some(one), Some(two)) => Arc::ptr_eq(one, two),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }

    pub(super) fn get(&self, number: u32) -> Option<&Seat> {
        let mut node = self.root.as_ref()?;
        for level in (1..=LEVELS).rev() {
            let Node::Inner(children) = &**node else { return None };
            node = children.get(place(number, level)?)?.as_ref()?;
        }
        let Node::Leaf(seats) = &**node else { return None };
        seats.get(place(number, 0)?)?.as_ref()
    }

    /// Takes a seat, or gives it up; numbers beyond the last place are not seated.
    pub(super) fn set(&mut self, number: u32, seat: Option<Seat>) {
        let had = self.get(number).is_some();
        if (!had && seat.is_none()) || number.checked_shr(BITS.saturating_mul(LEVELS + 1)) != Some(0) {
            return;
        }
        match (had, seat.is_some()) {
            (false, true) => self.count = self.count.saturating_add(1),
            (true, false) => self.count = self.count.saturating_sub(1),
            (true, true) | (false, false) => {}
        }
        set(&mut self.root, (number, LEVELS), seat);
    }

    /// All seats, in the order of their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Seat> {
        let mut stack: Vec<std::slice::Iter<'_, Option<Arc<Node>>>> = Vec::new();
        let mut leaf: std::slice::Iter<'_, Option<Seat>> = [].iter();
        let mut next = self.root.as_deref();
        std::iter::from_fn(move || {
            loop {
                match next.take() {
                    Some(Node::Inner(children)) => stack.push(children.iter()),
                    Some(Node::Leaf(seats)) => leaf = seats.iter(),
                    None => {}
                }
                if let Some(seat) = leaf.by_ref().flatten().next() {
                    return Some(seat);
                }
                next = stack.last_mut()?.by_ref().flatten().next().map(|node| &**node);
                if next.is_none() {
                    stack.pop();
                }
            }
        })
    }
}

fn set(node: &mut Option<Arc<Node>>, (number, level): (u32, u32), seat: Option<Seat>) {
    let Some(place) = place(number, level) else { return };
    let present = node.get_or_insert_with(|| Arc::new(Node::empty(level)));
    let is_empty = match Arc::make_mut(present) {
        Node::Inner(children) => {
            let is_taken = seat.is_some();
            if let Some(child) = children.get_mut(place) {
                set(child, (number, level.saturating_sub(1)), seat);
            }
            !is_taken && children.iter().all(Option::is_none)
        }
        Node::Leaf(seats) => {
            if let Some(taken) = seats.get_mut(place) {
                *taken = seat;
            }
            seats.iter().all(Option::is_none)
        }
    };
    if is_empty {
        *node = None;
    }
}

/// The place in a node of this level on the way to a number.
fn place(number: u32, level: u32) -> Option<usize> {
    let shifted = number.checked_shr(BITS.saturating_mul(level))?;
    usize::try_from(shifted & 0x1f).ok()
}
