//! Which policies may apply to whom and to what, and what they read: built once for each bundle.
//!
//! ```text
//!                principals                   resources
//!   groups[g] ─┐                          ┌─ classes of policy p (bits)
//!   users[u]  ─┼─► policies of a session ─┤
//!   anyone    ─┘                          └─ slots of policy p (bits) ─► view, affected
//! ```

mod classes;
mod scope;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::pst::{Effect, Template};
use zt_core::decide::{ClassId, ResourceClasses, SessionFacts};
use zt_core::id::GroupId;
use zt_core::site::Site;
use zt_core::time::Timestamp;

use crate::bits::Bits;
use crate::person::Person;
use crate::reads::{Reads, Slot};
use classes::Partition;
use scope::Who;
pub(crate) use view::unfit;

/// A policy as the index takes it: its tree, and what its condition reads.
pub(crate) struct Read<'a> {
    pub(crate) policy: &'a Template,
    pub(crate) reads: &'a Reads,
}

/// Which policies may apply to whom and to what, and what they read.
#[derive(Debug)]
pub(crate) struct Index {
    policies: Vec<Entry>,
    /// What conditions read of sessions, and who the policies are for that do; approvals come last.
    slots: Vec<(Slot, Readers)>,
    anyone: Named,
    /// The groups that heads of policies name.
    groups: BTreeMap<GroupId, Named>,
    /// The people whom heads of policies name, in order.
    users: Vec<(Person, Named)>,
    classes: ResourceClasses,
    /// The class of each resource that can be approved, by the slot of its approval.
    approvals: BTreeMap<usize, usize>,
}

/// A policy as decisions see it.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Whether it forbids.
    pub(crate) forbids: bool,
    /// The classes of resources that its head takes.
    pub(crate) classes: Bits,
    /// What its condition reads of the session, but for approvals.
    slots: Bits,
    /// Whether its condition asks for approvals.
    reads_approval: bool,
}

/// What a head of policies names.
#[derive(Debug, Default)]
struct Named {
    /// Its place among its like, as it stands in views.
    place: [u8; 4],
    policies: Vec<usize>,
}

/// For whom the policies are that read a slot.
#[derive(Debug, Default)]
struct Readers {
    anyone: bool,
    /// By the place of the group.
    groups: Bits,
    /// By the place of the person.
    users: Bits,
}

