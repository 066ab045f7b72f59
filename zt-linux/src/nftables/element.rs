//! Elements of sets and maps.

use std::num::NonZeroU64;

use super::{Attributes, attributes, u64_of};

/// An element of a set or a map.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Element {
    /// The fields of its key, each padded to four bytes; of a range the lowest one.
    pub(crate) key: Vec<u8>,
    /// The highest key, in a map of ranges.
    pub(crate) key_end: Option<Vec<u8>>,
    /// What a map has for it.
    pub(crate) value: Option<Vec<u8>>,
    /// How long it lives, in milliseconds. Zero would mean for ever.
    pub(crate) timeout: Option<NonZeroU64>,
    /// How much of that is left; only the kernel says so.
    pub(crate) remaining: Option<u64>,
    /// Kept with it, for whoever made it.
    pub(crate) note: Vec<u8>,
}

impl Element {
    /// With the values of a new element, or with its key only.
    pub(super) fn attributes(&self, whole: bool) -> Attributes {
        let value = |bytes: &[u8]| Attributes::new().bytes(1, bytes);
        let mut element = Attributes::new().nest(1, &value(&self.key));
        if let Some(end) = &self.key_end {
            element = element.nest(10, &value(end));
        }
        if !whole {
            return element;
        }
        if let Some(data) = &self.value {
            element = element.nest(2, &value(data));
        }
        if let Some(timeout) = self.timeout {
            element = element.be64(4, timeout.get());
        }
        if !self.note.is_empty() {
            element = element.bytes(6, &self.note);
        }
        element
    }

    /// Reads one as the kernel lists it.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let mut element = Self::default();
        let value =
            |bytes: &[u8]| attributes(bytes).find(|(kind, _)| *kind == 1).map(|(_, value)| value.to_vec());
        for (kind, bytes) in attributes(bytes) {
            match kind {
                1 => element.key = value(bytes)?,
                2 => element.value = Some(value(bytes)?),
                4 => element.timeout = NonZeroU64::new(u64_of(bytes)?),
                5 => element.remaining = Some(u64_of(bytes)?),
                6 => element.note = bytes.to_vec(),
                10 => element.key_end = Some(value(bytes)?),
                _ => {}
            }
        }
        (!element.key.is_empty()).then_some(element)
    }
}
