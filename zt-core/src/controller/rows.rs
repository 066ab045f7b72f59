//! What a class of sessions is granted.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::decide::{ClassId, Decision, DecisionSink, Effect, PolicyIndex, PolicyVersion, ResourceClasses};
use crate::desired::Reach;
use crate::id::{GatewayGroupId, ResourceId};
use crate::site::{ResourceIndex, Site};

/// What all sessions of a class are granted, and where that lets them go.
#[derive(Debug)]
pub(super) struct Row {
    /// Another number for each row there ever was.
    pub(super) serial: u64,
    pub(super) version: PolicyVersion,
    /// In the order of the resources' ids.
    pub(super) granted: Box<[Granted]>,
    /// What may be reached behind each gateway group that has a granted resource, in the order of their ids.
    pub(super) reaches: Box<[(GatewayGroupId, Arc<Reach>)]>,
}

impl Row {
    /// Whether a resource is granted.
    pub(super) fn grants(&self, resource: &ResourceId) -> bool {
        self.granted.binary_search_by(|granted| granted.resource.cmp(resource)).is_ok()
    }

    /// What may be reached behind a gateway group; `None` if nothing there is granted.
    pub(super) fn reach(&self, group: &GatewayGroupId) -> Option<&Arc<Reach>> {
        let place = self.reaches.binary_search_by(|(known, _)| known.cmp(group)).ok()?;
        self.reaches.get(place).map(|(_, reach)| reach)
    }
}

/// A resource that is granted, with its cause.
#[derive(Debug, Clone)]
pub(super) struct Granted {
    pub(super) resource: ResourceId,
    pub(super) index: ResourceIndex,
    pub(super) because: Arc<[PolicyIndex]>,
}

/// What the way from one row to another takes away and brings.
#[derive(Debug, Default)]
pub(super) struct RowChange {
    pub(super) lost: Vec<ResourceId>,
    pub(super) gained: Vec<Granted>,
}

impl RowChange {
    /// Compares by the resources' ids, which outlast the site that declares them.
    pub(super) fn between(old: Option<&Row>, new: &Row) -> Self {
        let mut change = Self::default();
        let mut old = old.map_or(&[][..], |row| &row.granted).iter().peekable();
        let mut new = new.granted.iter().peekable();
        loop {
            let order = match (old.peek(), new.peek()) {
                (None, None) => return change,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(one), Some(two)) => one.resource.cmp(&two.resource),
            };
            let lost = if order.is_le() { old.next() } else { None };
            let gained = if order.is_ge() { new.next() } else { None };
            match (lost, gained) {
                (Some(lost), None) => change.lost.push(lost.resource.clone()),
                (None, Some(gained)) => change.gained.push(gained.clone()),
                (Some(_), Some(_)) | (None, None) => {}
            }
        }
    }
}

/// Takes decisions, and keeps what is allowed.
pub(super) struct Answers<'a> {
    pub(super) site: &'a Site,
    pub(super) classes: &'a ResourceClasses,
    pub(super) granted: Vec<Granted>,
    pub(super) count: u64,
}

impl DecisionSink for Answers<'_> {
    fn decided(&mut self, class: ClassId, decision: Decision<'_>) {
        self.count = self.count.saturating_add(1);
        if decision.effect == Effect::Allow {
            // Neighbours are often granted for the same reason.
            let last = self.granted.last().map(|last| &last.because);
            let because = match last.filter(|last| ***last == *decision.because) {
                Some(same) => Arc::clone(same),
                None => decision.because.into(),
            };
            let members = self.classes.members(class).iter();
            self.granted.extend(members.filter_map(|index| {
                let resource = self.site.resource(*index)?.id.clone();
                Some(Granted { resource, index: *index, because: Arc::clone(&because) })
            }));
        }
    }
}
