//! Requests for access: made, approved, ended.

use std::collections::{BTreeMap, BTreeSet};

use crate::access::{AccessRequest, MAX_REQUESTS, OpenRequest, is_reason};
use crate::grant::Refusal;
use crate::id::RequestId;
use crate::identity::{Account, Subject};
use crate::session::EndReason;
use crate::site::{Resource, Site};

use super::round::Round;
use super::state::State;
use super::timers::Timer;

/// The requests that have not ended.
#[derive(Debug, Default)]
pub(super) struct Requests {
    open: BTreeMap<RequestId, OpenRequest>,
    /// Those of each person who has any.
    of: BTreeMap<Subject, BTreeSet<RequestId>>,
}

impl Requests {
    pub(super) fn iter(&self) -> impl Iterator<Item = (RequestId, &OpenRequest)> {
        self.open.iter().map(|(id, open)| (*id, open))
    }

    fn of(&self, subject: &Subject) -> impl Iterator<Item = (RequestId, &OpenRequest)> {
        let ids = self.of.get(subject).into_iter().flatten();
        ids.filter_map(|id| self.open.get(id).map(|open| (*id, open)))
    }

    /// The approved requests of a person, in the order in which they were made.
    pub(super) fn approved<'a>(
        &'a self,
        subject: &Subject,
        site: &'a Site,
    ) -> impl Iterator<Item = (RequestId, &'a AccessRequest)> {
        let open = self.of(subject);
        open.filter(|(_, open)| is_approved(open, site)).map(|(id, open)| (id, &open.request))
    }
}

impl State {
    /// Takes a request in.
    pub(super) fn request_access(
        &mut self,
        request: &AccessRequest,
        round: &mut Round,
    ) -> Result<(), Refusal> {
        let AccessRequest { subject, resource, services, reason, ends_at } = request;
        let declared = find(self.site.as_ref().ok_or(Refusal::NoSite)?, request);
        let rule = declared.and_then(|declared| declared.approval.as_ref());
        let (Some(declared), Some(rule)) = (declared, rule) else {
            return Err(Refusal::NotRequestable(resource.clone()));
        };
        let person = self.people.find(subject).and_then(|slot| self.people.get(slot));
        let person = person.ok_or_else(|| Refusal::UnknownSubject(subject.clone()))?;
        if person.identity.account == Account::Disabled {
            return Err(Refusal::AccountDisabled(subject.clone()));
        }
        if services.is_empty() {
            return Err(Refusal::NoServices(resource.clone()));
        }
        if let Some(service) = services.iter().find(|service| !declared.services.contains(service)) {
            return Err(Refusal::NoSuchService { resource: resource.clone(), service: *service });
        }
        if !is_reason(reason) {
            return Err(Refusal::Reason);
        }
        let at = round.outcome.at;
        if *ends_at <= at || *ends_at > at.after(rule.longest) {
            return Err(Refusal::Over(*ends_at));
        }
        let is_open = self.requests.of(subject).any(|(_, open)| open.request.resource == *resource);
        if is_open || self.requests.of(subject).count() >= MAX_REQUESTS {
            return Err(Refusal::AlreadyRequested(resource.clone()));
        }
        let id = RequestId(round.outcome.seq.0);
        let open = OpenRequest { request: request.clone(), approved_by: BTreeSet::new() };
        self.timers.set(&Timer::RequestEnd(id), *ends_at);
        self.requests.of.entry(subject.clone()).or_default().insert(id);
        self.requests.open.insert(id, open);
        Ok(())
    }

    /// Counts an approval; the same person's counts once.
    pub(super) fn approve_access(
        &mut self,
        id: RequestId,
        approver: &Subject,
        round: &mut Round,
    ) -> Result<(), Refusal> {
        let site = self.site.as_ref().ok_or(Refusal::NoSite)?;
        let open = self.requests.open.get(&id).ok_or(Refusal::UnknownRequest(id))?;
        let rule = find(site, &open.request).and_then(|resource| resource.approval.as_ref());
        let person = self.people.find(approver).and_then(|slot| self.people.get(slot));
        let person = person.ok_or_else(|| Refusal::UnknownSubject(approver.clone()))?;
        if person.identity.account == Account::Disabled {
            return Err(Refusal::AccountDisabled(approver.clone()));
        }
        let groups = &person.identity.profile.groups;
        let is_locked = self.lock_on_person(&person.identity).is_some();
        let may = rule.is_some_and(|rule| rule.approvers.iter().any(|group| groups.contains(group.as_str())));
        if !may || is_locked || *approver == open.request.subject {
            return Err(Refusal::NotAnApprover(approver.clone()));
        }
        let subject = open.request.subject.clone();
        if let Some(open) = self.requests.open.get_mut(&id) {
            open.approved_by.insert(approver.clone());
        }
        self.mark_person(&subject, EndReason::Revoke, round);
        Ok(())
    }

    /// Ends a request, and with it what it gave.
    pub(super) fn end_access(
        &mut self,
        id: RequestId,
        reason: EndReason,
        round: &mut Round,
    ) -> Result<(), Refusal> {
        let ended = self.requests.open.remove(&id).ok_or(Refusal::UnknownRequest(id))?;
        self.timers.stop(&Timer::RequestEnd(id));
        let subject = ended.request.subject;
        if let Some(ids) = self.requests.of.get_mut(&subject) {
            ids.remove(&id);
            if ids.is_empty() {
                self.requests.of.remove(&subject);
            }
        }
        self.mark_person(&subject, reason, round);
        Ok(())
    }

    /// Ends what a person has asked for, and takes back what they have approved if they may no longer.
    pub(super) fn forget_person(&mut self, subject: &Subject, account: Account, round: &mut Round) {
        let own: Vec<RequestId> = self.requests.of(subject).map(|(id, _)| id).collect();
        for id in own {
            let _unknown = self.end_access(id, EndReason::Revoke, round);
        }
        if account == Account::Enabled {
            return;
        }
        let mut concerned = BTreeSet::new();
        for open in self.requests.open.values_mut() {
            if open.approved_by.remove(subject) {
                concerned.insert(open.request.subject.clone());
            }
        }
        concerned.iter().for_each(|subject| self.mark_person(subject, EndReason::Revoke, round));
    }

    pub(super) fn mark_person(&self, subject: &Subject, reason: EndReason, round: &mut Round) {
        let Some(person) = self.people.find(subject) else { return };
        self.sessions_of(person).into_iter().for_each(|(slot, id)| round.mark(slot, id, reason));
    }
}

/// Whether as many people have approved a request as the site asks for. What it asks for, and whether it still has the
/// services, is up to the site in force.
fn is_approved(open: &OpenRequest, site: &Site) -> bool {
    find(site, &open.request).is_some_and(|resource| {
        let enough = |count| usize::try_from(count).is_ok_and(|count| open.approved_by.len() >= count);
        let has_services = open.request.services.is_subset(&resource.services);
        has_services && resource.approval.as_ref().is_some_and(|rule| enough(rule.count))
    })
}

fn find<'a>(site: &'a Site, request: &AccessRequest) -> Option<&'a Resource> {
    site.resource(site.resource_index(&request.resource)?)
}
