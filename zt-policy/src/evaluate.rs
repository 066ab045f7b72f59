//! One session's facts against classes of resources, with every doubt a denial.
//!
//! Each policy that may apply to the person is asked about all classes that its head takes at once. Cedar skips a policy that fails, so that a forbid that fails
//! would let through what it is there to stop; here any failure of any policy denies.

use zt_core::decide::{
    ClassId, Decision, DecisionSink, DenyCause, Effect, PolicyIndex, SessionFacts, Validity,
};
use zt_core::time::Timestamp;

use crate::bits::Bits;
use crate::conditions::{Asker, Verdict};
use crate::index::{Entry, bit};
use crate::loaded::Loaded;
use crate::session::{bind, unfit_until};

/// Decides on each of `classes`.
pub(crate) fn decide(
    loaded: &Loaded,
    facts: &SessionFacts<'_>,
    classes: &[ClassId],
    sink: &mut dyn DecisionSink,
) {
    if let Some(valid) = unfit_until(loaded, facts) {
        return deny(classes, valid, sink);
    }
    let is_known = |class: &&ClassId| !loaded.index.classes().members(**class).is_empty();
    let wanted: Bits = classes.iter().filter(is_known).map(|class| bit(*class)).collect();
    let bound = bind(loaded, facts);
    if bound.is_full() {
        return deny(classes, Validity::Unlimited, sink);
    }
    let mut asker = Asker::new(&loaded.conditions, &loaded.resources, bound);
    let of_slots = loaded.index.turns(facts);
    let mut said = Said::default();
    let mut turns = Turns::new(&wanted);
    let mut policies: Vec<usize> = loaded.index.policies_of(facts).collect();
    policies.sort_unstable();
    for place in policies {
        let Some(entry) = loaded.index.policy(place).filter(|entry| entry.classes.meets(&wanted)) else {
            continue;
        };
        turns.note(&entry.classes, entry.turns_at(&of_slots));
        let index = PolicyIndex(u32::try_from(place).unwrap_or(u32::MAX));
        said.note((index, entry), asker.ask(place, entry.classes.within(&wanted)));
    }
    let mut because = Vec::new();
    for class in classes {
        if !is_known(&class) {
            deny(&[*class], Validity::Unlimited, sink);
            continue;
        }
        let effect = said.answer(bit(*class), &mut because);
        sink.decided(*class, Decision { effect, because: &because, valid: turns.valid(bit(*class)) });
    }
}

/// Denies `classes` because of what is known, or not, about the session.
pub(crate) fn deny(classes: &[ClassId], valid: Validity, sink: &mut dyn DecisionSink) {
    for class in classes {
        let effect = Effect::Deny(DenyCause::InvalidFacts);
        sink.decided(*class, Decision { effect, because: &[], valid });
    }
}

/// What the policies said, each with the classes it said it of; in the order of the policies.
#[derive(Default)]
struct Said {
    permits: Vec<(PolicyIndex, Bits)>,
    forbids: Vec<(PolicyIndex, Bits)>,
    failures: Vec<(PolicyIndex, Bits)>,
    /// All classes that anything was said of.
    spoken_of: Bits,
}

impl Said {
    fn note(&mut self, (index, entry): (PolicyIndex, &Entry), Verdict { holds, fails }: Verdict) {
        let hold = if entry.forbids { &mut self.forbids } else { &mut self.permits };
        for (to, classes) in [(hold, holds), (&mut self.failures, fails)] {
            if !classes.is_empty() {
                self.spoken_of.join(&classes);
                to.push((index, classes));
            }
        }
    }

    /// The answer for one class, and the policies that led to it.
    fn answer(&self, class: usize, because: &mut Vec<PolicyIndex>) -> Effect {
        because.clear();
        let each = [
            (&self.failures, Effect::Deny(DenyCause::EvaluationError)),
            (&self.forbids, Effect::Deny(DenyCause::Forbidden)),
            (&self.permits, Effect::Allow),
        ];
        for (policies, effect) in each.into_iter().filter(|_| self.spoken_of.has(class)) {
            because
                .extend(policies.iter().filter(|(_, classes)| classes.has(class)).map(|(index, _)| *index));
            if !because.is_empty() {
                return effect;
            }
        }
        Effect::Deny(DenyCause::NotPermitted)
    }
}

/// When time may turn a policy.
struct Turns<'a> {
    wanted: &'a Bits,
    /// One that is for all the wanted classes.
    all: Validity,
    /// One that is for a class, at its place.
    each: Vec<Validity>,
}

impl<'a> Turns<'a> {
    fn new(wanted: &'a Bits) -> Self {
        let count = wanted.iter().last().map_or(0, |last| last.saturating_add(1));
        Self { wanted, all: Validity::Unlimited, each: vec![Validity::Unlimited; count] }
    }

    fn note(&mut self, classes: &Bits, turn: Option<Timestamp>) {
        let Some(turn) = turn.map(Validity::Until) else { return };
        if classes.covers(self.wanted) {
            self.all = self.all.min(turn);
            return;
        }
        for class in classes.common(self.wanted) {
            if let Some(valid) = self.each.get_mut(class) {
                *valid = (*valid).min(turn);
            }
        }
    }

    fn valid(&self, class: usize) -> Validity {
        self.each.get(class).map_or(self.all, |valid| self.all.min(*valid))
    }
}

#[cfg(test)]
mod tests;
