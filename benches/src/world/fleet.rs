//! People and their devices, as the entries that tell of them; made on the fly, for there may be a million.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use zt_core::controller::Controller;
use zt_core::decide::Decide;
use zt_core::device::{FactStatus, FactValue, KeyBinding, PostureFact, Tier};
use zt_core::event::{Entry, Event, Login, PolicySource, SiteSource};
use zt_core::grant::Outcome;
use zt_core::id::{DeviceId, FactName, Issuer, NameError, SessionId};
use zt_core::identity::{Assurance, Mfa, Subject};
use zt_core::key::{PrivateKey, PublicKey};
use zt_core::time::Timestamp;

use super::{BEGIN, GROUPS_OF_PERSON, ISSUER, group};
use crate::Error;

/// How many sets of groups people have.
pub const COMBINATIONS: usize = 20;

/// The groups of the person with this number, in steps of 20: five of the hundred.
pub fn groups_of(person: usize) -> impl Iterator<Item = usize> {
    (0..GROUPS_OF_PERSON).map(move |step| person % COMBINATIONS + step * COMBINATIONS)
}

/// The person with this number.
///
/// # Errors
/// Never: the names are valid.
pub fn subject(person: usize) -> Result<Subject, Error> {
    let name = |error: NameError| Error::world("names", error);
    Subject::new(Issuer::new(ISSUER).map_err(name)?, &format!("user-{person:07}")).map_err(name)
}

/// The device of the person with this number.
///
/// # Errors
/// Never: the names are valid.
pub fn device(person: usize) -> Result<DeviceId, Error> {
    DeviceId::new(&format!("device-{person:07}")).map_err(|error| Error::world("names", error))
}

/// The key of that device.
#[must_use]
pub fn key(person: usize) -> PublicKey {
    let mut bytes = [7; 32];
    // Not from the first byte on, whose lowest bits are of no meaning in a private key.
    for (byte, of) in bytes.iter_mut().skip(8).zip(person.to_le_bytes()) {
        *byte = of;
    }
    // From a private key: to check a public one takes three times as long, and a million of them minutes.
    PrivateKey::from_bytes(bytes).public_key()
}

/// What a provider says of a person who is in these groups.
///
/// # Errors
/// Never: the names are valid.
pub fn identity(person: usize, groups: impl Iterator<Item = usize>) -> Result<Event, Error> {
    let claims: BTreeSet<String> = groups.map(group).collect();
    Ok(Event::IdentityObserved { subject: subject(person)?, claims, attributes: BTreeMap::new() })
}

/// What is true of a device: the facts that differ between devices of a fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// The version of its operating system.
    pub os_version: i64,
    /// Whether the disk is encrypted.
    pub disk_encrypted: bool,
    /// Whether the firmware checks what it starts.
    pub secure_boot: bool,
    /// How risky somebody holds it to be.
    pub risk: i64,
}

/// How many kinds of devices there are in a fleet that has as many as it may: with the combinations of groups 2,000
/// classes of sessions.
pub const KINDS: usize = 100;

impl Health {
    /// That of the device of the person with this number, in a fleet of so many kinds of devices.
    ///
    /// All meet every permit and both forbids; in one kind the firmware does not check what it starts.
    #[must_use]
    pub fn of(person: usize, kinds: usize) -> Self {
        let kind = person / COMBINATIONS % kinds.max(1);
        let number = |number: usize| i64::try_from(number).unwrap_or(0);
        Self {
            os_version: 20 + number(kind % 20),
            disk_encrypted: true,
            secure_boot: kind != 0,
            risk: number(kind / 20) * 10,
        }
    }
}

/// One fact.
///
/// # Errors
/// If `name` is no name.
pub fn fact(name: &str, pass: bool, value: FactValue, at: Timestamp) -> Result<PostureFact, Error> {
    Ok(PostureFact {
        name: FactName::new(name).map_err(|error| Error::world("names", error))?,
        status: if pass { FactStatus::Pass } else { FactStatus::Fail },
        value,
        source: format!("agent:{name}"),
        tier: Tier::SelfAsserted,
        observed_at: at,
    })
}

