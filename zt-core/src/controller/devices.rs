//! Devices are enrolled, report and are removed.

use std::sync::Arc;

use crate::device::{
    Device, DeviceAddresses, FactValue, Facts, Finding, HeldFact, KeyBinding, MAX_FACT_BYTES,
    MAX_REPORT_FACTS, PostureFact,
};
use crate::grant::Refusal;
use crate::id::DeviceId;
use crate::identity::Subject;
use crate::session::EndReason;
use crate::store::Shared;

use super::keys::KeyOwner;
use super::round::Round;
use super::state::{EnrolledDevice, State};

impl State {
    pub(super) fn enrol_device(
        &mut self,
        id: &DeviceId,
        owner: &Subject,
        key: KeyBinding,
    ) -> Result<(), Refusal> {
        if let Some(present) = self.devices.of(id) {
            let same = present.device.owner == *owner && present.device.key == key;
            return if same { Ok(()) } else { Err(Refusal::DeviceConflict(id.clone())) };
        }
        let known = self.people.of(owner).map(|person| &person.identity.subject);
        let owner = known.unwrap_or(owner).clone();
        if let KeyBinding::Pinned(public_key) = key {
            self.keys.claim(public_key, KeyOwner::Device(id.clone(), owner.clone()))?;
        }
        let (addresses, facts) = (DeviceAddresses::default(), Facts::default());
        let device = Device { id: id.clone(), owner, key, addresses, facts };
        let _slot = self.devices.insert(EnrolledDevice { device, session: None });
        Ok(())
    }

    pub(super) fn remove_device(&mut self, id: &DeviceId, round: &mut Round) -> Result<(), Refusal> {
        let slot = self.devices.find(id).ok_or_else(|| Refusal::UnknownDevice(id.clone()))?;
        if let Some(session) = self.devices.get(slot).and_then(|enrolled| enrolled.session) {
            self.end_session(session, EndReason::Revoke, round);
        }
        if let Some(EnrolledDevice { device, .. }) = self.devices.remove(slot) {
            self.addresses.release(device.addresses, self.now);
        }
        Ok(())
    }

    /// Takes over what was found on a device. Facts that are as they were only get a newer instant.
    pub(super) fn report_posture(
        &mut self,
        id: &DeviceId,
        facts: &[PostureFact],
        round: &mut Round,
    ) -> Result<(), Refusal> {
        let declared = &self.site.as_ref().ok_or(Refusal::NoSite)?.facts;
        let unknown = || Refusal::UnknownDevice(id.clone());
        let slot = self.devices.find(id).ok_or_else(unknown)?;
        if !is_well_formed(facts) {
            return Err(Refusal::MalformedReport(id.clone()));
        }
        let EnrolledDevice { device, session } = self.devices.get_mut(slot).ok_or_else(unknown)?;
        let mut new = Vec::new();
        for fact in facts.iter().filter(|fact| declared.contains_key(&fact.name)) {
            match device.facts.get_mut(&fact.name) {
                Some(held) if fact.observed_at < held.observed_at && held.observed_at <= self.now => {}
                Some(held) => {
                    held.observed_at = fact.observed_at;
                    if !held.finding.is_of(fact) {
                        held.finding = share(&mut self.findings, fact);
                    }
                }
                None => {
                    let finding = share(&mut self.findings, fact);
                    new.push(HeldFact { finding, observed_at: fact.observed_at });
                }
            }
        }
        device.facts.extend(new);
        if let Some(slot) = *session
            && let Some(live) = self.sessions.get(slot)
        {
            round.mark(slot, live.session.id, EndReason::Revoke);
        }
        Ok(())
    }
}

fn share(findings: &mut Shared<Finding>, fact: &PostureFact) -> Arc<Finding> {
    findings.share(Finding::hash_of(fact), |known| known.is_of(fact), || Arc::new(fact.into()))
}

/// Whether a report names nothing twice, and keeps to the limits.
fn is_well_formed(facts: &[PostureFact]) -> bool {
    let fits = |fact: &PostureFact| match &fact.value {
        FactValue::String(text) => text.len().max(fact.source.len()) <= MAX_FACT_BYTES,
        FactValue::Bool(_) | FactValue::Long(_) => fact.source.len() <= MAX_FACT_BYTES,
    };
    let is_repeated = |(place, fact): (usize, &PostureFact)| {
        facts.iter().take(place).any(|earlier| earlier.name == fact.name)
    };
    facts.len() <= MAX_REPORT_FACTS && facts.iter().all(fits) && !facts.iter().enumerate().any(is_repeated)
}
