//! What policies read of a session, as a key.

/// The values that the policies in force read of a session, one after the other.
///
/// Which values these are, and in which order, is the engine's affair; two views made by the same loaded version are
/// equal exactly if all values are. Raw instants are never among them, only how comparisons with them come out, so that
/// the passing of time alone leaves a view as it is until such a comparison turns.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct View {
    /// Each value with its length before it, in four bytes.
    bytes: Vec<u8>,
}

impl View {
    /// A view without values.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    /// Takes all values out and keeps the room for them.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Adds a value, in its parts.
    pub fn push<'p>(&mut self, parts: impl IntoIterator<Item = &'p [u8]>) {
        self.push_with(|bytes| parts.into_iter().for_each(|part| bytes.extend_from_slice(part)));
    }

    /// Adds a value: what `write` appends.
    pub fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; LENGTH_BYTES]);
        let first = self.bytes.len();
        write(&mut self.bytes);
        let length = u32::try_from(self.bytes.len().saturating_sub(first)).unwrap_or(u32::MAX);
        if let Some(place) = self.bytes.get_mut(start..first) {
            place.copy_from_slice(&length.to_le_bytes());
        }
    }

    /// The values, in the order in which they were added.
    pub fn values(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || {
            let (length, behind) = rest.split_first_chunk::<LENGTH_BYTES>()?;
            let (value, behind) =
                behind.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
            rest = behind;
            Some(value)
        })
    }

    /// All of it as bytes, equal exactly if the views are: for hashing.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

const LENGTH_BYTES: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_as_they_went_in() {
        let mut view = View::new();
        view.push([b"pass".as_slice()]);
        view.push([]);
        view.push([b"a".as_slice(), b"bc"]);
        assert_eq!(view.values().collect::<Vec<_>>(), [b"pass".as_slice(), b"", b"abc"]);
        let mut other = View::new();
        other.push([b"pas".as_slice()]);
        other.push([b"s".as_slice()]);
        assert_ne!(view, other);
        view.clear();
        assert_eq!(view, View::new());
    }
}
