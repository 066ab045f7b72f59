//! One session's facts against classes of resources, with every doubt a denial.
//!
//! Each policy that may apply to the person is run once, or once for each class if it reads the resource; what it says
//! then goes for all the classes that its head takes. Cedar skips a policy that fails, so that a forbid that fails
//! would let through what it is there to stop; here any failure of any policy denies.

use std::borrow::Cow;

use zt_core::decide::{
    ClassId, Decision, DecisionSink, DenyCause, Effect, PolicyIndex, SessionFacts, Validity,
};
use zt_core::time::Timestamp;

use crate::bits::Bits;
use crate::evaluator::{Facts, Outcome, Scratch};
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
    let mut round = Round { loaded, facts: bind(loaded, facts), scratch: Scratch::default() };
    if round.facts.is_full() {
        return deny(classes, Validity::Unlimited, sink);
    }
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
        round.run(place, entry, &wanted, &mut said);
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

/// What is the same for all policies.
struct Round<'a> {
    loaded: &'a Loaded,
    facts: Facts<'a>,
    scratch: Scratch,
}

impl Round<'_> {
    fn run<'p>(&mut self, place: usize, entry: &'p Entry, wanted: &Bits, said: &mut Said<'p>) {
        let index = PolicyIndex(u32::try_from(place).unwrap_or(u32::MAX));
        let Some(program) = self.loaded.programs.get(place) else {
            return said.note((index, entry), Outcome::Error, Cow::Borrowed(&entry.classes));
        };
        if !entry.reads_resource {
            let outcome = program.run(&self.facts, self.facts.resource, &mut self.scratch);
            return said.note((index, entry), outcome, Cow::Borrowed(&entry.classes));
        }
        let resource = |class| self.loaded.resources.get(class).copied();
        let (mut holds, mut fails) = (Bits::default(), Bits::default());
        fails.extend(entry.classes.common(wanted).filter(|class| resource(*class).is_none()));
        let resources = entry.classes.common(wanted).filter_map(|class| Some((class, resource(class)?)));
        program.run_for(&self.facts, resources, &mut self.scratch, |class, outcome| match outcome {
            Outcome::True => holds.insert(class),
            Outcome::Error => fails.insert(class),
            Outcome::False => {}
        });
        said.note((index, entry), Outcome::True, Cow::Owned(holds));
        said.note((index, entry), Outcome::Error, Cow::Owned(fails));
    }
}

/// What the policies said, each with the classes it said it of; in the order of the policies.
#[derive(Default)]
struct Said<'a> {
    permits: Vec<(PolicyIndex, Cow<'a, Bits>)>,
    forbids: Vec<(PolicyIndex, Cow<'a, Bits>)>,
    failures: Vec<(PolicyIndex, Cow<'a, Bits>)>,
    /// All classes that anything was said of.
    spoken_of: Bits,
}

impl<'a> Said<'a> {
    fn note(&mut self, (index, entry): (PolicyIndex, &Entry), outcome: Outcome, classes: Cow<'a, Bits>) {
        let to = match outcome {
            Outcome::False => return,
            Outcome::Error => &mut self.failures,
            Outcome::True if entry.forbids => &mut self.forbids,
            Outcome::True => &mut self.permits,
        };
        if !classes.is_empty() {
            self.spoken_of.join(&classes);
            to.push((index, classes));
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
