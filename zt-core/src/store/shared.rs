//! Values that are kept once, however many have them.

use std::sync::Arc;

use hashbrown::HashTable;

/// Fewer values than this are never swept.
const FEW: usize = 64;

/// Values that are kept once. What nobody has any more goes when the number of values has doubled.
#[derive(Debug, Clone)]
pub(crate) struct Shared<T: ?Sized> {
    values: HashTable<Arc<T>>,
    sweep_at: usize,
    hash: fn(&T) -> u64,
}

impl<T: ?Sized> Shared<T> {
    pub(crate) const fn new(hash: fn(&T) -> u64) -> Self {
        Self { values: HashTable::new(), sweep_at: FEW, hash }
    }

    /// The value that has this hash and for which `is` holds, made now if there is none.
    pub(crate) fn share(
        &mut self,
        hash: u64,
        is: impl Fn(&T) -> bool,
        make: impl FnOnce() -> Arc<T>,
    ) -> Arc<T> {
        if let Some(value) = self.values.find(hash, |value| is(value)) {
            return Arc::clone(value);
        }
        if self.values.len() >= self.sweep_at {
            self.values.retain(|value| Arc::strong_count(value) > 1);
            self.sweep_at = self.values.len().saturating_mul(2).max(FEW);
        }
        let (value, rehash) = (make(), self.hash);
        self.values.insert_unique(hash, Arc::clone(&value), |value| rehash(value));
        value
    }

    /// The same value, kept once.
    pub(crate) fn keep(&mut self, value: Arc<T>) -> Arc<T>
    where
        T: Eq,
    {
        self.share((self.hash)(&value), |known| *known == *value, || Arc::clone(&value))
    }
}

#[cfg(test)]
mod tests {
    use super::super::hash_of;
    use super::*;

    #[test]
    fn equal_values_are_kept_once_and_unused_ones_go() {
        let mut shared: Shared<str> = Shared::new(hash_of);
        let one = shared.keep("one".into());
        assert!(Arc::ptr_eq(&one, &shared.keep("one".into())));
        (0..10_000).for_each(|number| drop(shared.keep(number.to_string().into())));
        assert!(shared.values.len() <= FEW + 1, "{}", shared.values.len());
        assert!(Arc::ptr_eq(&one, &shared.keep("one".into())));
    }
}
