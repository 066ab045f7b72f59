//! What the controller holds.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use crate::compile::Artefacts;
use crate::decide::{PolicyVersion, SessionFacts};
use crate::desired::{Holder, Roster};
use crate::device::{Device, Finding};
use crate::event::PolicySource;
use crate::id::{
    DeviceId, GatewayGroupId, GatewayId, Generation, Issuer, ResourceId, Seq, SessionId, WindowId,
};
use crate::identity::{Identity, Profile, Subject};
use crate::key::PublicKey;
use crate::session::Session;
use crate::site::Site;
use crate::store::{Keyed, Shared, Slot, Table, hash_of};
use crate::time::Timestamp;

use super::addresses::Addresses;
use super::approved::Approved;
use super::classes::SessionClasses;
use super::groups::ClaimedGroups;
use super::keys::Keys;
use super::locks::Locks;
use super::requests::Requests;
use super::round::Round;
use super::rows::Row;
use super::timers::Timers;

static NOTHING_APPROVED: BTreeSet<ResourceId> = BTreeSet::new();

/// All that the controller knows. People, devices and sessions stand at places, and name each other by them.
#[derive(Debug)]
pub(super) struct State {
    pub(super) seq: Seq,
    pub(super) now: Timestamp,
    pub(super) site: Option<Site>,
    pub(super) claimed: ClaimedGroups,
    pub(super) policy: Option<(PolicySource, PolicyVersion)>,
    pub(super) open_windows: BTreeSet<WindowId>,
    pub(super) people: Table<Person>,
    pub(super) devices: Table<EnrolledDevice>,
    pub(super) sessions: Table<LiveSession>,
    pub(super) classes: SessionClasses,
    pub(super) keys: Keys,
    pub(super) addresses: Addresses,
    pub(super) groups: BTreeMap<GatewayGroupId, Artefacts>,
    pub(super) gateways: BTreeMap<GatewayId, GatewayState>,
    pub(super) timers: Timers,
    pub(super) locks: Locks,
    pub(super) requests: Requests,
    /// How many rows there ever were.
    pub(super) rows: u64,
    /// By when every lease ends that was given under an earlier site.
    pub(super) earlier_leases_end: Timestamp,
    pub(super) issuers: BTreeSet<Issuer>,
    pub(super) profiles: Shared<Profile>,
    pub(super) findings: Shared<Finding>,
    pub(super) texts: Shared<str>,
}

/// A person, with the first of their sessions, if there is one.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) identity: Identity,
    pub(super) first_session: Option<Slot>,
}

/// A device, with its session, if it has one.
#[derive(Debug)]
pub(super) struct EnrolledDevice {
    pub(super) device: Device,
    pub(super) session: Option<Slot>,
}

/// A session, with what belongs to it.
#[derive(Debug)]
pub(super) struct LiveSession {
    pub(super) session: Session,
    pub(super) person: Slot,
    pub(super) device: Slot,
    /// Its neighbours among the person's sessions.
    pub(super) next: Option<Slot>,
    pub(super) previous: Option<Slot>,
    /// The sessions that the policies cannot tell from it; none before it was first looked at.
    pub(super) class: Option<Slot>,
    /// What gateways see of it, while it has a seat at any.
    pub(super) holder: Option<Arc<Holder>>,
    /// What it has beyond its class.
    pub(super) approved: Option<Box<Approved>>,
}

impl Keyed for Person {
    type Key = Subject;

    fn key(&self) -> &Subject {
        &self.identity.subject
    }
}

impl Keyed for EnrolledDevice {
    type Key = DeviceId;

    fn key(&self) -> &DeviceId {
        &self.device.id
    }
}

impl Keyed for LiveSession {
    type Key = SessionId;

    fn key(&self) -> &SessionId {
        &self.session.id
    }
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

impl State {
    pub(super) fn new() -> Self {
        Self {
            seq: Seq::default(),
            now: Timestamp::default(),
            site: None,
            claimed: ClaimedGroups::default(),
            policy: None,
            open_windows: BTreeSet::new(),
            people: Table::default(),
            devices: Table::default(),
            sessions: Table::default(),
            classes: SessionClasses::default(),
            keys: Keys::default(),
            addresses: Addresses::default(),
            groups: BTreeMap::new(),
            gateways: BTreeMap::new(),
            timers: Timers::default(),
            locks: Locks::new(),
            requests: Requests::default(),
            rows: 0,
            earlier_leases_end: Timestamp::default(),
            issuers: BTreeSet::new(),
            profiles: Shared::new(hash_of),
            findings: Shared::new(hash_of),
            texts: Shared::new(hash_of),
        }
    }

    /// What is known of the session at a place.
    pub(super) fn facts(&self, slot: Slot) -> Option<SessionFacts<'_>> {
        let live = self.sessions.get(slot)?;
        Some(SessionFacts {
            now: self.now,
            identity: &self.people.get(live.person)?.identity,
            device: &self.devices.get(live.device)?.device,
            session: &live.session,
            open_windows: &self.open_windows,
            approved: &NOTHING_APPROVED,
            site: self.site.as_ref()?,
        })
    }

    /// What the session at a place is granted; `None` if nothing was decided yet.
    pub(super) fn row(&self, slot: Slot) -> Option<&Arc<Row>> {
        self.classes.get(self.sessions.get(slot)?.class?).map(|class| class.row())
    }

    /// What a gateway is to have installed; nothing if the site does not declare it, or its key was revoked.
    pub(super) fn roster(&self, gateway: &GatewayState) -> Roster {
        let group = gateway.group.as_ref().filter(|_| !gateway.is_barred);
        let artefacts = group.and_then(|group| self.groups.get(group));
        artefacts.map(|artefacts| artefacts.roster().clone()).unwrap_or_default()
    }

    /// What each gateway is to have installed.
    pub(super) fn rosters(&self) -> BTreeMap<GatewayId, Roster> {
        self.gateways.iter().map(|(id, gateway)| (id.clone(), self.roster(gateway))).collect()
    }

    /// Raises the generation of every gateway to which something happened in this round.
    pub(super) fn settle(&mut self, round: &mut Round) {
        match round.rosters_before.take() {
            None => self.note_changes(round),
            Some(before) => {
                self.groups.values_mut().for_each(|artefacts| _ = artefacts.settle());
                let nothing = Roster::default();
                for (id, roster) in self.rosters() {
                    if *before.get(&id).unwrap_or(&nothing) != roster {
                        round.moved.insert(id);
                    }
                }
            }
        }
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
        for (group, artefacts) in &mut self.groups {
            if artefacts.settle() {
                let members =
                    self.gateways.iter().filter(|(_, gateway)| gateway.group.as_ref() == Some(group));
                round.moved.extend(members.map(|(id, _)| id.clone()));
            }
        }
    }
}
