//! Sets of small numbers.

use smallvec::SmallVec;

/// A set of small numbers, a bit each; up to 512 of them need no heap.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Bits {
    /// Without zero words at the end, so that equal sets are equal.
    words: SmallVec<[u64; 8]>,
}

const WORD: usize = 64;

impl Bits {
    /// The numbers below `count`.
    pub(crate) fn below(count: usize) -> Self {
        (0..count).collect()
    }

    pub(crate) fn insert(&mut self, number: usize) {
        let (word, bit) = place(number);
        if self.words.len() <= word {
            self.words.resize(word.saturating_add(1), 0);
        }
        if let Some(slot) = self.words.get_mut(word) {
            *slot |= bit;
        }
    }

    pub(crate) fn has(&self, number: usize) -> bool {
        let (word, bit) = place(number);
        self.words.get(word).is_some_and(|slot| slot & bit != 0)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Whether the two have a number in common.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        self.words.iter().zip(&other.words).any(|(one, two)| one & two != 0)
    }

    /// Whether all numbers of `other` are among them.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let mut words = self.words.iter();
        other.words.iter().all(|word| word & !words.next().unwrap_or(&0) == 0)
    }

    /// Those that are among `other`, too.
    pub(crate) fn within(&self, other: &Self) -> Self {
        Self::of(self.words.iter().zip(&other.words).map(|(one, two)| one & two))
    }

    /// Those that are not among `other`.
    pub(crate) fn without(&self, other: &Self) -> Self {
        let mut others = other.words.iter();
        Self::of(self.words.iter().map(|word| word & !others.next().unwrap_or(&0)))
    }

    fn of(words: impl Iterator<Item = u64>) -> Self {
        let mut words: SmallVec<_> = words.collect();
        while words.last() == Some(&0) {
            words.pop();
        }
        Self { words }
    }

    /// Takes all numbers of `other` in.
    pub(crate) fn join(&mut self, other: &Self) {
        if self.words.len() < other.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        self.words.iter_mut().zip(&other.words).for_each(|(word, more)| *word |= more);
    }

    /// The numbers in both.
    pub(crate) fn common<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = usize> + 'a {
        numbers(self.words.iter().zip(&other.words).map(|(one, two)| one & two))
    }

    /// The numbers, in ascending order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> {
        numbers(self.words.iter().copied())
    }
}

impl Extend<usize> for Bits {
    fn extend<I: IntoIterator<Item = usize>>(&mut self, more: I) {
        more.into_iter().for_each(|number| self.insert(number));
    }
}

impl FromIterator<usize> for Bits {
    fn from_iter<I: IntoIterator<Item = usize>>(from: I) -> Self {
        let mut bits = Self::default();
        bits.extend(from);
        bits
    }
}

fn numbers(words: impl Iterator<Item = u64>) -> impl Iterator<Item = usize> {
    (0_usize..).step_by(WORD).zip(words).flat_map(|(first, mut word)| {
        std::iter::from_fn(move || {
            let next = usize::try_from(word.trailing_zeros()).ok().filter(|bit| *bit < WORD)?;
            word &= word.wrapping_sub(1);
            first.checked_add(next)
        })
    })
}

const fn place(number: usize) -> (usize, u64) {
    (number >> 6, 1 << (number & 63))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bits_are_a_set(one: BTreeSet<u16>, two: BTreeSet<u16>) {
            let set = |numbers: &BTreeSet<u16>| numbers.iter().map(|number| usize::from(*number)).collect::<Bits>();
            let list = |bits: &Bits| bits.iter().collect::<Vec<_>>();
            let wide = |numbers: &BTreeSet<u16>| numbers.iter().copied().map(usize::from).collect::<Vec<_>>();
            let both: BTreeSet<u16> = one.intersection(&two).copied().collect();
            prop_assert_eq!(list(&set(&one)), wide(&one));
            prop_assert_eq!(set(&one).is_empty(), one.is_empty());
            prop_assert_eq!(set(&one).meets(&set(&two)), !one.is_disjoint(&two));
            prop_assert_eq!(set(&one).within(&set(&two)), set(&both));
            prop_assert_eq!(set(&one).without(&set(&two)), set(&one.difference(&two).copied().collect()));
            prop_assert_eq!(set(&one).covers(&set(&two)), one.is_superset(&two));
            prop_assert!(set(&both).is_empty() || set(&one).covers(&set(&both)));
            prop_assert!(one.iter().all(|number| set(&one).has(usize::from(*number))));
            prop_assert!(two.difference(&one).all(|number| !set(&one).has(usize::from(*number))));
            prop_assert_eq!(set(&one).common(&set(&two)).collect::<Vec<_>>(), wide(&both));
            let mut joined = set(&one);
            joined.join(&set(&two));
            prop_assert_eq!(list(&joined), wide(&one.union(&two).copied().collect()));
        }
    }
}
