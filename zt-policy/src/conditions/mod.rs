//! The conditions of all policies, in parts.
//!
//! Organisations say the same again and again: that the disk is to be encrypted, that a second factor is to be fresh. A
//! part that several policies have is asked about once for each session. A part that reads nothing but the resource
//! comes out the same for everybody, so it is asked about when the policies are loaded.

mod part;

use crate::bits::Bits;
use crate::evaluator::{Facts, Graph, Node, Outcome, Program, Scratch, Uid};
use part::{Numbers, Part};

/// The conditions of all policies.
#[derive(Debug)]
pub(crate) struct Conditions {
    policies: Vec<(Program, Box<[Part]>)>,
    /// For each part that reads the resource only, the classes for which it holds, and those for which it fails.
    standing: Vec<Verdict>,
}

/// Classes of resources for which something holds, and those for which it fails; for the others it does neither.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) holds: Bits,
    pub(crate) fails: Bits,
}

impl Conditions {
    /// Takes programs apart. Each comes with the classes that its policy is for; `resources` stand for the classes.
    pub(crate) fn new<'c>(
        programs: impl Iterator<Item = (Program, &'c Bits)>,
        graph: &Graph,
        resources: &[Uid],
    ) -> Self {
        let (programs, classes): (Vec<_>, Vec<_>) = programs.unzip();
        let mut numbers = Numbers::new(&graph.symbols);
        let parts = programs
            .iter()
            .map(|program| program.parts().iter().map(|part| numbers.part(program, part)).collect());
        let parts: Vec<Box<[Part]>> = parts.collect();
        let resource_parts = numbers.resource_parts();
        let mut standing = Vec::new();
        standing.resize_with(resource_parts, Verdict::default);
        let mut asked = vec![Bits::default(); resource_parts];
        let (facts, mut scratch) = (Facts::new(graph), Scratch::default());
        for ((program, parts), classes) in programs.iter().zip(&parts).zip(classes) {
            for (node, part) in program.parts().iter().zip(parts) {
                let Part::Resource(number) = *part else { continue };
                let (Some(asked), Some(standing)) = (asked.get_mut(number), standing.get_mut(number)) else {
                    continue;
                };
                for class in classes.without(asked).iter() {
                    let run = |resource| program.run_part(node, (&facts, resource), &mut scratch);
                    standing.note(class, resources.get(class).copied().map_or(Outcome::Error, run));
                }
                asked.join(classes);
            }
        }
        Self { policies: programs.into_iter().zip(parts).collect(), standing }
    }

    /// Loses the last policy.
    #[cfg(test)]
    pub(crate) fn forget_last(&mut self) {
        self.policies.pop();
    }
}

impl Verdict {
    fn note(&mut self, class: usize, outcome: Outcome) {
        match outcome {
            Outcome::True => self.holds.insert(class),
            Outcome::Error => self.fails.insert(class),
            Outcome::False => {}
        }
    }
}

/// Asks policies about one session.
pub(crate) struct Asker<'a> {
    conditions: &'a Conditions,
    /// The resource that stands for each class.
    resources: &'a [Uid],
    facts: Facts<'a>,
    scratch: Scratch,
    /// The session parts that were asked about, and how they came out.
    asked: Bits,
    found: Verdict,
}

impl<'a> Asker<'a> {
    pub(crate) fn new(conditions: &'a Conditions, resources: &'a [Uid], facts: Facts<'a>) -> Self {
        let (asked, found) = (Bits::default(), Verdict::default());
        Self { conditions, resources, facts, scratch: Scratch::default(), asked, found }
    }

    /// What a policy says of `classes`. One that is not there fails.
    pub(crate) fn ask(&mut self, policy: usize, classes: Bits) -> Verdict {
        let Some((program, parts)) = self.conditions.policies.get(policy) else {
            return Verdict { holds: Bits::default(), fails: classes };
        };
        let mut verdict = Verdict { holds: classes, fails: Bits::default() };
        for (node, part) in program.parts().iter().zip(parts) {
            if verdict.holds.is_empty() {
                break;
            }
            match *part {
                Part::Session(number) => match self.session(number, program, node) {
                    Outcome::True => {}
                    Outcome::False => verdict.holds = Bits::default(),
                    Outcome::Error => verdict.fails.join(&std::mem::take(&mut verdict.holds)),
                },
                Part::Resource(number) => {
                    let Some(standing) = self.conditions.standing.get(number) else {
                        verdict.fails.join(&std::mem::take(&mut verdict.holds));
                        break;
                    };
                    verdict.fails.join(&verdict.holds.within(&standing.fails));
                    verdict.holds = verdict.holds.within(&standing.holds);
                }
                Part::Both => {
                    let classes = std::mem::take(&mut verdict.holds);
                    for class in classes.iter() {
                        let resource = self.resources.get(class).copied();
                        let run =
                            |resource| program.run_part(node, (&self.facts, resource), &mut self.scratch);
                        verdict.note(class, resource.map_or(Outcome::Error, run));
                    }
                }
            }
        }
        verdict
    }

    fn session(&mut self, number: usize, program: &Program, node: &Node) -> Outcome {
        if !self.asked.has(number) {
            self.asked.insert(number);
            let outcome = program.run_part(node, (&self.facts, self.facts.resource), &mut self.scratch);
            self.found.note(number, outcome);
        }
        if self.found.holds.has(number) {
            Outcome::True
        } else if self.found.fails.has(number) {
            Outcome::Error
        } else {
            Outcome::False
        }
    }
}
