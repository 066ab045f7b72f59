//! Containers for large numbers of things: places that stay, lookup by hash, values that are kept once.
//!
//! Lookup by hash is all that is offered of hash tables; nothing goes through them in their order.

mod shared;
mod slab;
mod table;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroU32;

pub(crate) use shared::Shared;
pub(crate) use slab::Slab;
pub(crate) use table::{Keyed, Table};

/// A place in a [`Slab`]; it is given again once what stood there is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Slot(NonZeroU32);

impl Slot {
    /// The place of this number; `None` for the greatest.
    pub(crate) fn new(number: u32) -> Option<Self> {
        number.checked_add(1).and_then(NonZeroU32::new).map(Self)
    }

    /// Its number, from 0.
    pub(crate) const fn number(self) -> u32 {
        self.0.get().saturating_sub(1)
    }
}

/// The hash of a key.
pub(crate) fn hash_of<T: Hash + ?Sized>(key: &T) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}
