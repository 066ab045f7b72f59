//! What each event does. Every function checks first and changes afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use crate::decide::Decide;
use crate::device::{
    Device, DeviceAddresses, FactValue, Facts, HeldFact, KeyBinding, MAX_FACT_BYTES, MAX_REPORT_FACTS,
    PostureFact,
};
use crate::event::{Event, IdentityEvent};
use crate::grant::Refusal;
use crate::id::{DeviceId, GatewayId};
use crate::identity::{Account, AttributeValue, Identity, Profile, Subject};
use crate::key::PublicKey;
use crate::session::{EndReason, SessionState};

use super::Controller;
use super::state::{GatewayState, KeyOwner, Round, State};

impl<D: Decide> Controller<D> {
    /// Lets an event take effect, up to the decisions that follow from it.
    pub(super) fn apply(&mut self, event: &Event, round: &mut Round) -> Result<(), Refusal> {
        let state = &mut self.state;
        match event {
            Event::SiteLoaded(source) => self.load_site(source, round),
            Event::PolicyLoaded(source) => self.load_policy(source, round),
            Event::GatewayEnrolled { gateway, public_key, endpoint } => {
                state.enrol_gateway(gateway, (*public_key, *endpoint), round)
            }
            Event::IdentityObserved { subject, claims, attributes } => {
                state.observe_identity(subject, claims, attributes, round);
                Ok(())
            }
            Event::Identity(event) => state.handle_identity_event(event, round),
            Event::DeviceEnrolled { device, owner, key } => state.enrol_device(device, owner, *key),
            Event::DeviceRemoved { device } => state.remove_device(device, round),
            Event::PostureReported { device, facts } => state.report_posture(device, facts, round),
            Event::SessionStarted(login) => state.start_session(login, round),
            Event::SessionSuspended { session } => state.set_suspension(*session, SessionState::Suspended),
            Event::SessionRestored { session } => state.set_suspension(*session, SessionState::Active),
            Event::SessionEnded { session } => {
                state.live(*session)?;
                state.end_session(*session, EndReason::Revoke, round);
                Ok(())
            }
            Event::KeyRevoked { public_key } => {
                state.revoke_key(*public_key, round);
                Ok(())
            }
            Event::Tick => Ok(()),
        }
    }
}

impl State {
    fn enrol_gateway(
        &mut self,
        id: &GatewayId,
        (public_key, endpoint): (PublicKey, SocketAddr),
        round: &mut Round,
    ) -> Result<(), Refusal> {
        let declared = self.site.as_ref().ok_or(Refusal::NoSite)?.gateways.get(id);
        let gateway = declared
            .filter(|declared| declared.may_listen_at(endpoint))
            .and_then(|_| self.gateways.get_mut(id))
            .ok_or_else(|| Refusal::UndeclaredGateway { gateway: id.clone(), endpoint })?;
        if self.revoked_keys.contains(&public_key) {
            return Err(Refusal::KeyRevoked(public_key));
        }
        let owner = KeyOwner::Gateway(id.clone());
        if self.keys.get(&public_key).is_some_and(|present| *present != owner) {
            return Err(Refusal::KeyTaken(public_key));
        }
        self.keys.insert(public_key, owner);
        gateway.enrolled = Some((public_key, endpoint));
        gateway.was_enrolled = true;
        if std::mem::take(&mut gateway.is_barred) {
            round.moved.insert(id.clone());
        }
        Ok(())
    }

    fn observe_identity(
        &mut self,
        subject: &Subject,
        claims: &BTreeSet<String>,
        attributes: &BTreeMap<String, AttributeValue>,
        round: &mut Round,
    ) {
        let site = self.site.as_ref();
        let groups = site.map(|site| site.groups_of(subject, claims)).unwrap_or_default();
        round.outcome.ignored_claims = site.map_or(claims.len(), |site| site.ignored_claims(subject, claims));
        let known = self.identities.get(subject);
        let account = known.map_or(Account::Enabled, |known| known.account);
        let revoked_at = known.map(|known| known.revoked_at).unwrap_or_default();
        let claims = claims.iter().map(|claim| claim.as_str().into()).collect();
        let profile = Profile { claims, groups: groups.into(), attributes: attributes.clone() };
        let identity = Identity { subject: subject.clone(), profile: profile.into(), account, revoked_at };
        if self.identities.get(subject) != Some(&identity) {
            self.identities.insert(subject.clone(), identity);
            self.sessions_of(subject).into_iter().for_each(|session| round.mark(session, EndReason::Revoke));
        }
    }

    fn handle_identity_event(&mut self, event: &IdentityEvent, round: &mut Round) -> Result<(), Refusal> {
        let (subject, account) = match event {
            IdentityEvent::SessionRevoked { subject } => (subject, None),
            IdentityEvent::AccountDisabled { subject } => (subject, Some(Account::Disabled)),
            IdentityEvent::AccountEnabled { subject } => (subject, Some(Account::Enabled)),
        };
        if account == Some(Account::Disabled) && !self.identities.contains_key(subject) {
            self.observe_identity(subject, &BTreeSet::new(), &BTreeMap::new(), round);
        }
        let identity =
            self.identities.get_mut(subject).ok_or_else(|| Refusal::UnknownSubject(subject.clone()))?;
        identity.account = account.unwrap_or(identity.account);
        if account != Some(Account::Enabled) {
            identity.revoked_at = round.outcome.at;
            for session in self.sessions_of(subject) {
                self.end_session(session, EndReason::Revoke, round);
            }
        }
        Ok(())
    }

