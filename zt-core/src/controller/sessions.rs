//! Sessions start, are suspended and restored, and end.

use crate::compile::Holder;
use crate::device::KeyBinding;
use crate::event::Login;
use crate::grant::Refusal;
use crate::id::{SessionEpoch, SessionId};
use crate::identity::{Account, Subject};
use crate::session::{EndReason, Session, SessionState};

use super::state::{Round, State, Timer};

impl State {
    /// Starts a session in place of the one that the device may have; in place of a suspended one it starts suspended.
    pub(super) fn start_session(&mut self, login: &Login, round: &mut Round) -> Result<(), Refusal> {
        let at = round.outcome.at;
        let site = self.site.as_ref().ok_or(Refusal::NoSite)?;
        let (max_session, pools) = (site.max_session, site.pools);
        self.check_login(login)?;
        if login.ends_at <= at || login.ends_at > at.after(max_session) {
            return Err(Refusal::SessionEnd(login.ends_at));
        }
        let device =
            self.devices.get(&login.device).ok_or_else(|| Refusal::UnknownDevice(login.device.clone()))?;
        let addresses = match device.addresses {
            present if present.iter().next().is_some() => present,
            _ => self.addresses.allocate(&pools, at).ok_or(Refusal::PoolExhausted)?,
        };
        self.claim_key(login.public_key, (&login.device, &login.subject))?;
        let mut state = SessionState::Active;
        if let Some(present) = self.session_of_device.get(&login.device).copied() {
            state = self.sessions.get(&present).map_or(state, |present| present.state);
            self.end_session(present, EndReason::Revoke, round);
        }
        let id = SessionId(round.outcome.seq.0);
        let session = Session {
            id,
            subject: login.subject.clone(),
            device: login.device.clone(),
            public_key: login.public_key,
            assurance: login.assurance.clone(),
            started_at: at,
            ends_at: login.ends_at,
            state,
            epoch: SessionEpoch::default(),
        };
        if let Some(device) = self.devices.get_mut(&login.device) {
            device.addresses = addresses;
        }
        self.timers.set(Timer::SessionEnd(id), session.ends_at);
        self.session_of_device.insert(session.device.clone(), id);
        self.sessions_of_subject.entry(session.subject.clone()).or_default().insert(id);
        self.sessions.insert(id, session);
        round.outcome.started = Some(id);
        round.mark(id, EndReason::Revoke);
        Ok(())
    }

    fn check_login(&self, login: &Login) -> Result<(), Refusal> {
        let identity = self.identities.get(&login.subject);
        let identity = identity.ok_or_else(|| Refusal::UnknownSubject(login.subject.clone()))?;
        if identity.account == Account::Disabled {
            return Err(Refusal::AccountDisabled(login.subject.clone()));
        }
        if login.assurance.authenticated_at < identity.revoked_at {
            return Err(Refusal::LoginRevoked(login.assurance.authenticated_at));
        }
        let device = self.devices.get(&login.device);
        let device = device.ok_or_else(|| Refusal::UnknownDevice(login.device.clone()))?;
        if device.owner != login.subject {
            return Err(Refusal::NotOwner(login.device.clone()));
        }
        if matches!(device.key, KeyBinding::Pinned(key) if key != login.public_key) {
            return Err(Refusal::KeyNotPinned(login.public_key));
        }
        self.check_key(login.public_key, (&login.device, &login.subject))
    }

    /// Suspends or restores a session. Its grants stay as they are; gateways take its sources out or put them back.
    pub(super) fn set_suspension(&mut self, id: SessionId, wanted: SessionState) -> Result<(), Refusal> {
        self.live(id)?;
        let Some(session) = self.sessions.get_mut(&id).filter(|session| session.state != wanted) else {
            return Ok(());
        };
        session.state = wanted;
        if wanted == SessionState::Suspended {
            session.epoch = session.epoch.next();
        }
        if let Some(holder) = self.holder(id) {
            self.groups.values_mut().for_each(|artefacts| artefacts.update(&holder));
        }
        Ok(())
    }

    /// Ends a session with all its grants, if it lives.
    pub(super) fn end_session(&mut self, id: SessionId, reason: EndReason, round: &mut Round) {
        self.end_grants(id, reason, round);
        let Some(session) = self.sessions.remove(&id) else { return };
        self.timers.stop(&Timer::SessionEnd(id));
        self.timers.stop(&Timer::Decide(id));
        self.session_of_device.remove(&session.device);
        if let Some(sessions) = self.sessions_of_subject.get_mut(&session.subject) {
            sessions.remove(&id);
            if sessions.is_empty() {
                self.sessions_of_subject.remove(&session.subject);
            }
        }
        round.dirty.remove(&id);
        round.outcome.ended_sessions.insert(id, reason);
    }

    /// Ends every grant of a session.
    fn end_grants(&mut self, id: SessionId, reason: EndReason, round: &mut Round) {
        let resources: Vec<_> =
            self.grants.get(&id).map(|held| held.keys().cloned().collect()).unwrap_or_default();
        for resource in resources {
            self.end_grant(id, &resource, reason, round);
        }
    }

    /// Says that a session lives.
    pub(super) fn live(&self, id: SessionId) -> Result<(), Refusal> {
        if self.sessions.contains_key(&id) { Ok(()) } else { Err(Refusal::UnknownSession(id)) }
    }

    /// The live sessions of a person.
    pub(super) fn sessions_of(&self, subject: &Subject) -> Vec<SessionId> {
        self.sessions_of_subject.get(subject).map(|ids| ids.iter().copied().collect()).unwrap_or_default()
    }

    /// A live session as gateways see it.
    pub(super) fn holder(&self, id: SessionId) -> Option<Holder> {
        let session = self.sessions.get(&id)?;
        Some(Holder::new(session, self.devices.get(&session.device)?.addresses))
    }
}
