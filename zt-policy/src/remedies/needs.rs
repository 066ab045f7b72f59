//! Sets of needs without any that follows from another, and choices between such sets.

use std::collections::BTreeSet;

use zt_core::decide::{FactTest, Need};
use zt_core::device::Tier;

use super::value;

/// The most ways that are kept of what has to come out otherwise.
const MAX_WAYS: usize = 32;

/// Needs to be met together, none of which follows from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Needs(BTreeSet<Need>);

impl Needs {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Need> {
        self.0.iter()
    }

    pub(super) fn into_set(self) -> BTreeSet<Need> {
        self.0
    }

    /// Whether a need is met where these are.
    pub(super) fn imply(&self, need: &Need) -> bool {
        is_always_met(need) || self.0.iter().any(|known| implies(known, need))
    }

    /// These and others.
    pub(super) fn and(&self, others: &Self) -> Self {
        let mut both = self.clone();
        for need in &others.0 {
            if !both.imply(need) {
                both.0.retain(|known| !implies(need, known));
                both.0.insert(need.clone());
            }
        }
        both
    }

    /// Whether others are met where these are.
    pub(super) fn cover(&self, others: &Self) -> bool {
        others.0.iter().all(|need| self.imply(need))
    }
}

impl From<Need> for Needs {
    fn from(need: Need) -> Self {
        Self([need].into())
    }
}

/// Ways to one end, each of which is enough; none of them asks for all that another does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Ways(Vec<Needs>);

impl Ways {
    /// No way at all.
    pub(super) const fn none() -> Self {
        Self(Vec::new())
    }

    /// Nothing is needed.
    pub(super) fn free() -> Self {
        Self(vec![Needs::default()])
    }

    pub(super) fn is_free(&self) -> bool {
        self.0.first().is_some_and(|needs| needs.len() == 0)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Needs> {
        self.0.iter()
    }

    /// The ways to come to both ends.
    pub(super) fn and(&self, others: &Self) -> Self {
        self.0.iter().flat_map(|one| others.0.iter().map(|other| one.and(other))).collect()
    }

    /// The ways to come to either end.
    pub(super) fn or(self, others: Self) -> Self {
        self.0.into_iter().chain(others.0).collect()
    }

    pub(super) fn into_vec(self) -> Vec<Needs> {
        self.0
    }
}

impl FromIterator<Needs> for Ways {
    /// Keeps those that ask for the least, the fewest needs first.
    fn from_iter<I: IntoIterator<Item = Needs>>(ways: I) -> Self {
        let sorted: BTreeSet<_> = ways.into_iter().map(|needs| (needs.len(), needs)).collect();
        let mut kept: Vec<Needs> = Vec::new();
        for (_, needs) in sorted {
            if !kept.iter().any(|known| needs.cover(known)) {
                kept.retain(|known| !known.cover(&needs));
                kept.push(needs);
            }
        }
        kept.truncate(MAX_WAYS);
        Self(kept)
    }
}

fn is_always_met(need: &Need) -> bool {
    matches!(need, Need::Fact { test: FactTest::Tier(Tier::SelfAsserted), .. })
}

/// Whether one need is met wherever another is.
fn implies(need: &Need, other: &Need) -> bool {
    match (need, other) {
        (Need::SecondFactorWithin(_), Need::SecondFactor) => true,
        (Need::SecondFactorWithin(span), Need::SecondFactorWithin(other))
        | (Need::LoginWithin(span), Need::LoginWithin(other)) => span <= other,
        (Need::Fact { name, test }, Need::Fact { name: other_name, test: other }) => {
            name == other_name && test_implies(test, other)
        }
        (need, other) => need == other,
    }
}

fn test_implies(test: &FactTest, other: &FactTest) -> bool {
    match (test, other) {
        (FactTest::Tier(tier), FactTest::Tier(other)) => tier >= other,
        (FactTest::Age(span), FactTest::Age(other)) => span <= other,
        (test, other) => value::implies(test, other),
    }
}
