//! What the controller holds, and the scratch of one round of the fold.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use crate::compile::Artefacts;
use crate::decide::PolicyVersion;
use crate::desired::Elements;
use crate::device::Device;
use crate::event::PolicySource;
use crate::grant::{Grant, Outcome};
use crate::id::{DeviceId, GatewayGroupId, GatewayId, Generation, ResourceId, Seq, SessionId, WindowId};
use crate::identity::{Identity, Subject};
use crate::key::PublicKey;
use crate::session::{EndReason, Session};
use crate::site::Site;
use crate::time::Timestamp;

use super::addresses::Addresses;
use super::wheel::Wheel;

/// All that the controller knows. Indexes are kept beside what they index, never in its place.
#[derive(Debug)]
pub(super) struct State {
    pub(super) seq: Seq,
    pub(super) now: Timestamp,
    pub(super) site: Option<Site>,
    pub(super) policy: Option<(PolicySource, PolicyVersion)>,
    pub(super) open_windows: BTreeSet<WindowId>,
    pub(super) identities: BTreeMap<Subject, Identity>,
    pub(super) devices: BTreeMap<DeviceId, Device>,
    pub(super) addresses: Addresses,
    pub(super) sessions: BTreeMap<SessionId, Session>,
    pub(super) sessions_of_subject: BTreeMap<Subject, BTreeSet<SessionId>>,
    pub(super) session_of_device: BTreeMap<DeviceId, SessionId>,
    pub(super) keys: BTreeMap<PublicKey, KeyOwner>,
    pub(super) revoked_keys: BTreeSet<PublicKey>,
    pub(super) grants: BTreeMap<SessionId, BTreeMap<ResourceId, Grant>>,
    pub(super) groups: BTreeMap<GatewayGroupId, Artefacts>,
    pub(super) gateways: BTreeMap<GatewayId, GatewayState>,
    pub(super) timers: Wheel<Timer>,
    /// By when every lease ends that was given under an earlier site.
    pub(super) earlier_leases_end: Timestamp,
}

/// Whose a key is; a key never changes hands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeyOwner {
    /// A device, in the hands of one person: who had it before may still know the key.
    Device(DeviceId, Subject),
    Gateway(GatewayId),
}

/// A gateway that the site declares, or once did.
#[derive(Debug, Clone, Default)]
pub(super) struct GatewayState {
    /// Its group; `None` once the site no longer declares the gateway, which then is to install nothing.
    pub(super) group: Option<GatewayGroupId>,
    pub(super) generation: Generation,
    /// When it came to that generation.
    pub(super) changed_at: Timestamp,
    /// Its key and where it listens, once it has said so.
    pub(super) enrolled: Option<(PublicKey, SocketAddr)>,
    /// Whether it ever was enrolled, and so may have been given a lease.
    pub(super) was_enrolled: bool,
    /// Whether its key was revoked; it is to install nothing then until it enrols with another one.
    pub(super) is_barred: bool,
}

/// A deadline of the fold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The session is over.
    SessionEnd(SessionId),
    /// A decision or a fact of the session has come to its horizon.
    Decide(SessionId),
    /// The window opens or closes.
    Window(WindowId),
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            seq: Seq::default(),
            now: Timestamp::default(),
            site: None,
            policy: None,
            open_windows: BTreeSet::new(),
            identities: BTreeMap::new(),
            devices: BTreeMap::new(),
            addresses: Addresses::default(),
            sessions: BTreeMap::new(),
            sessions_of_subject: BTreeMap::new(),
            session_of_device: BTreeMap::new(),
            keys: BTreeMap::new(),
            revoked_keys: BTreeSet::new(),
            grants: BTreeMap::new(),
            groups: BTreeMap::new(),
            gateways: BTreeMap::new(),
            timers: Wheel::new(),
            earlier_leases_end: Timestamp::default(),
        }
    }

    /// What a gateway is to have installed; nothing if the site does not declare it, or its key was revoked.
    pub(super) fn elements(&self, gateway: &GatewayState) -> Arc<Elements> {
        let group = gateway.group.as_ref().filter(|_| !gateway.is_barred);
        let artefacts = group.and_then(|group| self.groups.get(group));
        artefacts.map_or_else(Arc::default, |artefacts| Arc::clone(artefacts.elements()))
    }

    /// Raises the generation of every gateway to which something happened in this round.
    pub(super) fn settle(&mut self, round: &mut Round) {
        self.note_changes(round);
        for id in &round.moved {
            if let Some(gateway) = self.gateways.get_mut(id) {
                gateway.generation = gateway.generation.next();
                gateway.changed_at = self.now;
                round.outcome.gateways.insert(id.clone(), gateway.generation);
            }
        }
    }

    /// Notes the gateways whose group has changed since this was last asked.
    pub(super) fn note_changes(&mut self, round: &mut Round) {
        let changed = self.groups.iter_mut().filter_map(|(id, artefacts)| artefacts.settle().then_some(id));
        let changed: BTreeSet<_> = changed.collect();
        let concerned =
            |gateway: &GatewayState| gateway.group.as_ref().is_some_and(|id| changed.contains(id));
        let gateways = self.gateways.iter().filter(|(_, gateway)| concerned(gateway));
        round.moved.extend(gateways.map(|(id, _)| id.clone()));
    }
}

/// The scratch of one round: what was done, and what has to be decided again.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) outcome: Outcome,
    /// The sessions to decide again, with the reason to give for grants that end by it.
    pub(super) dirty: BTreeMap<SessionId, EndReason>,
    /// The gateways whose elements changed.
    pub(super) moved: BTreeSet<GatewayId>,
}

impl Round {
    pub(super) const fn new(seq: Seq, at: Timestamp) -> Self {
        let outcome = Outcome {
            seq,
            at,
            refusal: None,
            started: None,
            ended_sessions: BTreeMap::new(),
            issued: Vec::new(),
            ended: BTreeMap::new(),
            gateways: BTreeMap::new(),
            ignored_claims: 0,
            decisions: 0,
        };
        Self { outcome, dirty: BTreeMap::new(), moved: BTreeSet::new() }
    }

    /// Has a session decided again.
    pub(super) fn mark(&mut self, session: SessionId, reason: EndReason) {
        self.dirty.insert(session, reason);
    }

    /// Has every session decided again.
    pub(super) fn mark_all(&mut self, state: &State, reason: EndReason) {
        self.dirty.extend(state.sessions.keys().map(|session| (*session, reason)));
    }
}
