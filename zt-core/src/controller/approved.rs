//! What sessions are granted only because a request was approved: narrowed, and with an end of its own.
//!
//! Classes of sessions are decided on as if nothing had been approved. What a session has beyond its class is decided
//! on here, one approved resource at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::decide::{
    ClassId, Decide, Decision, DecisionSink, Effect, PolicyIndex, PolicyVersion, SessionFacts, View,
};
use crate::grant::{Grant, GrantScope};
use crate::id::{GatewayGroupId, RequestId, ResourceId, SessionId};
use crate::net::Service;
use crate::store::Slot;
use crate::time::Timestamp;

use super::Controller;
use super::round::{Mark, Round};
use super::state::State;
use super::timers::Timer;

/// What a session has beyond its class.
#[derive(Debug, Default)]
pub(super) struct Approved {
    /// What it was decided by; as long as this is the same, so is the rest.
    basis: Basis,
    /// In the order of the resources.
    grants: Vec<ApprovedGrant>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Basis {
    view: View,
    row: Option<u64>,
    requests: Vec<RequestId>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct ApprovedGrant {
    resource: ResourceId,
    group: GatewayGroupId,
    because: Arc<[PolicyIndex]>,
    request: RequestId,
    services: BTreeSet<Service>,
    ends_at: Timestamp,
}

impl ApprovedGrant {
    fn grant(&self, session: SessionId, version: PolicyVersion) -> Grant {
        let scope = GrantScope::Requested {
            request: self.request,
            services: self.services.clone(),
            ends_at: self.ends_at,
        };
        Grant { session, resource: self.resource.clone(), version, because: Arc::clone(&self.because), scope }
    }
}

impl<D: Decide> Controller<D> {
    /// Brings what a session has beyond its class up to date; `None` if that cannot be told.
    pub(super) fn follow_approvals(
        &mut self,
        mark: &Mark,
        version: PolicyVersion,
        round: &mut Round,
    ) -> Option<()> {
        let state = &self.state;
        let (live, site) = (state.sessions.get(mark.slot)?, state.site.as_ref()?);
        let row = state.row(mark.slot)?;
        let open = |resource: &ResourceId| state.lock_on_resource(resource).is_none();
        let requests = state.requests.approved(&live.session.subject, site);
        let requests: Vec<_> = requests.filter(|(_, request)| open(&request.resource)).collect();
        if requests.is_empty() {
            if state.approved_of(mark.slot).is_some() {
                self.state.hold_approved(mark, Approved::default(), (version, round));
            }
            return Some(());
        }
        let approved: BTreeSet<ResourceId> =
            requests.iter().map(|(_, request)| request.resource.clone()).collect();
        let facts = SessionFacts { approved: &approved, ..state.facts(mark.slot)? };
        let mut basis = Basis {
            view: View::new(),
            row: Some(row.serial),
            requests: requests.iter().map(|(id, _)| *id).collect(),
        };
        let valid = self.decide.view(&facts, &mut basis.view);
        let is_same = state.approved_of(mark.slot).is_some_and(|held| held.basis == basis);
        if is_same {
            self.state.timers.advance(&Timer::Decide(mark.slot), valid);
            return Some(());
        }
        let beyond = requests.iter().filter(|(_, request)| !row.grants(&request.resource));
        let mut grants = Vec::new();
        for (id, request) in beyond {
            let Some(index) = site.resource_index(&request.resource) else { continue };
            let (Some(resource), Some(class)) = (site.resource(index), self.decide.classes().class_of(index))
            else {
                continue;
            };
            let mut answer = Answer::default();
            self.decide.decide(&facts, &[class], &mut answer);
            round.outcome.decisions = round.outcome.decisions.saturating_add(1);
            grants.extend(answer.because.map(|because| ApprovedGrant {
                resource: request.resource.clone(),
                group: resource.gateways.clone(),
                because,
                request: *id,
                services: request.services.clone(),
                ends_at: request.ends_at,
            }));
        }
        grants.sort_unstable_by(|one, two| one.resource.cmp(&two.resource));
        self.state.timers.advance(&Timer::Decide(mark.slot), valid);
        self.state.hold_approved(mark, Approved { basis, grants }, (version, round));
        Some(())
    }
}

impl State {
    fn approved_of(&self, slot: Slot) -> Option<&Approved> {
        self.sessions.get(slot)?.approved.as_deref()
    }

    /// What a session is granted beyond its class.
    pub(super) fn approved_grants(&self, slot: Slot, version: PolicyVersion) -> impl Iterator<Item = Grant> {
        let session = self.sessions.get(slot).map(|live| live.session.id);
        let grants = self.approved_of(slot).into_iter().flat_map(|held| &held.grants);
        grants.zip(session.into_iter().cycle()).map(move |(granted, session)| granted.grant(session, version))
    }

    /// Gives a session this beyond its class, in place of what it has.
    fn hold_approved(
        &mut self,
        mark: &Mark,
        approved: Approved,
        (version, round): (PolicyVersion, &mut Round),
    ) {
        let Some(live) = self.sessions.get_mut(mark.slot) else { return };
        let grants = approved.grants.clone();
        let is_kept = !approved.basis.requests.is_empty();
        let held = std::mem::replace(&mut live.approved, is_kept.then(|| Box::new(approved)));
        let held = held.map(|held| held.grants).unwrap_or_default();
        let has =
            |list: &[ApprovedGrant], resource: &ResourceId| list.iter().any(|one| one.resource == *resource);
        let whole = |resource: &ResourceId| self.row(mark.slot).is_some_and(|row| row.grants(resource));
        let lost = held.iter().filter(|one| !has(&grants, &one.resource) && !whole(&one.resource));
        round.outcome.ended.extend(lost.map(|lost| ((mark.session, lost.resource.clone()), mark.reason)));
        // A request does not change, so the same one gives the same, though the cause may be another.
        let is_held = |one: &&ApprovedGrant| held.iter().any(|held| held.request == one.request);
        let gained = grants.iter().filter(|one| !is_held(one));
        round.outcome.issued.extend(gained.map(|gained| gained.grant(mark.session, version)));
        self.seat_approved(mark.slot, &held, &grants);
    }

    /// Takes back what a session has beyond its class, without a word about it.
    pub(super) fn drop_approved(&mut self, slot: Slot) -> Vec<ResourceId> {
        let held = self.sessions.get_mut(slot).and_then(|live| live.approved.take());
        let held = held.map(|held| held.grants).unwrap_or_default();
        self.seat_approved(slot, &held, &[]);
        held.into_iter().map(|held| held.resource).collect()
    }

    /// Gives a session its seats in the gateway groups that `held` and `grants` concern.
    fn seat_approved(&mut self, slot: Slot, held: &[ApprovedGrant], grants: &[ApprovedGrant]) {
        let mut concerned: BTreeMap<GatewayGroupId, Vec<&ApprovedGrant>> =
            held.iter().map(|held| (held.group.clone(), Vec::new())).collect();
        for granted in grants {
            concerned.entry(granted.group.clone()).or_default().push(granted);
        }
        for (group, grants) in concerned {
            let row = self.row(slot).and_then(|row| row.reach(&group)).map(Arc::clone);
            let holder = self.holder(slot);
            let Some(artefacts) = self.groups.get_mut(&group) else { continue };
            let beyond: Vec<_> =
                grants.iter().map(|one| (&one.resource, &one.services, one.ends_at)).collect();
            let reach = artefacts.reach_beyond(row.as_ref(), &beyond);
            match holder.filter(|_| !reach.is_empty()) {
                Some(holder) => artefacts.seat(slot, &holder, &reach),
                None => artefacts.unseat(slot),
            }
        }
    }
}

/// The permits of an allow.
#[derive(Default)]
struct Answer {
    because: Option<Arc<[PolicyIndex]>>,
}

impl DecisionSink for Answer {
    fn decided(&mut self, _: ClassId, decision: Decision<'_>) {
        self.because = (decision.effect == Effect::Allow).then(|| decision.because.into());
    }
}