impl Index {
    /// Indexes policies, in the order of their names.
    pub(crate) fn new(policies: &[Read<'_>], site: &Site) -> Self {
        let Partition { classes, of_policy } = classes::partition(policies, site);
        let slots = slots(policies, site);
        let places: BTreeMap<&Slot, usize> = slots.iter().zip(0..).collect();
        let entry = |(read, classes): (&Read<'_>, Bits)| Entry {
            forbids: read.policy.effect == Effect::Forbid,
            classes,
            slots: read.reads.slots.iter().filter_map(|slot| places.get(slot).copied()).collect(),
            reads_approval: read.reads.resource.approval,
        };
        let approvals = places.iter().filter_map(|(slot, place)| {
            let Slot::Approved(resource) = slot else { return None };
            let class = classes.class_of(site.resource_index(resource)?)?;
            Some((*place, bit(class)))
        });
        let mut index = Self {
            policies: policies.iter().zip(of_policy).map(entry).collect(),
            anyone: Named::default(),
            groups: BTreeMap::new(),
            users: Vec::new(),
            approvals: approvals.collect(),
            classes,
            slots: slots.iter().map(|slot| (slot.clone(), Readers::default())).collect(),
        };
        index.name(policies);
        index.note_readers(policies);
        index
    }

    pub(crate) const fn classes(&self) -> &ResourceClasses {
        &self.classes
    }

    /// For each policy, the classes of resources that its head takes.
    pub(crate) fn taken(&self) -> impl Iterator<Item = &Bits> {
        self.policies.iter().map(|entry| &entry.classes)
    }

    pub(crate) fn policy(&self, place: usize) -> Option<&Entry> {
        self.policies.get(place)
    }

    /// The policies whose heads take a session's person, in no particular order.
    pub(crate) fn policies_of<'a>(&'a self, facts: &SessionFacts<'a>) -> impl Iterator<Item = usize> + 'a {
        let groups = facts.groups().iter().filter_map(|group| self.groups.get(group));
        let user = self.user(facts).into_iter();
        let named = std::iter::once(&self.anyone).chain(groups).chain(user);
        named.flat_map(|named| named.policies.iter().copied())
    }

    /// For each slot, when time alone may change its value for a session.
    pub(crate) fn turns(&self, facts: &SessionFacts<'_>) -> Vec<Option<Timestamp>> {
        self.slots.iter().map(|(slot, _)| slot.turns_at(facts)).collect()
    }

    fn user(&self, facts: &SessionFacts<'_>) -> Option<&Named> {
        let subject = &facts.identity.subject;
        let place = self.users.binary_search_by(|(person, _)| person.cmp_subject(subject)).ok()?;
        self.users.get(place).map(|(_, named)| named)
    }

    fn name(&mut self, policies: &[Read<'_>]) {
        let mut users: BTreeMap<Person, Named> = BTreeMap::new();
        for (place, read) in policies.iter().enumerate() {
            let named = match scope::who(read.policy) {
                Who::Anyone => &mut self.anyone,
                Who::Group(group) => self.groups.entry(group).or_default(),
                Who::User(person) => users.entry(person).or_default(),
                Who::Nobody => continue,
            };
            named.policies.push(place);
        }
        let number = |(named, place): (&mut Named, u32)| named.place = place.to_le_bytes();
        self.groups.values_mut().zip(0..).for_each(number);
        users.values_mut().zip(0..).for_each(number);
        self.users = users.into_iter().collect();
    }

    fn note_readers(&mut self, policies: &[Read<'_>]) {
        for (read, entry) in policies.iter().zip(&self.policies) {
            let of_classes = self.approvals.iter().filter(|(_, class)| entry.classes.has(**class));
            let approvals = of_classes.filter(|_| entry.reads_approval).map(|(slot, _)| *slot);
            for slot in entry.slots.iter().chain(approvals) {
                let Some((_, readers)) = self.slots.get_mut(slot) else { continue };
                match scope::who(read.policy) {
                    Who::Anyone => readers.anyone = true,
                    Who::Group(group) => {
                        readers.groups.extend(self.groups.get(&group).map(Named::place));
                    }
                    Who::User(person) => {
                        let place = self.users.binary_search_by(|(known, _)| known.cmp(&person));
                        readers.users.extend(place.ok());
                    }
                    Who::Nobody => {}
                }
            }
        }
    }
}

impl Entry {
    /// When time may turn the policy, by when it may turn each slot.
    pub(crate) fn turns_at(&self, turns: &[Option<Timestamp>]) -> Option<Timestamp> {
        self.slots.iter().filter_map(|slot| turns.get(slot).copied().flatten()).min()
    }
}

impl Named {
    fn place(&self) -> usize {
        usize::try_from(u32::from_le_bytes(self.place)).unwrap_or(usize::MAX)
    }
}

/// Everything that any condition reads of a session, in order.
fn slots(policies: &[Read<'_>], site: &Site) -> BTreeSet<Slot> {
    let mut slots: BTreeSet<Slot> =
        policies.iter().flat_map(|read| read.reads.slots.iter().cloned()).collect();
    if policies.iter().any(|read| read.reads.resource.approval) {
        let requestable = site.resources().iter().filter(|resource| resource.approval.is_some());
        slots.extend(requestable.map(|resource| Slot::Approved(resource.id.clone())));
    }
    slots
}

/// The place of a class among the bits of a policy.
pub(crate) fn bit(class: ClassId) -> usize {
    usize::try_from(class.0).unwrap_or(usize::MAX)
}