    fn enrol_device(&mut self, id: &DeviceId, owner: &Subject, key: KeyBinding) -> Result<(), Refusal> {
        if let Some(present) = self.devices.get(id) {
            let same = present.owner == *owner && present.key == key;
            return if same { Ok(()) } else { Err(Refusal::DeviceConflict(id.clone())) };
        }
        if let KeyBinding::Pinned(public_key) = key {
            self.claim_key(public_key, (id, owner))?;
        }
        let device = Device {
            id: id.clone(),
            owner: owner.clone(),
            key,
            addresses: DeviceAddresses::default(),
            facts: Facts::default(),
        };
        self.devices.insert(id.clone(), device);
        Ok(())
    }

    fn remove_device(&mut self, id: &DeviceId, round: &mut Round) -> Result<(), Refusal> {
        if !self.devices.contains_key(id) {
            return Err(Refusal::UnknownDevice(id.clone()));
        }
        if let Some(session) = self.session_of_device.get(id).copied() {
            self.end_session(session, EndReason::Revoke, round);
        }
        if let Some(device) = self.devices.remove(id) {
            self.addresses.release(device.addresses, self.now);
        }
        Ok(())
    }

    fn report_posture(
        &mut self,
        id: &DeviceId,
        facts: &[PostureFact],
        round: &mut Round,
    ) -> Result<(), Refusal> {
        let declared = &self.site.as_ref().ok_or(Refusal::NoSite)?.facts;
        let device = self.devices.get_mut(id).ok_or_else(|| Refusal::UnknownDevice(id.clone()))?;
        let mut names = BTreeSet::new();
        let fits = |fact: &PostureFact| match &fact.value {
            FactValue::String(text) => text.len().max(fact.source.len()) <= MAX_FACT_BYTES,
            FactValue::Bool(_) | FactValue::Long(_) => fact.source.len() <= MAX_FACT_BYTES,
        };
        let few = facts.len() <= MAX_REPORT_FACTS;
        if !(few && facts.iter().all(|fact| fits(fact) && names.insert(&fact.name))) {
            return Err(Refusal::MalformedReport(id.clone()));
        }
        let now = self.now;
        for fact in facts.iter().filter(|fact| declared.contains_key(&fact.name)) {
            let is_later =
                |known: &HeldFact| fact.observed_at < known.observed_at && known.observed_at <= now;
            if !device.facts.get(&fact.name).is_some_and(is_later) {
                device.facts.insert(fact.into());
            }
        }
        if let Some(session) = self.session_of_device.get(id) {
            round.mark(*session, EndReason::Revoke);
        }
        Ok(())
    }

    /// Binds a key to a device and its owner for ever, if they may have it.
    pub(super) fn claim_key(
        &mut self,
        public_key: PublicKey,
        (device, owner): (&DeviceId, &Subject),
    ) -> Result<(), Refusal> {
        self.check_key(public_key, (device, owner))?;
        self.keys.insert(public_key, KeyOwner::Device(device.clone(), owner.clone()));
        Ok(())
    }

    /// Says that a key is that of this device under this owner, or nobody's, and was not revoked.
    pub(super) fn check_key(
        &self,
        public_key: PublicKey,
        (device, owner): (&DeviceId, &Subject),
    ) -> Result<(), Refusal> {
        if self.revoked_keys.contains(&public_key) {
            return Err(Refusal::KeyRevoked(public_key));
        }
        match self.keys.get(&public_key) {
            Some(KeyOwner::Device(known, person)) if (known, person) == (device, owner) => Ok(()),
            None => Ok(()),
            Some(_) => Err(Refusal::KeyTaken(public_key)),
        }
    }

    fn revoke_key(&mut self, public_key: PublicKey, round: &mut Round) {
        self.revoked_keys.insert(public_key);
        match self.keys.get(&public_key) {
            Some(KeyOwner::Device(device, _)) => {
                let session = self.session_of_device.get(device).and_then(|id| self.sessions.get(id));
                let session = session.filter(|session| session.public_key == public_key);
                if let Some(session) = session.map(|session| session.id) {
                    self.end_session(session, EndReason::Revoke, round);
                }
            }
            Some(KeyOwner::Gateway(id)) => {
                let gateway = self.gateways.get_mut(id);
                let uses_it = |gateway: &&mut GatewayState| {
                    gateway.enrolled.is_some_and(|(present, _)| present == public_key)
                };
                if let Some(gateway) = gateway.filter(uses_it) {
                    gateway.enrolled = None;
                    gateway.is_barred = true;
                    round.moved.insert(id.clone());
                }
            }
            None => {}
        }
    }
}
