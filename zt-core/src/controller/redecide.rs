//! Decisions are made again, and grants follow.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::decide::{
    ClassId, Decide, Decision, DecisionSink, Effect, PolicyIndex, ResourceClasses, SessionFacts, Validity,
};
use crate::device::Device;
use crate::grant::Grant;
use crate::id::{ResourceId, SessionId};
use crate::session::EndReason;
use crate::site::Site;
use crate::time::Timestamp;

use super::Controller;
use super::state::{Round, State, Timer};

static NOTHING_APPROVED: BTreeSet<ResourceId> = BTreeSet::new();

impl<D: Decide> Controller<D> {
    /// Decides every session again that the round has marked.
    pub(super) fn redecide(&mut self, round: &mut Round) {
        let classes: Vec<ClassId> = self.decide.classes().iter().map(|(class, _)| class).collect();
        for (id, reason) in std::mem::take(&mut round.dirty) {
            let Some(Answers { allowed, valid, count, .. }) = self.decide_session(id, &classes) else {
                continue;
            };
            round.outcome.decisions = round.outcome.decisions.saturating_add(count);
            match valid {
                Validity::Until(at) => self.state.timers.set(Timer::Decide(id), at),
                Validity::Unlimited => self.state.timers.stop(&Timer::Decide(id)),
            }
            self.state.follow(id, allowed, reason, round);
        }
    }

    fn decide_session(&self, id: SessionId, classes: &[ClassId]) -> Option<Answers<'_>> {
        let facts = self.facts(id)?;
        let valid = fact_horizon(facts.site, facts.device, facts.now);
        let classes_of = self.decide.classes();
        let mut answers =
            Answers { site: facts.site, classes: classes_of, allowed: BTreeMap::new(), valid, count: 0 };
        self.decide.decide(&facts, classes, &mut answers);
        Some(answers)
    }

    /// What is known of a live session.
    pub(super) fn facts(&self, id: SessionId) -> Option<SessionFacts<'_>> {
        let state = &self.state;
        let session = state.sessions.get(&id)?;
        Some(SessionFacts {
            now: state.now,
            identity: state.identities.get(&session.subject)?,
            device: state.devices.get(&session.device)?,
            session,
            open_windows: &state.open_windows,
            approved: &NOTHING_APPROVED,
            site: state.site.as_ref()?,
        })
    }
}

/// The first instant after `now` at which a fact of the device becomes stale, or stops lying in the future.
fn fact_horizon(site: &Site, device: &Device, now: Timestamp) -> Validity {
    let declared = device.facts.iter().filter_map(|held| Some((held, site.facts.get(&held.finding.name)?)));
    let instants = declared
        .flat_map(|(held, declaration)| [held.observed_at, held.observed_at.after(declaration.max_age)]);
    instants.filter(|at| *at > now).map(Validity::Until).fold(Validity::Unlimited, Validity::min)
}

/// The decisions on one session.
struct Answers<'a> {
    site: &'a Site,
    classes: &'a ResourceClasses,
    allowed: Allowed,
    valid: Validity,
    count: u64,
}

impl DecisionSink for Answers<'_> {
    fn decided(&mut self, class: ClassId, decision: Decision<'_>) {
        self.count = self.count.saturating_add(1);
        self.valid = self.valid.min(decision.valid);
        if decision.effect == Effect::Allow {
            let members = self.classes.members(class).iter().filter_map(|index| self.site.resource(*index));
            let cause = || Arc::from(decision.because);
            self.allowed.extend(members.map(|resource| (resource.id.clone(), cause())));
        }
    }
}

/// The resources that are allowed, with the cause.
type Allowed = BTreeMap<ResourceId, Arc<[PolicyIndex]>>;

impl State {
    /// Makes a session's grants equal to what is allowed.
    fn follow(&mut self, id: SessionId, allowed: Allowed, reason: EndReason, round: &mut Round) {
        let held = self.grants.get(&id);
        let lost =
            held.into_iter().flat_map(|held| held.keys()).filter(|resource| !allowed.contains_key(*resource));
        for resource in lost.cloned().collect::<Vec<_>>() {
            self.end_grant(id, &resource, reason, round);
        }
        let Some(version) = self.policy.as_ref().map(|(_, version)| *version) else { return };
        for (resource, because) in allowed {
            let grant = Grant { session: id, resource: resource.clone(), version, because };
            let held = self.grants.get_mut(&id).and_then(|held| held.get_mut(&resource));
            if let Some(held) = held {
                *held = grant;
            } else if self.issue_artefacts(id, &resource) {
                self.grants.entry(id).or_default().insert(resource, grant.clone());
                round.outcome.issued.push(grant);
            }
        }
    }

    /// Ends one grant.
    pub(super) fn end_grant(
        &mut self,
        id: SessionId,
        resource: &ResourceId,
        reason: EndReason,
        round: &mut Round,
    ) {
        if let Some(holder) = self.holder(id)
            && let Some(group) = self.group_of(resource)
            && let Some(artefacts) = self.groups.get_mut(&group)
        {
            artefacts.end(&holder, resource);
        }
        self.forget_grant(id, resource);
        round.outcome.ended.insert((id, resource.clone()), reason);
    }

    /// Takes a grant out of the session's, and leaves the artefacts as they are.
    pub(super) fn forget_grant(&mut self, id: SessionId, resource: &ResourceId) {
        if let Some(held) = self.grants.get_mut(&id) {
            held.remove(resource);
            if held.is_empty() {
                self.grants.remove(&id);
            }
        }
    }

    /// Takes a grant into the artefacts of the resource's gateways; false if there is no such resource.
    pub(super) fn issue_artefacts(&mut self, id: SessionId, resource: &ResourceId) -> bool {
        let Some(holder) = self.holder(id) else { return false };
        let artefacts = self.group_of(resource).and_then(|group| self.groups.get_mut(&group));
        artefacts.map(|artefacts| artefacts.issue(&holder, resource)).is_some()
    }

    fn group_of(&self, resource: &ResourceId) -> Option<crate::id::GatewayGroupId> {
        let site = self.site.as_ref()?;
        Some(site.resource(site.resource_index(resource)?)?.gateways.clone())
    }
}
