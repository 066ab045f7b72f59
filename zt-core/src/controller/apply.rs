//! What each event does. Every function checks first and changes afterwards.

use std::net::SocketAddr;

use crate::decide::Decide;
use crate::event::Event;
use crate::grant::Refusal;
use crate::id::GatewayId;
use crate::key::PublicKey;
use crate::session::{EndReason, SessionState};

use super::Controller;
use super::keys::KeyOwner;
use super::round::Round;
use super::state::{GatewayState, State};

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
                let slot = state.live(*session)?;
                state.end_session(slot, EndReason::Revoke, round);
                Ok(())
            }
            Event::KeyRevoked { public_key } => {
                state.revoke_key(*public_key, round);
                Ok(())
            }
            Event::AccessRequested(request) => state.request_access(request, round),
            Event::AccessApproved { request, approver } => state.approve_access(*request, approver, round),
            Event::AccessEnded { request } => state.end_access(*request, EndReason::Revoke, round),
            Event::Locked { target, lock } => state.lock(target, lock, round),
            Event::Unlocked { target } => state.unlock(target, round),
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
        self.keys.claim(public_key, KeyOwner::Gateway(id.clone()))?;
        gateway.enrolled = Some((public_key, endpoint));
        gateway.was_enrolled = true;
        if std::mem::take(&mut gateway.is_barred) {
            round.moved.insert(id.clone());
        }
        Ok(())
    }

    fn revoke_key(&mut self, public_key: PublicKey, round: &mut Round) {
        self.keys.revoke(public_key);
        match self.keys.owner(&public_key) {
            Some(KeyOwner::Device(device, _)) => {
                let session = self.devices.of(device).and_then(|enrolled| enrolled.session);
                let uses_it = |slot: &crate::store::Slot| {
                    self.sessions.get(*slot).is_some_and(|live| live.session.public_key == public_key)
                };
                if let Some(slot) = session.filter(uses_it) {
                    self.end_session(slot, EndReason::Revoke, round);
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
