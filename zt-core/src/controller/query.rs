//! What can be asked of a controller; asking changes nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::access::OpenRequest;
use crate::decide::{ClassId, Decide, Decision, DecisionSink, PolicyVersion, SessionFacts};
use crate::desired::{DesiredState, DeviceRoutes, GatewayRoute};
use crate::device::Device;
use crate::grant::{Explanation, Grant, GrantScope};
use crate::id::{DeviceId, GatewayGroupId, GatewayId, RequestId, ResourceId, Seq, SessionId};
use crate::lease::{Lease, LeaseRefusal, LeaseRequest};
use crate::lock::{Lock, LockTarget};
use crate::session::Session;
use crate::site::Site;
use crate::time::Timestamp;

use super::Controller;
use super::rows::Granted;
use super::state::State;
use super::timers::Timer;

/// An instant at which the fold has something to do, and what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// The instant.
    pub at: Timestamp,
    /// What is to be done, for logs.
    pub why: &'static str,
}

impl<D: Decide> Controller<D> {
    /// When a tick is due at the latest; `None` while no deadline is set.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Deadline> {
        self.state.timers.next().map(|(at, timer)| {
            let why = match timer {
                Timer::SessionEnd(_) => "a session ends",
                Timer::Decide(_) => "a decision comes to its horizon",
                Timer::Window(_) => "a window opens or closes",
                Timer::LockEnd(_) => "a lock ends",
                Timer::RequestEnd(_) => "a request ends",
            };
            Deadline { at, why }
        })
    }

    /// What a gateway is to have installed; `None` if no site ever declared it.
    ///
    /// A gateway that the site in force does not declare is to have nothing.
    #[must_use]
    pub fn desired(&self, gateway: &GatewayId) -> Option<DesiredState> {
        let state = self.state.gateways.get(gateway)?;
        Some(DesiredState {
            gateway: gateway.clone(),
            generation: state.generation,
            roster: self.state.roster(state),
        })
    }

    /// What the device of a live session needs to reach what the session is granted; `None` for a dead session.
    ///
    /// Of each group it names the first gateway that is enrolled.
    #[must_use]
    pub fn routes(&self, session: SessionId) -> Option<DeviceRoutes> {
        let device = self.device(&self.session(session)?.device)?;
        let mut routes =
            DeviceRoutes { addresses: device.addresses.iter().collect(), ..DeviceRoutes::default() };
        let site = self.site()?;
        for resource in
            self.grants(session).filter_map(|grant| site.resource(site.resource_index(&grant.resource)?))
        {
            let Some((id, route)) = self.state.enrolled_gateway(&resource.gateways) else { continue };
            routes.gateways.entry(id).or_insert(route).allowed_ips.extend(&resource.prefixes);
        }
        Some(routes)
    }

    /// Answers a gateway that asks whether it may go on with what it has installed.
    ///
    /// # Errors
    /// If the gateway is not known, has not installed its latest generation, a deadline is due that no tick has
    /// announced, or `now` lies before the last entry. The gateway is to be told nothing then.
    pub fn lease(&self, request: &LeaseRequest, now: Timestamp) -> Result<Lease, LeaseRefusal> {
        if now < self.state.now {
            return Err(LeaseRefusal::ClockBehind);
        }
        let site = self.site().ok_or(LeaseRefusal::UnknownGateway)?;
        let gateway = self.state.gateways.get(&request.gateway);
        let gateway = gateway.filter(|gateway| gateway.group.is_some() && gateway.enrolled.is_some());
        let current = gateway.ok_or(LeaseRefusal::UnknownGateway)?.generation;
        if self.state.timers.next().is_some_and(|(at, _)| at <= now) {
            return Err(LeaseRefusal::Due);
        }
        if request.installed != current {
            return Err(LeaseRefusal::Generation { installed: request.installed, current });
        }
        Ok(Lease {
            gateway: request.gateway.clone(),
            generation: current,
            nonce: request.nonce,
            at: now,
            remaining: site.lease,
        })
    }

    /// The instant by which every lease ends that any gateway may have been given by `now`.
    #[must_use]
    pub fn leases_end_by(&self, now: Timestamp) -> Timestamp {
        let latest = self.site().map_or(now, |site| now.after(site.lease));
        latest.max(self.state.earlier_leases_end)
    }

    /// The gateways that ever enrolled, each with the instant by which every lease ends that it may have been given for
    /// an earlier generation than its latest.
    pub fn outdated_leases(&self) -> impl Iterator<Item = (&GatewayId, Timestamp)> {
        let gateways = self.state.gateways.iter().filter(|(_, gateway)| gateway.was_enrolled);
        gateways.map(|(id, gateway)| (id, self.leases_end_by(gateway.changed_at)))
    }

    /// The place that the next entry has to have.
    #[must_use]
    pub const fn next_seq(&self) -> Seq {
        self.state.seq.next()
    }

    /// The site in force.
    #[must_use]
    pub const fn site(&self) -> Option<&Site> {
        self.state.site.as_ref()
    }

    /// The policies in force.
    #[must_use]
    pub fn policy_version(&self) -> Option<PolicyVersion> {
        self.state.policy.as_ref().map(|(_, version)| *version)
    }

    /// A live session.
    #[must_use]
    pub fn session(&self, id: SessionId) -> Option<&Session> {
        self.state.sessions.of(&id).map(|live| &live.session)
    }

    /// All live sessions, in the order of their start. Sorts them first.
    pub fn sessions(&self) -> impl Iterator<Item = &Session> {
        let mut sessions: Vec<_> = self.state.sessions.iter().map(|(_, live)| &live.session).collect();
        sessions.sort_unstable_by_key(|session| session.id);
        sessions.into_iter()
    }

    /// The grants of a session, in the order of the resources' ids; none for a dead session.
    pub fn grants(&self, session: SessionId) -> impl Iterator<Item = Grant> {
        let slot = self.state.sessions.find(&session);
        let row = slot.and_then(|slot| self.state.row(slot));
        let mut grants: Vec<Grant> = Vec::new();
        if let Some(row) = row {
            grants.extend(row.granted.iter().map(|Granted { resource, because, .. }| {
                let (resource, because, scope) = (resource.clone(), Arc::clone(because), GrantScope::Whole);
                Grant { session, resource, version: row.version, because, scope }
            }));
        }
        if let Some((slot, version)) = slot.zip(self.policy_version()) {
            grants.extend(self.state.approved_grants(slot, version));
            grants.sort_by(|one, two| one.resource.cmp(&two.resource));
        }
        grants.into_iter()
    }

    /// Why a live session may reach a resource at this instant, or may not; `None` if there is no such session or
    /// resource, or no policy was loaded. Asks the engine once, and once more for the remedies.
    #[must_use]
    pub fn explain(&self, session: SessionId, resource: &ResourceId) -> Option<Explanation> {
        let slot = self.state.sessions.find(&session)?;
        let version = self.policy_version()?;
        let facts = self.state.facts(slot)?;
        let class = self.decide.classes().class_of(facts.site.resource_index(resource)?)?;
        if let Some((target, lock)) =
            self.state.lock_on(slot).or_else(|| self.state.lock_on_resource(resource))
        {
            return Some(Explanation::locked(version, (target.clone(), lock.clone())));
        }
        let approved = self.state.requests.approved(&facts.identity.subject, facts.site);
        let approved = approved.map(|(_, request)| request.resource.clone()).collect();
        let facts = SessionFacts { approved: &approved, ..facts };
        let mut asked = Asked { version, answer: None };
        self.decide.decide(&facts, &[class], &mut asked);
        let remedies = self.decide.remedies(&facts, class);
        asked.answer.map(|answer| Explanation { remedies, ..answer })
    }

    /// The locks in force.
    pub fn locks(&self) -> impl Iterator<Item = (&LockTarget, &Lock)> {
        self.state.locks.iter()
    }

    /// The requests that have not ended, in the order in which they were made.
    pub fn requests(&self) -> impl Iterator<Item = (RequestId, &OpenRequest)> {
        self.state.requests.iter()
    }

    /// An enrolled device.
    #[must_use]
    pub fn device(&self, id: &DeviceId) -> Option<&Device> {
        self.state.devices.of(id).map(|enrolled| &enrolled.device)
    }
}

/// Takes the answer to one question.
struct Asked {
    version: PolicyVersion,
    answer: Option<Explanation>,
}

impl DecisionSink for Asked {
    fn decided(&mut self, _: ClassId, decision: Decision<'_>) {
        let Decision { effect, because, valid } = decision;
        let (because, remedies) = (because.to_vec(), Vec::new());
        self.answer =
            Some(Explanation { effect, because, remedies, valid, version: self.version, lock: None });
    }
}

impl State {
    /// The first enrolled gateway of a group, with nothing behind it as yet.
    fn enrolled_gateway(&self, group: &GatewayGroupId) -> Option<(GatewayId, GatewayRoute)> {
        self.gateways.iter().find_map(|(id, gateway)| {
            let (public_key, endpoint) = gateway.enrolled?;
            let route = GatewayRoute { public_key, endpoint, allowed_ips: BTreeSet::new() };
            (gateway.group.as_ref() == Some(group)).then(|| (id.clone(), route))
        })
    }
}