/// A report of all eight facts.
///
/// # Errors
/// Never: the names are valid.
pub fn report(person: usize, health: Health, at: Timestamp) -> Result<Event, Error> {
    let facts = vec![
        fact("disk_encrypted", health.disk_encrypted, FactValue::Bool(health.disk_encrypted), at)?,
        fact("edr_running", true, FactValue::Bool(true), at)?,
        fact("kernel", true, FactValue::String("6.12.57+deb13-amd64".to_owned()), at)?,
        fact("managed", true, FactValue::Bool(true), at)?,
        fact("os_version", true, FactValue::Long(health.os_version), at)?,
        fact("reboot_required", true, FactValue::Bool(false), at)?,
        fact("risk", true, FactValue::Long(health.risk), at)?,
        fact("secure_boot", health.secure_boot, FactValue::Bool(health.secure_boot), at)?,
    ];
    Ok(Event::PostureReported { device: device(person)?, facts })
}

/// A controller with the entries that it is given.
#[derive(Debug)]
pub struct Fleet<D> {
    /// The controller.
    pub controller: Controller<D>,
    /// How many kinds of devices there are.
    pub kinds: usize,
}

impl<D: Decide> Fleet<D> {
    /// A controller with a site and policies, and nobody.
    ///
    /// # Errors
    /// If the site or the policies are refused.
    pub fn new(decide: D, site: SiteSource, policies: PolicySource) -> Result<Self, Error> {
        let mut fleet = Self { controller: Controller::new(decide), kinds: KINDS };
        fleet.tell(Event::SiteLoaded(site))?;
        fleet.tell(Event::PolicyLoaded(policies))?;
        Ok(fleet)
    }

    /// The entry of this event, at the next place.
    pub fn entry(&self, event: Event) -> Entry {
        let at = self.controller.now().max(Timestamp::from_millis(BEGIN));
        Entry { seq: self.controller.next_seq(), at, event }
    }

    /// Has an event handled.
    ///
    /// # Errors
    /// If it is refused.
    pub fn submit(&mut self, event: Event) -> Result<Outcome, Error> {
        let entry = self.entry(event);
        accepted(self.controller.handle(&entry))
    }

    /// Has an event handled, of which no more is wanted than that it is not refused.
    ///
    /// # Errors
    /// If it is refused.
    pub fn tell(&mut self, event: Event) -> Result<(), Error> {
        self.submit(event).map(drop)
    }

    /// Brings a person in, with a device, its facts and a login; the second factor is up to an hour old.
    ///
    /// # Errors
    /// If one of the events is refused.
    pub fn bring(&mut self, person: usize) -> Result<SessionId, Error> {
        self.bring_in(person, groups_of(person))
    }

    /// As [`bring`](Self::bring), but in these groups.
    ///
    /// # Errors
    /// If one of the events is refused.
    pub fn bring_in(
        &mut self,
        person: usize,
        groups: impl Iterator<Item = usize>,
    ) -> Result<SessionId, Error> {
        let (owner, id, public_key) = (subject(person)?, device(person)?, key(person));
        let now = self.controller.now();
        self.tell(identity(person, groups)?)?;
        let enrolled =
            Event::DeviceEnrolled { device: id.clone(), owner: owner.clone(), key: KeyBinding::AtLogin };
        self.tell(enrolled)?;
        self.tell(report(person, Health::of(person, self.kinds), now)?)?;
        let age = i64::try_from(person % 3_600).unwrap_or(0) * 1_000;
        let mfa = Timestamp::from_millis(now.as_millis() - age);
        let login = Login {
            subject: owner,
            device: id,
            public_key,
            assurance: Assurance { authenticated_at: mfa, mfa: Mfa::At(mfa), acr: "mfa".into() },
            ends_at: now.after(Duration::from_hours(10)),
        };
        let started = self.submit(Event::SessionStarted(login))?.started;
        started.ok_or_else(|| Error::world("controller", "a login started no session"))
    }
}

/// The outcome, unless it is a refusal.
///
/// # Errors
/// If the entry was refused.
pub fn accepted(outcome: Outcome) -> Result<Outcome, Error> {
    match outcome.refusal {
        Some(refusal) => Err(Error::Refused { seq: outcome.seq.0, refusal }),
        None => Ok(outcome),
    }
}
