//! What would turn a denial into an allow.
//!
//! ```text
//! policies for the person and the class ─► formulas over tests
//!                                              │
//!   needs so far ─► facts with them met ─► what still comes out wrong ─┬─ nothing ─► decide: allow? ─► a remedy
//!        ▲                                                             │
//!        └───────────────── with what turns it ────────────────────────┘
//! ```
//!
//! For each permit the needs grow from none, the fewest first, until it holds and no forbid does. Once a need changes a
//! fact, nothing is sure of the parts that change but what needs say of them, and of one that was unknown all parts
//! change: whatever else the policies ask of these becomes a need, so that no remedy rests on a guess.

mod formula;
mod needs;
mod situation;
mod test;
mod turn;
mod value;

use std::collections::BTreeSet;
use std::sync::Arc;

use cedar_policy::{Policy, pst};
use zt_core::decide::{
    ClassId, Decision, DecisionSink, DenyCause, Effect, MAX_REMEDIES, Remedy, SessionFacts,
};
use zt_core::id::ResourceId;

use crate::constants::Constants;
use crate::evaluate;
use crate::evaluator::{Scratch, Symbols, Uid};
use crate::index::bit;
use crate::loaded::Loaded;
use crate::session::bind;
use formula::Formula;
use needs::{Needs, Ways};
use situation::{Situation, Supposed};
use test::Reader;

/// The most sets of needs that are tried.
const MAX_TRIED: usize = 1_024;

/// Finds remedies for the denial of `class`. To be called on a deep stack: Cedar recurses.
pub(crate) fn remedies(loaded: &Loaded, facts: &SessionFacts<'_>, class: ClassId) -> Vec<Remedy> {
    let denied = matches!(
        effect(loaded, facts, class),
        Some(Effect::Deny(DenyCause::NotPermitted | DenyCause::Forbidden))
    );
    let Some(resource) = loaded.resources.get(bit(class)).filter(|_| denied) else { return Vec::new() };
    let Some(search) = Search::new(loaded, facts, (class, *resource)) else { return Vec::new() };
    let mut found = search.run().into_vec();
    found.truncate(MAX_REMEDIES);
    found.into_iter().map(|needs| Remedy { needs: needs.into_set() }).collect()
}

/// The policies for one person and class, and what is known.
struct Search<'a> {
    loaded: &'a Loaded,
    facts: &'a SessionFacts<'a>,
    class: ClassId,
    resource: Uid,
    members: Vec<ResourceId>,
    permits: Vec<Formula>,
    forbids: Vec<Formula>,
}

impl<'a> Search<'a> {
    /// Reads the policies; `None` if one cannot be read, which then might forbid anything.
    fn new(
        loaded: &'a Loaded,
        facts: &'a SessionFacts<'a>,
        (class, resource): (ClassId, Uid),
    ) -> Option<Self> {
        let members = loaded.index.classes().members(class).iter();
        let members: Vec<_> = members.filter_map(|member| facts.site.resource(*member)).collect();
        let mut reader = Reader {
            site: facts.site,
            constants: Constants::default(),
            symbols: Symbols::after(Arc::clone(&loaded.graph.symbols)),
            approvable: members.iter().all(|member| member.approval.is_some()),
        };
        let (mut permits, mut forbids) = (Vec::new(), Vec::new());
        let places: BTreeSet<_> = loaded.index.policies_of(facts).collect();
        for place in places {
            let Some(entry) = loaded.index.policy(place).filter(|entry| entry.classes.has(bit(class))) else {
                continue;
            };
            let formula = Formula::of(tree(loaded.texts.get(place)?)?.body(), &mut reader);
            if entry.forbids { forbids.push(formula) } else { permits.push(formula) }
        }
        let members = members.into_iter().map(|member| member.id.clone()).collect();
        Some(Self { loaded, facts, class, resource, members, permits, forbids })
    }

    fn run(&self) -> Ways {
        let mut found: Vec<Needs> = Vec::new();
        let mut tried = 0_usize;
        let mut next: BTreeSet<_> =
            (0..self.permits.len()).map(|permit| (0, Needs::default(), permit)).collect();
        while let Some((_, needs, permit)) = next.pop_first()
            && tried < MAX_TRIED
        {
            tried = tried.saturating_add(1);
            if found.iter().any(|known| needs.cover(known)) {
                continue;
            }
            let Some(supposed) = Supposed::new(self.facts, &needs, &self.members) else { continue };
            match self.wrong(permit, &needs, &supposed) {
                Some(ways) => next.extend(ways.iter().map(|way| {
                    let needs = needs.and(way);
                    (needs.len(), needs, permit)
                })),
                None if self.allows(&supposed) => found.push(needs),
                None => {}
            }
        }
        found.into_iter().collect()
    }

    /// What would turn the first thing that still is in the way; `None` if nothing is.
    fn wrong(&self, permit: usize, needs: &Needs, supposed: &Supposed) -> Option<Ways> {
        let facts = bind(self.loaded, &supposed.facts(self.facts));
        let scratch = Scratch::default();
        let mut situation = Situation { needs, supposed, facts, resource: self.resource, scratch };
        let permit = self.permits.get(permit).map(|permit| (permit, true));
        let policies = permit.into_iter().chain(self.forbids.iter().map(|forbid| (forbid, false)));
        policies.map(|(policy, wanted)| policy.ways(wanted, &mut situation)).find(|ways| !ways.is_free())
    }

    fn allows(&self, supposed: &Supposed) -> bool {
        effect(self.loaded, &supposed.facts(self.facts), self.class) == Some(Effect::Allow)
    }
}

fn tree(text: &str) -> Option<pst::StaticPolicy> {
    match Policy::parse(None, text).ok()?.to_pst().ok()? {
        pst::Policy::Static(policy) => Some(policy),
        pst::Policy::Linked(_) => None,
    }
}

fn effect(loaded: &Loaded, facts: &SessionFacts<'_>, class: ClassId) -> Option<Effect> {
    let mut asked = Asked(None);
    evaluate::decide(loaded, facts, &[class], &mut asked);
    asked.0
}

/// Takes the answer to one question.
struct Asked(Option<Effect>);

impl DecisionSink for Asked {
    fn decided(&mut self, _: ClassId, decision: Decision<'_>) {
        self.0 = Some(decision.effect);
    }
}
