//! What providers say of people.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::event::IdentityEvent;
use crate::grant::Refusal;
use crate::identity::{Account, AttributeValue, Identity, Profile, Subject};
use crate::session::EndReason;
use crate::store::{Slot, hash_of};
use crate::time::Timestamp;

use super::round::Round;
use super::state::{Person, State};

impl State {
    /// Takes over what is known of a person; if it is the same as before, nothing happens.
    pub(super) fn observe_identity(
        &mut self,
        subject: &Subject,
        claims: &BTreeSet<String>,
        attributes: &BTreeMap<String, AttributeValue>,
        round: &mut Round,
    ) {
        round.outcome.ignored_claims = self.claimed.ignored(subject, claims.iter().map(String::as_str));
        let known = self.people.find(subject);
        let person = known.and_then(|slot| self.people.get(slot));
        if person.is_some_and(|person| says(&person.identity.profile, claims, attributes)) {
            return;
        }
        let groups = self.claimed.groups(subject, claims.iter().map(String::as_str));
        let claims = claims.iter().map(|claim| self.text(claim)).collect();
        let profile = Profile { claims, groups, attributes: attributes.clone() };
        let profile = self.profiles.keep(Arc::new(profile));
        match known {
            None => self.add_person(subject, profile),
            Some(slot) => {
                if let Some(person) = self.people.get_mut(slot) {
                    person.identity.profile = profile;
                }
                self.sessions_of(slot)
                    .into_iter()
                    .for_each(|(slot, id)| round.mark(slot, id, EndReason::Revoke));
            }
        }
    }

    pub(super) fn handle_identity_event(
        &mut self,
        event: &IdentityEvent,
        round: &mut Round,
    ) -> Result<(), Refusal> {
        let (subject, account) = match event {
            IdentityEvent::SessionRevoked { subject } => (subject, None),
            IdentityEvent::AccountDisabled { subject } => (subject, Some(Account::Disabled)),
            IdentityEvent::AccountEnabled { subject } => (subject, Some(Account::Enabled)),
        };
        if account == Some(Account::Disabled) && self.people.find(subject).is_none() {
            self.observe_identity(subject, &BTreeSet::new(), &BTreeMap::new(), round);
        }
        let unknown = || Refusal::UnknownSubject(subject.clone());
        let slot = self.people.find(subject).ok_or_else(unknown)?;
        let person = self.people.get_mut(slot).ok_or_else(unknown)?;
        person.identity.account = account.unwrap_or(person.identity.account);
        if account != Some(Account::Enabled) {
            person.identity.revoked_at = round.outcome.at;
            let account = person.identity.account;
            self.forget_person(subject, account, round);
            for (session, _) in self.sessions_of(slot) {
                self.end_session(session, EndReason::Revoke, round);
            }
        }
        Ok(())
    }

    /// Works out everybody's groups again, for a site that was loaded anew.
    pub(super) fn regroup_people(&mut self) {
        for person in self.people.values_mut() {
            let Identity { subject, profile, .. } = &mut person.identity;
            let groups = self.claimed.groups(subject, profile.claims.iter().map(|claim| &**claim));
            if profile.groups != groups {
                let regrouped = Profile { groups, ..(**profile).clone() };
                *profile = self.profiles.keep(Arc::new(regrouped));
            }
        }
    }

    /// A text that many have, kept once.
    pub(super) fn text(&mut self, text: &str) -> Arc<str> {
        self.texts.share(hash_of(text), |known| known == text, || text.into())
    }

    /// The live sessions of a person, in the order of their start.
    pub(super) fn sessions_of(&self, person: Slot) -> Vec<(Slot, crate::id::SessionId)> {
        let first = self.people.get(person).and_then(|person| person.first_session);
        let next = |slot: &Slot| self.sessions.get(*slot).and_then(|live| live.next);
        let slots = std::iter::successors(first, next);
        let mut sessions: Vec<_> =
            slots.filter_map(|slot| Some((slot, self.sessions.get(slot)?.session.id))).collect();
        sessions.sort_unstable_by_key(|(_, id)| *id);
        sessions
    }

    fn add_person(&mut self, subject: &Subject, profile: Arc<Profile>) {
        let issuer = self.issuers.get(subject.issuer()).cloned().unwrap_or_else(|| {
            self.issuers.insert(subject.issuer().clone());
            subject.issuer().clone()
        });
        let (account, revoked_at) = (Account::Enabled, Timestamp::default());
        let identity = Identity { subject: subject.with_issuer(issuer), profile, account, revoked_at };
        let _slot = self.people.insert(Person { identity, first_session: None });
    }
}

/// Whether a profile was made of just this.
fn says(profile: &Profile, claims: &BTreeSet<String>, attributes: &BTreeMap<String, AttributeValue>) -> bool {
    profile.claims.iter().map(|claim| &**claim).eq(claims.iter().map(String::as_str))
        && profile.attributes == *attributes
}
