//! Sessions start, are suspended and restored, and end.

use std::sync::Arc;

use crate::desired::Holder;
use crate::device::{Device, KeyBinding};
use crate::event::Login;
use crate::grant::Refusal;
use crate::id::{SessionEpoch, SessionId};
use crate::identity::{Account, Assurance};
use crate::session::{EndReason, Session, SessionState};
use crate::store::Slot;

use super::keys::KeyOwner;
use super::round::Round;
use super::state::{LiveSession, State};
use super::timers::Timer;

impl State {
    /// Starts a session in place of the one that the device may have; in place of a suspended one it starts suspended.
    pub(super) fn start_session(&mut self, login: &Login, round: &mut Round) -> Result<(), Refusal> {
        let at = round.outcome.at;
        let site = self.site.as_ref().ok_or(Refusal::NoSite)?;
        let (max_session, pools) = (site.max_session, site.pools);
        let (person, device) = self.check_login(login)?;
        if login.ends_at <= at || login.ends_at > at.after(max_session) {
            return Err(Refusal::SessionEnd(login.ends_at));
        }
        let unknown = || Refusal::UnknownDevice(login.device.clone());
        let enrolled = self.devices.get(device).ok_or_else(unknown)?;
        let (held, addresses, id) = (enrolled.session, enrolled.device.addresses, enrolled.device.id.clone());
        let addresses = match addresses {
            present if present.iter().next().is_some() => present,
            _ => self.addresses.allocate(&pools, at).ok_or(Refusal::PoolExhausted)?,
        };
        let identity = self.people.get(person).map(|person| &person.identity.subject);
        let subject = identity.unwrap_or(&login.subject).clone();
        self.keys.claim(login.public_key, KeyOwner::Device(id.clone(), subject.clone()))?;
        let mut state = SessionState::Active;
        if let Some(present) = held {
            state = self.sessions.get(present).map_or(state, |present| present.session.state);
            self.end_session(present, EndReason::Revoke, round);
        }
        let acr = self.text(&login.assurance.acr);
        let session = Session {
            id: SessionId(round.outcome.seq.0),
            subject: subject.clone(),
            device: id,
            public_key: login.public_key,
            assurance: Assurance { acr, ..login.assurance.clone() },
            started_at: at,
            ends_at: login.ends_at,
            state,
            epoch: SessionEpoch::default(),
        };
        if let Some(enrolled) = self.devices.get_mut(device) {
            enrolled.device.addresses = addresses;
            enrolled.device.owner = subject;
        }
        self.add_session(session, (person, device), round);
        Ok(())
    }

    /// The places of the person and the device, if they may have a session by this login.
    fn check_login(&self, login: &Login) -> Result<(Slot, Slot), Refusal> {
        let unknown = || Refusal::UnknownSubject(login.subject.clone());
        let person = self.people.find(&login.subject).ok_or_else(unknown)?;
        let identity = &self.people.get(person).ok_or_else(unknown)?.identity;
        if identity.account == Account::Disabled {
            return Err(Refusal::AccountDisabled(login.subject.clone()));
        }
        if login.assurance.authenticated_at < identity.revoked_at {
            return Err(Refusal::LoginRevoked(login.assurance.authenticated_at));
        }
        let unknown = || Refusal::UnknownDevice(login.device.clone());
        let slot = self.devices.find(&login.device).ok_or_else(unknown)?;
        let Device { owner, key, .. } = &self.devices.get(slot).ok_or_else(unknown)?.device;
        if *owner != login.subject {
            return Err(Refusal::NotOwner(login.device.clone()));
        }
        if matches!(key, KeyBinding::Pinned(key) if *key != login.public_key) {
            return Err(Refusal::KeyNotPinned(login.public_key));
        }
        let owner = KeyOwner::Device(login.device.clone(), login.subject.clone());
        self.keys.check(login.public_key, &owner)?;
        Ok((person, slot))
    }

