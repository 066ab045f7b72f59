//! The naive reference: who may send which packet, recomputed from scratch for each.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::access::OpenRequest;
use crate::device::DeviceAddresses;
use crate::event::{Event, IdentityEvent, Login};
use crate::grant::Outcome;
use crate::id::{DeviceId, GatewayId, RequestId, SessionId};
use crate::identity::Subject;
use crate::lock::{Lock, LockEnd, LockTarget};
use crate::net::{Protocol, Service};
use crate::site::{Resource, Site};
use crate::time::Timestamp;

use super::packet::{Flow, Packet, Payload, Side, Verdict};

/// Everything that decides about packets under a [`TableEngine`](super::TableEngine), in plain lists.
///
/// It is told of the events that were *accepted*, with what came of them, and of the addresses of devices.
#[derive(Debug, Clone, Default)]
pub struct Reference {
    site: Option<Site>,
    permits: Vec<Permit>,
    claims: BTreeMap<Subject, BTreeSet<String>>,
    sessions: Vec<LiveSession>,
    disabled: BTreeSet<Subject>,
    locks: Vec<(LockTarget, Lock)>,
    requests: Vec<(RequestId, OpenRequest)>,
    addresses: BTreeMap<DeviceId, DeviceAddresses>,
    /// The flows that sessions have opened at each gateway.
    flows: Vec<(GatewayId, SessionId, Flow)>,
}

#[derive(Debug, Clone)]
struct Permit {
    group: String,
    resource: String,
    /// Whether it takes an approved request.
    approved: bool,
}

#[derive(Debug, Clone)]
struct LiveSession {
    id: SessionId,
    login: Login,
    suspended: bool,
}

