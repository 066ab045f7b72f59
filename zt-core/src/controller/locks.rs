//! Locks come and go, and shut out whom and what they name.

use std::collections::BTreeMap;

use crate::access::is_reason;
use crate::grant::Refusal;
use crate::id::ResourceId;
use crate::identity::Identity;
use crate::lock::{Lock, LockEnd, LockTarget, MAX_LOCKS};
use crate::session::EndReason;
use crate::store::Slot;

use super::keys::KeyOwner;
use super::round::Round;
use super::state::{LiveSession, State};
use super::timers::Timer;

/// The locks in force.
pub(super) type Locks = BTreeMap<LockTarget, Lock>;

impl State {
    /// Sets a lock, in place of the one that the target may have.
    pub(super) fn lock(
        &mut self,
        target: &LockTarget,
        lock: &Lock,
        round: &mut Round,
    ) -> Result<(), Refusal> {
        if !is_reason(&lock.reason) {
            return Err(Refusal::Reason);
        }
        if let LockEnd::At(at) = lock.end
            && at <= round.outcome.at
        {
            return Err(Refusal::Over(at));
        }
        if self.locks.len() >= MAX_LOCKS && !self.locks.contains_key(target) {
            return Err(Refusal::TooManyLocks);
        }
        match lock.end {
            LockEnd::At(at) => self.timers.set(&Timer::LockEnd(target.clone()), at),
            LockEnd::WhenLifted => self.timers.stop(&Timer::LockEnd(target.clone())),
        }
        if self.locks.insert(target.clone(), lock.clone()).is_none() {
            self.mark_concerned(target, EndReason::Revoke, round);
        }
        Ok(())
    }

    /// Lifts a lock.
    pub(super) fn unlock(&mut self, target: &LockTarget, round: &mut Round) -> Result<(), Refusal> {
        if self.locks.remove(target).is_none() {
            return Err(Refusal::NotLocked(target.clone()));
        }
        self.timers.stop(&Timer::LockEnd(target.clone()));
        self.mark_concerned(target, EndReason::Withdraw, round);
        Ok(())
    }

    /// The lock that leaves the session at a place without any grant, if there is one.
    pub(super) fn lock_on(&self, slot: Slot) -> Option<(&LockTarget, &Lock)> {
        if self.locks.is_empty() {
            return None;
        }
        let live = self.sessions.get(slot)?;
        let own = [LockTarget::Device(live.session.device.clone()), LockTarget::Key(live.session.public_key)];
        let own = own.iter().find_map(|target| self.locks.get_key_value(target));
        own.or_else(|| self.lock_on_person(&self.people.get(live.person)?.identity))
    }

    /// The lock on a person or a group of theirs, if there is one.
    pub(super) fn lock_on_person(&self, identity: &Identity) -> Option<(&LockTarget, &Lock)> {
        if self.locks.is_empty() {
            return None;
        }
        let groups = identity.profile.groups.iter().map(|group| LockTarget::Group(group.clone()));
        let mut targets = std::iter::once(LockTarget::User(identity.subject.clone())).chain(groups);
        targets.find_map(|target| self.locks.get_key_value(&target))
    }

    /// The lock on a resource, if there is one.
    pub(super) fn lock_on_resource(&self, resource: &ResourceId) -> Option<(&LockTarget, &Lock)> {
        if self.locks.is_empty() {
            return None;
        }
        self.locks.get_key_value(&LockTarget::Resource(resource.clone()))
    }

    /// Has every session looked at again that a lock on `target` concerns. Only for groups and resources does it go
    /// through all sessions.
    fn mark_concerned(&mut self, target: &LockTarget, reason: EndReason, round: &mut Round) {
        match target {
            LockTarget::User(subject) => self.mark_person(subject, reason, round),
            LockTarget::Device(device) => {
                self.mark_where(self.devices.of(device).and_then(|device| device.session), reason, round);
            }
            LockTarget::Key(key) => {
                let session = match self.keys.owner(key) {
                    Some(KeyOwner::Device(device, _)) => {
                        self.devices.of(device).and_then(|device| device.session)
                    }
                    Some(KeyOwner::Gateway(_)) | None => None,
                };
                self.mark_where(session, reason, round);
            }
            LockTarget::Group(group) => {
                let is_in = |live: &LiveSession| {
                    let person = self.people.get(live.person);
                    person.is_some_and(|person| person.identity.profile.groups.contains(group.as_str()))
                };
                let concerned = self.sessions.iter().filter(|(_, live)| is_in(live));
                concerned.for_each(|(slot, live)| round.mark(slot, live.session.id, reason));
            }
            LockTarget::Resource(_) => {
                // What classes are granted depends on which resources are locked.
                self.classes.outdate();
                round.mark_all(self, reason);
            }
        }
    }

    fn mark_where(&self, slot: Option<Slot>, reason: EndReason, round: &mut Round) {
        if let Some((slot, live)) = slot.and_then(|slot| Some((slot, self.sessions.get(slot)?))) {
            round.mark(slot, live.session.id, reason);
        }
    }
}
