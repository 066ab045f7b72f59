//! Whether a condition can widen access from one world to another, over all that is left open in them.

use cedar_policy::pst::Effect;
use zt_core::device::FactStatus;

use super::formula::{Formula, Value};

/// The most cases that are told apart for one fact and policy. A count, so that every replica accepts the same texts.
const MAX_CASES: usize = 1_024;

/// Some of true, false and failure: how a test may come out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outcomes(u8);

impl Outcomes {
    const NONE: Self = Self(0);
    const FALSE: Self = Self(1);
    const TRUE: Self = Self(2);
    const FAILS: Self = Self(4);
    /// True or false.
    pub(super) const EITHER: Self = Self(3);
    /// True, false or failure.
    pub(super) const ANY: Self = Self(7);
    const EACH: [Self; 3] = [Self::FALSE, Self::TRUE, Self::FAILS];

    const fn of(value: bool) -> Self {
        if value { Self::TRUE } else { Self::FALSE }
    }

    const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn is_open(self) -> bool {
        self.0.count_ones() > 1
    }
}

/// What came of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Access is never wider after.
    Holds,
    /// It can be, because of a failure that goes away if `failed`.
    Widens { failed: bool },
    /// More cases than [`MAX_CASES`].
    TooMany,
}

/// Tells apart the ways in which tests may come out.
#[derive(Debug)]
pub(super) struct Search {
    forbid: bool,
    /// How each variable may come out.
    pub(super) vars: Vec<Outcomes>,
    cases: usize,
}

impl Search {
    pub(super) fn new(effect: Effect) -> Self {
        Self { forbid: effect == Effect::Forbid, vars: Vec::new(), cases: 0 }
    }

    /// Compares a condition where a fact has the status `before` with where it has the status `after`.
    pub(super) fn compare(&mut self, whole: &Formula, before: FactStatus, after: FactStatus) -> Verdict {
        self.cases = self.cases.saturating_add(1);
        if self.cases > MAX_CASES {
            return Verdict::TooMany;
        }
        let (was, is) = (self.outcomes(whole, before), self.outcomes(whole, after));
        let ((least, most), (was_least, was_most)) = (self.ranks(is), self.ranks(was));
        if most <= was_least {
            return Verdict::Holds;
        }
        let open = self.open(whole, after).or_else(|| self.open(whole, before));
        let split = open.and_then(|var| Some((var, *self.vars.get(var)?))).filter(|_| least <= was_most);
        let Some((var, outcomes)) = split else { return Verdict::Widens { failed: was == Outcomes::FAILS } };
        for outcome in Outcomes::EACH.into_iter().filter(|outcome| outcomes.has(*outcome)) {
            self.set(var, outcome);
            let verdict = self.compare(whole, before, after);
            if verdict != Verdict::Holds {
                return verdict;
            }
        }
        self.set(var, outcomes);
        Verdict::Holds
    }

    fn set(&mut self, var: usize, outcomes: Outcomes) {
        if let Some(slot) = self.vars.get_mut(var) {
            *slot = outcomes;
        }
    }

    /// How wide access is: the least and the most. A policy that fails denies, whatever others say.
    fn ranks(&self, outcomes: Outcomes) -> (u8, u8) {
        let ranks =
            [(Outcomes::FAILS, 0), (Outcomes::FALSE, 1), (Outcomes::TRUE, if self.forbid { 0 } else { 2 })];
        let ranks = ranks.into_iter().filter(|(outcome, _)| outcomes.has(*outcome)).map(|(_, rank)| rank);
        (ranks.clone().min().unwrap_or(0), ranks.max().unwrap_or(2))
    }

    fn value(&self, value: Value) -> Outcomes {
        match value {
            Value::Is(value) => Outcomes::of(value),
            Value::Var(var) => self.vars.get(var).copied().unwrap_or(Outcomes::ANY),
        }
    }

    fn outcomes(&self, formula: &Formula, status: FactStatus) -> Outcomes {
        let of = |formula| self.outcomes(formula, status);
        match formula {
            Formula::Constant(value) => Outcomes::of(*value),
            Formula::Leaf(leaf) => self.value(leaf.at(status)),
            Formula::Not(inner) => {
                let inner = of(inner);
                let negated = |from, to| if inner.has(from) { to } else { Outcomes::NONE };
                let swapped = negated(Outcomes::TRUE, Outcomes::FALSE);
                swapped.or(negated(Outcomes::FALSE, Outcomes::TRUE)).or(inner.and(Outcomes::FAILS))
            }
            Formula::And(pair) => {
                let left = of(&pair.0);
                let right = if left.has(Outcomes::TRUE) { of(&pair.1) } else { Outcomes::NONE };
                left.and(Outcomes::FALSE.or(Outcomes::FAILS)).or(right)
            }
            Formula::Or(pair) => {
                let left = of(&pair.0);
                let right = if left.has(Outcomes::FALSE) { of(&pair.1) } else { Outcomes::NONE };
                left.and(Outcomes::TRUE.or(Outcomes::FAILS)).or(right)
            }
            Formula::If(parts) => {
                let condition = of(&parts.0);
                let then = if condition.has(Outcomes::TRUE) { of(&parts.1) } else { Outcomes::NONE };
                let other = if condition.has(Outcomes::FALSE) { of(&parts.2) } else { Outcomes::NONE };
                condition.and(Outcomes::FAILS).or(then).or(other)
            }
        }
    }

    /// The first variable that is open, of those that are asked for.
    fn open(&self, formula: &Formula, status: FactStatus) -> Option<usize> {
        let open = |formula| self.open(formula, status);
        let can = |formula, outcome| self.outcomes(formula, status).has(outcome);
        let second = |first, outcome, second| if can(first, outcome) { open(second) } else { None };
        match formula {
            Formula::Constant(_) => None,
            Formula::Leaf(leaf) => match leaf.at(status) {
                Value::Var(var) if self.value(Value::Var(var)).is_open() => Some(var),
                Value::Var(_) | Value::Is(_) => None,
            },
            Formula::Not(inner) => open(inner),
            Formula::And(pair) => open(&pair.0).or_else(|| second(&pair.0, Outcomes::TRUE, &pair.1)),
            Formula::Or(pair) => open(&pair.0).or_else(|| second(&pair.0, Outcomes::FALSE, &pair.1)),
            Formula::If(parts) => open(&parts.0)
                .or_else(|| second(&parts.0, Outcomes::TRUE, &parts.1))
                .or_else(|| second(&parts.0, Outcomes::FALSE, &parts.2)),
        }
    }
}