impl Reference {
    /// Takes in an event that was accepted, with what came of it.
    pub fn accept(&mut self, event: &Event, outcome: &Outcome) {
        let (started, now) = (outcome.started, outcome.at);
        self.sessions.retain(|session| now < session.login.ends_at);
        self.requests.retain(|(_, open)| now < open.request.ends_at);
        self.locks.retain(|(_, lock)| holds(lock, now));
        match event {
            Event::SiteLoaded(source) => self.site = Site::parse(source).ok(),
            Event::PolicyLoaded(source) => {
                let lines = source.policies.values().flat_map(|text| text.lines());
                let words = lines.map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>());
                let permits = words.map(|words| Permit {
                    group: words.first().cloned().unwrap_or_default(),
                    resource: words.get(1).cloned().unwrap_or_default(),
                    approved: words.len() > 2,
                });
                self.permits = permits.collect();
            }
            Event::IdentityObserved { subject, claims, .. } => {
                self.claims.insert(subject.clone(), claims.clone());
            }
            Event::Identity(IdentityEvent::SessionRevoked { subject }) => {
                self.sessions.retain(|session| session.login.subject != *subject);
                self.requests.retain(|(_, open)| open.request.subject != *subject);
                if self.disabled.contains(subject) {
                    self.requests.iter_mut().for_each(|(_, open)| _ = open.approved_by.remove(subject));
                }
            }
            Event::Identity(IdentityEvent::AccountDisabled { subject }) => {
                self.disabled.insert(subject.clone());
                self.sessions.retain(|session| session.login.subject != *subject);
                self.requests.retain(|(_, open)| open.request.subject != *subject);
                self.requests.iter_mut().for_each(|(_, open)| _ = open.approved_by.remove(subject));
            }
            Event::Identity(IdentityEvent::AccountEnabled { subject }) => _ = self.disabled.remove(subject),
            Event::DeviceRemoved { device } => {
                self.sessions.retain(|session| session.login.device != *device);
                self.addresses.remove(device);
            }
            Event::SessionStarted(login) => {
                let same_device = |session: &&LiveSession| session.login.device == login.device;
                let suspended =
                    self.sessions.iter().find(same_device).is_some_and(|session| session.suspended);
                self.sessions.retain(|session| session.login.device != login.device);
                let session = |id| LiveSession { id, login: login.clone(), suspended };
                self.sessions.extend(started.map(session));
            }
            Event::SessionSuspended { session } => self.suspend(*session, true),
            Event::SessionRestored { session } => self.suspend(*session, false),
            Event::SessionEnded { session } => self.sessions.retain(|live| live.id != *session),
            Event::KeyRevoked { public_key } => {
                self.sessions.retain(|session| session.login.public_key != *public_key);
            }
            Event::AccessRequested(request) => {
                let open = OpenRequest { request: request.clone(), approved_by: BTreeSet::new() };
                self.requests.push((RequestId(outcome.seq.0), open));
            }
            Event::AccessApproved { request, approver } => {
                for (_, open) in self.requests.iter_mut().filter(|(id, _)| id == request) {
                    open.approved_by.insert(approver.clone());
                }
            }
            Event::AccessEnded { request } => self.requests.retain(|(id, _)| id != request),
            Event::Locked { target, lock } => {
                self.locks.retain(|(locked, _)| locked != target);
                self.locks.push((target.clone(), lock.clone()));
            }
            Event::Unlocked { target } => self.locks.retain(|(locked, _)| locked != target),
            Event::GatewayEnrolled { .. }
            | Event::DeviceEnrolled { .. }
            | Event::PostureReported { .. }
            | Event::Tick => {}
        }
    }

    /// Notes which addresses a device has.
    pub fn set_addresses(&mut self, device: &DeviceId, addresses: DeviceAddresses) {
        self.addresses.insert(device.clone(), addresses);
    }

    /// Judges a packet at an open gateway; an accepted packet from a device opens its flow there.
    pub fn judge(&mut self, gateway: &GatewayId, packet: &Packet, now: Timestamp) -> Verdict {
        if self.accepts(gateway, packet, now) { Verdict::Accept } else { Verdict::Drop }
    }

    fn suspend(&mut self, id: SessionId, suspended: bool) {
        self.sessions
            .iter_mut()
            .filter(|session| session.id == id)
            .for_each(|session| session.suspended = suspended);
    }

    fn accepts(&mut self, gateway: &GatewayId, packet: &Packet, now: Timestamp) -> bool {
        let (source, destination) = (packet.source, packet.destination);
        let flow = match (packet.side, &packet.payload) {
            (Side::Device(key), payload) => {
                let sender = self.session_at(source, now).filter(|session| session.login.public_key == key);
                let Some(sender) = sender.map(|session| session.id) else { return false };
                if let Payload::Error { source: quoted, destination: to, payload } = payload {
                    let inward = Flow::inward(*quoted, *to, payload);
                    inward.filter(|_| *to == source && *quoted == destination)
                } else {
                    let flow = Flow::outward(source, destination, payload);
                    let Some(flow) = flow.filter(|flow| self.may_reach(gateway, flow, now)) else {
                        return false;
                    };
                    self.flows.push((gateway.clone(), sender, flow));
                    return true;
                }
            }
            (Side::Network, Payload::Error { source: quoted, destination: to, payload }) => {
                Flow::outward(*quoted, *to, payload).filter(|_| *quoted == destination)
            }
            (Side::Network, payload) => Flow::inward(source, destination, payload),
        };
        flow.is_some_and(|flow| {
            let session = self.session_at(flow.device, now).map(|session| session.id);
            let opened = |(at, by, known): &(GatewayId, SessionId, Flow)| {
                at == gateway && Some(*by) == session && *known == flow
            };
            self.may_reach(gateway, &flow, now) && self.flows.iter().any(opened)
        })
    }

    /// Whether the session behind the flow's device may open such a flow at this instant.
    fn may_reach(&self, gateway: &GatewayId, flow: &Flow, now: Timestamp) -> bool {
        let (Some(site), Some(session)) = (&self.site, self.session_at(flow.device, now)) else {
            return false;
        };
        let group = site.gateways.get(gateway).map(|gateway| &gateway.group);
        let resources = site.resources().iter().filter(|resource| Some(&resource.gateways) == group);
        let mut covering = resources.filter(|resource| covers(site, resource, flow));
        covering.any(|resource| {
            let permits = self.permits.iter().filter(|permit| permit.resource == resource.id.as_str());
            let mut permits = permits.filter(|permit| self.is_in(site, session, &permit.group));
            let is_locked = self.is_locked(site, session, resource, now);
            !is_locked
                && permits.any(|permit| !permit.approved || self.is_approved(session, resource, flow, now))
        })
    }

    fn is_in(&self, site: &Site, session: &LiveSession, group: &str) -> bool {
        let Some(claims) = self.claims.get(&session.login.subject) else { return false };
        let declared = site.groups.iter().filter(|(id, _)| id.as_str() == group);
        let mut named = declared.flat_map(|(_, named)| named);
        named.any(|claim| claim.issuer == *session.login.subject.issuer() && claims.contains(&claim.value))
    }

    fn is_locked(&self, site: &Site, session: &LiveSession, resource: &Resource, now: Timestamp) -> bool {
        let Login { subject, device, public_key, .. } = &session.login;
        self.locks.iter().filter(|(_, lock)| holds(lock, now)).any(|(target, _)| match target {
            LockTarget::User(locked) => locked == subject,
            LockTarget::Device(locked) => locked == device,
            LockTarget::Key(locked) => locked == public_key,
            LockTarget::Resource(locked) => *locked == resource.id,
            LockTarget::Group(group) => self.is_in(site, session, group.as_str()),
        })
    }

    /// Whether a request lets the session's person open such a flow: enough people approved it, and it is for the
    /// service.
    fn is_approved(&self, session: &LiveSession, resource: &Resource, flow: &Flow, now: Timestamp) -> bool {
        let Some(rule) = &resource.approval else { return false };
        self.requests.iter().any(|(_, OpenRequest { request, approved_by })| {
            let is_for = request.subject == session.login.subject && request.resource == resource.id;
            let is_known = request.services.iter().all(|service| resource.services.contains(service));
            let enough = approved_by.len() >= rule.count as usize;
            let serves = request.services.iter().any(|service| is_service(service, flow));
            is_for && is_known && enough && serves && now < request.ends_at
        })
    }

    fn session_at(&self, address: IpAddr, now: Timestamp) -> Option<&LiveSession> {
        self.sessions.iter().find(|session| {
            let addresses = self.addresses.get(&session.login.device);
            let has = addresses.is_some_and(|addresses| addresses.iter().any(|own| own == address));
            has && !session.suspended && now < session.login.ends_at
        })
    }
}

