//! What policies read of a session, and what that touches when it changes.
//!
//! A view is made of values in this order:
//!
//! | value | |
//! |---|---|
//! | state | one byte: [`FIT`] or [`UNFIT`]; nothing follows the latter |
//! | groups | the places of the session's groups that heads of policies name, four bytes each |
//! | user | the place of the person, if heads of policies name them |
//! | slots | for each slot that a policy of these groups and this user reads, its value |

use zt_core::decide::{ClassId, SessionFacts, Validity, View};

use super::{Entry, Index, Named, Readers};
use crate::bits::Bits;
use crate::reads::Slot;

const FIT: &[u8] = b"+";
const UNFIT: &[u8] = b"-";

impl Index {
    /// Writes the view of a session whose facts fit the schema, and says until when it stays so if no fact changes.
    pub(crate) fn view(&self, facts: &SessionFacts<'_>, view: &mut View) -> Validity {
        view.clear();
        view.push([FIT]);
        let groups = || facts.groups().iter().filter_map(|group| self.groups.get(group));
        view.push(groups().map(|named| named.place.as_slice()));
        let user = self.user(facts);
        view.push(user.map(|named| named.place.as_slice()));
        let head = Head { groups: groups().map(Named::place).collect(), user: user.map(Named::place) };
        let mut valid = Validity::Unlimited;
        for (slot, _) in self.slots.iter().filter(|(_, readers)| readers.read_for(&head)) {
            slot.write(facts, view);
            if let Some(at) = slot.turns_at(facts) {
                valid = valid.min(Validity::Until(at));
            }
        }
        valid
    }

    /// Adds the classes to which a policy applies that reads something in which two views differ.
    pub(crate) fn affected(&self, before: &View, after: &View, classes: &mut Vec<ClassId>) {
        if before == after {
            return;
        }
        let (Some((was, mut was_values)), Some((is, mut is_values))) = (Head::of(before), Head::of(after))
        else {
            return classes.extend(self.classes.iter().map(|(class, _)| class));
        };
        let mut touched = Bits::default();
        for (place, named) in self.groups.values().enumerate() {
            if was.groups.has(place) != is.groups.has(place) {
                self.touch(named, |entry| Some(&entry.classes), &mut touched);
            }
        }
        if was.user != is.user {
            for (_, named) in
                [was.user, is.user].into_iter().flatten().filter_map(|place| self.users.get(place))
            {
                self.touch(named, |entry| Some(&entry.classes), &mut touched);
            }
        }
        let (mut changed, mut approved) = (Bits::default(), Bits::default());
        for (place, (slot, readers)) in self.slots.iter().enumerate() {
            let before = readers.read_for(&was).then(|| was_values.next()).flatten();
            let after = readers.read_for(&is).then(|| is_values.next()).flatten();
            if before.is_some() && after.is_some() && before != after {
                if let Slot::Approved(_) = slot {
                    approved.extend(self.approvals.get(&place).copied());
                } else {
                    changed.insert(place);
                }
            }
        }
        let both = self
            .groups
            .values()
            .enumerate()
            .filter(|(place, _)| was.groups.has(*place) && is.groups.has(*place));
        let user = was.user.filter(|_| was.user == is.user).and_then(|place| self.users.get(place));
        let stayed = both.map(|(_, named)| named).chain(user.map(|(_, named)| named)).chain([&self.anyone]);
        for named in stayed {
            self.touch(named, |entry| entry.slots.meets(&changed).then_some(&entry.classes), &mut touched);
            for entry in self.entries(named).filter(|entry| entry.reads_approval) {
                touched.extend(entry.classes.common(&approved));
            }
        }
        classes.extend(touched.iter().filter_map(|class| u32::try_from(class).ok()).map(ClassId));
    }

    fn touch<'a>(
        &'a self,
        named: &'a Named,
        classes: impl Fn(&'a Entry) -> Option<&'a Bits>,
        touched: &mut Bits,
    ) {
        self.entries(named).filter_map(classes).for_each(|classes| touched.join(classes));
    }

    fn entries<'a>(&'a self, named: &'a Named) -> impl Iterator<Item = &'a Entry> {
        named.policies.iter().filter_map(|place| self.policies.get(*place))
    }
}

/// Writes the view of a session whose facts do not fit the schema, or lie in the future.
pub(crate) fn unfit(view: &mut View) {
    view.clear();
    view.push([UNFIT]);
}

/// Whom a view is of, as far as heads of policies tell.
struct Head {
    groups: Bits,
    user: Option<usize>,
}

impl Head {
    /// Reads the head of a view; gives the values of its slots, too. `None` if there are none.
    fn of(view: &View) -> Option<(Self, impl Iterator<Item = &[u8]>)> {
        let mut values = view.values();
        values.next().filter(|state| *state == FIT)?;
        let place = |bytes: &[u8; 4]| usize::try_from(u32::from_le_bytes(*bytes)).unwrap_or(usize::MAX);
        let groups = values.next()?.as_chunks::<4>().0.iter().map(place).collect();
        let user = values.next()?.first_chunk().map(place);
        Some((Self { groups, user }, values))
    }
}

impl Readers {
    fn read_for(&self, head: &Head) -> bool {
        self.anyone || self.groups.meets(&head.groups) || head.user.is_some_and(|user| self.users.has(user))
    }
}