    fn add_session(&mut self, session: Session, (person, device): (Slot, Slot), round: &mut Round) {
        let (id, ends_at) = (session.id, session.ends_at);
        let next = self.people.get(person).and_then(|person| person.first_session);
        let (previous, class, holder, approved) = (None, None, None, None);
        let live = LiveSession { session, person, device, next, previous, class, holder, approved };
        let Some(slot) = self.sessions.insert(live) else { return };
        if let Some(next) = next.and_then(|next| self.sessions.get_mut(next)) {
            next.previous = Some(slot);
        }
        if let Some(person) = self.people.get_mut(person) {
            person.first_session = Some(slot);
        }
        if let Some(enrolled) = self.devices.get_mut(device) {
            enrolled.session = Some(slot);
        }
        self.timers.set(&Timer::SessionEnd(slot), ends_at);
        round.outcome.started = Some(id);
        round.mark(slot, id, EndReason::Revoke);
    }

    /// Suspends or restores a session. Its grants stay as they are; gateways take its sources out or put them back.
    pub(super) fn set_suspension(&mut self, id: SessionId, wanted: SessionState) -> Result<(), Refusal> {
        let slot = self.live(id)?;
        let Some(live) = self.sessions.get_mut(slot).filter(|live| live.session.state != wanted) else {
            return Ok(());
        };
        live.session.state = wanted;
        if wanted == SessionState::Suspended {
            live.session.epoch = live.session.epoch.next();
        }
        if live.holder.take().is_some()
            && let Some(holder) = self.holder(slot)
        {
            self.groups.values_mut().for_each(|artefacts| artefacts.update(slot, &holder));
        }
        Ok(())
    }

    /// Ends the session at a place with all its grants, if there is one.
    pub(super) fn end_session(&mut self, slot: Slot, reason: EndReason, round: &mut Round) {
        let approved = self.drop_approved(slot);
        let row = self.row(slot).map(Arc::clone);
        let Some(LiveSession { session, person, device, next, previous, class, .. }) =
            self.sessions.remove(slot)
        else {
            return;
        };
        round.outcome.ended.extend(approved.into_iter().map(|resource| ((session.id, resource), reason)));
        if let Some(row) = row {
            let ended = row.granted.iter().map(|granted| ((session.id, granted.resource.clone()), reason));
            round.outcome.ended.extend(ended);
            for (group, _) in &row.reaches {
                if let Some(artefacts) = self.groups.get_mut(group) {
                    artefacts.unseat(slot);
                }
            }
        }
        class.into_iter().for_each(|class| self.classes.leave(class));
        self.timers.stop(&Timer::SessionEnd(slot));
        self.timers.stop(&Timer::Decide(slot));
        if let Some(enrolled) = self.devices.get_mut(device) {
            enrolled.session = None;
        }
        if let Some(next) = next.and_then(|next| self.sessions.get_mut(next)) {
            next.previous = previous;
        }
        match previous {
            Some(previous) => {
                if let Some(previous) = self.sessions.get_mut(previous) {
                    previous.next = next;
                }
            }
            None => {
                if let Some(person) = self.people.get_mut(person) {
                    person.first_session = next;
                }
            }
        }
        round.outcome.ended_sessions.insert(session.id, reason);
    }

    /// The place of a session that lives.
    pub(super) fn live(&self, id: SessionId) -> Result<Slot, Refusal> {
        self.sessions.find(&id).ok_or(Refusal::UnknownSession(id))
    }

    /// What gateways see of the session at a place.
    pub(super) fn holder(&mut self, slot: Slot) -> Option<Arc<Holder>> {
        let live = self.sessions.get_mut(slot)?;
        let addresses = self.devices.get(live.device)?.device.addresses;
        let holder = live.holder.get_or_insert_with(|| Arc::new(Holder::new(&live.session, addresses)));
        Some(Arc::clone(holder))
    }
}
