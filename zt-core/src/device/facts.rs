//! The facts that are held of a device.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{FactStatus, FactValue, PostureFact, Tier};
use crate::id::FactName;
use crate::store::hash_of;
use crate::time::Timestamp;

/// What was last reported of a device, at most one fact of each name, in the order of their names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Vec<HeldFact>")]
pub struct Facts(Box<[HeldFact]>);

/// What was found out about a device, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldFact {
    /// What was found; devices of which the same was found share it.
    pub finding: Arc<Finding>,
    /// When it was found.
    pub observed_at: Timestamp,
}

/// One thing that was found out about a device, whenever it was: a [`PostureFact`] without its instant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Finding {
    /// What was looked at.
    pub name: FactName,
    /// What came of it.
    pub status: FactStatus,
    /// The value found.
    pub value: FactValue,
    /// Where the value was found, or why there is none.
    pub source: Box<str>,
    /// How hard it would be to fake.
    pub tier: Tier,
}

impl Facts {
    /// The fact of a name.
    #[must_use]
    pub fn get(&self, name: &FactName) -> Option<&HeldFact> {
        self.place(name).ok().and_then(|place| self.0.get(place))
    }

    /// All facts, in the order of their names.
    pub fn iter(&self) -> std::slice::Iter<'_, HeldFact> {
        self.0.iter()
    }

    /// Takes a fact in, in place of the one of that name.
    pub fn insert(&mut self, fact: HeldFact) {
        self.extend([fact]);
    }

    /// Keeps only the facts for which `keep` holds.
    pub fn retain(&mut self, keep: impl FnMut(&HeldFact) -> bool) {
        let mut facts = std::mem::take(&mut self.0).into_vec();
        facts.retain(keep);
        self.0 = facts.into();
    }

    /// The fact of a name, whose name is to stay.
    pub(crate) fn get_mut(&mut self, name: &FactName) -> Option<&mut HeldFact> {
        self.place(name).ok().and_then(|place| self.0.get_mut(place))
    }

    fn place(&self, name: &FactName) -> Result<usize, usize> {
        self.0.binary_search_by(|held| held.finding.name.cmp(name))
    }
}

impl Finding {
    /// The hash of what a report says.
    pub(crate) fn hash_of(fact: &PostureFact) -> u64 {
        let PostureFact { name, status, value, source, tier, observed_at: _ } = fact;
        hash_of(&(name, status, value, source, tier))
    }

    /// Whether a report says just this.
    #[must_use]
    pub fn is_of(&self, fact: &PostureFact) -> bool {
        self.status == fact.status
            && self.tier == fact.tier
            && self.name == fact.name
            && self.value == fact.value
            && *self.source == *fact.source
    }
}

impl From<&PostureFact> for Finding {
    fn from(fact: &PostureFact) -> Self {
        let PostureFact { name, status, value, source, tier, observed_at: _ } = fact;
        Self {
            name: name.clone(),
            status: *status,
            value: value.clone(),
            source: source.as_str().into(),
            tier: *tier,
        }
    }
}

impl From<&PostureFact> for HeldFact {
    fn from(fact: &PostureFact) -> Self {
        Self { finding: Arc::new(fact.into()), observed_at: fact.observed_at }
    }
}

impl From<Vec<HeldFact>> for Facts {
    fn from(facts: Vec<HeldFact>) -> Self {
        facts.into_iter().collect()
    }
}

impl Extend<HeldFact> for Facts {
    /// Of two facts of one name the later one counts.
    fn extend<I: IntoIterator<Item = HeldFact>>(&mut self, facts: I) {
        let mut facts = facts.into_iter().peekable();
        if facts.peek().is_none() {
            return;
        }
        let mut all = std::mem::take(&mut self.0).into_vec();
        all.extend(facts);
        all.reverse();
        all.sort_by(|one, two| one.finding.name.cmp(&two.finding.name));
        all.dedup_by(|one, two| one.finding.name == two.finding.name);
        self.0 = all.into();
    }
}

impl FromIterator<HeldFact> for Facts {
    fn from_iter<I: IntoIterator<Item = HeldFact>>(facts: I) -> Self {
        let mut all = Self::default();
        all.extend(facts);
        all
    }
}
