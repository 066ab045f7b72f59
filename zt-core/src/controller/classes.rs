//! Sessions that the policies cannot tell apart, and what each class of them is granted.

use std::sync::Arc;

use hashbrown::HashTable;

use crate::decide::View;
use crate::store::{Slab, Slot, hash_of};

use super::rows::Row;

/// Sessions with equal views.
#[derive(Debug)]
pub(super) struct SessionClass {
    view: View,
    row: Arc<Row>,
    sessions: u32,
    /// Whether the view was made by the policies and the site in force.
    is_current: bool,
}

impl SessionClass {
    pub(super) const fn row(&self) -> &Arc<Row> {
        &self.row
    }

    /// The view of its sessions, if it was made by the policies and the site in force.
    pub(super) fn view(&self) -> Option<&View> {
        self.is_current.then_some(&self.view)
    }
}

/// All classes that have sessions.
#[derive(Debug, Default)]
pub(super) struct SessionClasses {
    classes: Slab<SessionClass>,
    /// Those that are current, by their views.
    index: HashTable<Slot>,
}

impl SessionClasses {
    pub(super) fn get(&self, slot: Slot) -> Option<&SessionClass> {
        self.classes.get(slot)
    }

    /// The class of a view under the policies and the site in force.
    pub(super) fn find(&self, view: &View) -> Option<Slot> {
        let has = |slot: &Slot| self.get(*slot).is_some_and(|class| class.view == *view);
        self.index.find(hash_of(view), has).copied()
    }

    /// Makes a class that no session is in yet.
    pub(super) fn add(&mut self, view: View, row: Arc<Row>) -> Option<Slot> {
        let hash = hash_of(&view);
        let slot = self.classes.insert(SessionClass { view, row, sessions: 0, is_current: true })?;
        let classes = &self.classes;
        let rehash = |slot: &Slot| classes.get(*slot).map_or(0, |class| hash_of(&class.view));
        self.index.insert_unique(hash, slot, rehash);
        Some(slot)
    }

    /// Counts one more session in a class.
    pub(super) fn enter(&mut self, slot: Slot) {
        if let Some(class) = self.classes.get_mut(slot) {
            class.sessions = class.sessions.saturating_add(1);
        }
    }

    /// Counts one session less; a class without sessions goes.
    pub(super) fn leave(&mut self, slot: Slot) {
        let Some(class) = self.classes.get_mut(slot) else { return };
        class.sessions = class.sessions.saturating_sub(1);
        if class.sessions == 0 {
            let hash = hash_of(&class.view);
            if let Ok(found) = self.index.find_entry(hash, |other| *other == slot) {
                found.remove();
            }
            self.classes.remove(slot);
        }
    }

    /// Has no view count as current, since policies or site are others now.
    pub(super) fn outdate(&mut self) {
        self.index.clear();
        self.classes.values_mut().for_each(|class| class.is_current = false);
    }
}
