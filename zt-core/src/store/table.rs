//! Things that are found by their keys.

use std::hash::Hash;

use hashbrown::HashTable;

use super::{Slab, Slot, hash_of};

/// Something that carries its own key.
pub(crate) trait Keyed {
    type Key: Hash + Eq + ?Sized;

    /// Its key, which never changes.
    fn key(&self) -> &Self::Key;
}

/// Things that are found by their keys, at places that stay. At most one of each key.
#[derive(Debug, Clone)]
pub(crate) struct Table<T> {
    things: Slab<T>,
    index: HashTable<Slot>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { things: Slab::default(), index: HashTable::new() }
    }
}

impl<T: Keyed> Table<T> {
    pub(crate) fn find(&self, key: &T::Key) -> Option<Slot> {
        let has = |slot: &Slot| self.things.get(*slot).is_some_and(|thing| thing.key() == key);
        self.index.find(hash_of(key), has).copied()
    }

    pub(crate) fn get(&self, slot: Slot) -> Option<&T> {
        self.things.get(slot)
    }

    pub(crate) fn get_mut(&mut self, slot: Slot) -> Option<&mut T> {
        self.things.get_mut(slot)
    }

    /// The thing of a key.
    pub(crate) fn of(&self, key: &T::Key) -> Option<&T> {
        self.find(key).and_then(|slot| self.get(slot))
    }

    /// Takes a thing in whose key nothing here has; `None` if there is no place left.
    pub(crate) fn insert(&mut self, thing: T) -> Option<Slot> {
        let hash = hash_of(thing.key());
        let slot = self.things.insert(thing)?;
        let things = &self.things;
        let rehash = |slot: &Slot| things.get(*slot).map_or(0, |thing| hash_of(thing.key()));
        self.index.insert_unique(hash, slot, rehash);
        Some(slot)
    }

    pub(crate) fn remove(&mut self, slot: Slot) -> Option<T> {
        let thing = self.things.remove(slot)?;
        if let Ok(found) = self.index.find_entry(hash_of(thing.key()), |other| *other == slot) {
            found.remove();
        }
        Some(thing)
    }

    /// All things with their places, in the order of the places.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Slot, &T)> {
        self.things.iter()
    }

    /// All things, in the order of the places.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.things.values_mut()
    }
}