fn covers(site: &Site, resource: &Resource, flow: &Flow) -> bool {
    let serves = resource.services.iter().any(|service| is_service(service, flow));
    let named = |prefix: &crate::net::Prefix| {
        let exact = prefix.is_host() && prefix.address() == flow.remote;
        exact || (in_prefix(flow.remote, prefix) && !is_protected(site, flow.remote))
    };
    serves && resource.prefixes.iter().any(named)
}

fn is_service(service: &Service, flow: &Flow) -> bool {
    let port = service.ports.first <= flow.remote_port && flow.remote_port <= service.ports.last;
    service.protocol == flow.protocol && (port || flow.protocol == Protocol::Echo)
}

fn holds(lock: &Lock, now: Timestamp) -> bool {
    match lock.end {
        LockEnd::WhenLifted => true,
        LockEnd::At(at) => now < at,
    }
}

/// Bit by bit, with no arithmetic in common with [`crate::net`].
fn in_prefix(address: IpAddr, prefix: &crate::net::Prefix) -> bool {
    let (one, two) = (octets(address), octets(prefix.address()));
    let bit = |octets: &[u8], place: usize| octets.get(place / 8).map(|octet| octet >> (7 - place % 8) & 1);
    one.len() == two.len()
        && (0..usize::from(prefix.length())).all(|place| bit(&one, place) == bit(&two, place))
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

fn is_protected(site: &Site, address: IpAddr) -> bool {
    let special = match address {
        IpAddr::V4(v4) => {
            let this_network = matches!(v4.octets(), [0, ..]);
            v4.is_loopback() || v4.is_link_local() || v4.is_multicast() || v4.is_broadcast() || this_network
        }
        IpAddr::V6(v6) => {
            let mapped = v6.to_ipv4_mapped().is_some();
            v6.is_loopback()
                || v6.is_unicast_link_local()
                || v6.is_multicast()
                || v6.is_unspecified()
                || mapped
        }
    };
    let in_pool = site.pools.iter().any(|pool| in_prefix(address, &pool));
    let gateways = || site.gateways.values();
    let on_gateway =
        gateways().any(|gateway| gateway.addresses.contains(&address) || gateway.endpoint.ip() == address);
    special || in_pool || on_gateway
}
